"""How a number may be printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.summaries.figures import kappa, newcombe, printed, quantile, share, wilson


@pytest.mark.parametrize(
    ("x", "known", "missing", "words"),
    [
        (3, 9, 0, "3 of 9"),
        (3, 10, 0, "3 of 10 (30 %)"),
        (3, 10, 4, "3 of 10 (30 %); 4 of 14 not recorded"),
        (3, 10, 5, "3 of 10; 5 of 15 not recorded"),
        (14, 20, 0, "14 of 20 (70 %, 95 % interval 48.1 to 85.5 %)"),
        (0, 0, 7, "0 of 0; 7 of 7 not recorded"),
    ],
)
def test_percentages_and_intervals_are_withheld_by_the_stated_rules(
    x: int, known: int, missing: int, words: str
) -> None:
    assert printed(x, known, missing) == words


def test_30_percent_missing_is_still_a_percentage() -> None:
    assert share(7, 14, 6)[0] == 50.0
    assert share(7, 13, 6)[0] is None


@pytest.mark.parametrize(
    ("x", "k", "interval"),
    [(0, 20, (0.0, 16.1)), (20, 20, (83.9, 100.0)), (40, 169, (17.9, 30.6)), (39, 104, (28.8, 47.1))],
)
def test_wilson_agrees_with_worked_values(x: int, k: int, interval: tuple[float, float]) -> None:
    assert wilson(x, k) == pytest.approx(interval, abs=0.06)


@given(st.integers(1, 500).flatmap(lambda k: st.tuples(st.integers(0, k), st.just(k))))
def test_the_interval_holds_the_proportion_and_stays_within_0_and_100(counted: tuple[int, int]) -> None:
    x, k = counted
    low, high = wilson(x, k)
    assert 0 <= low <= round(100 * x / k, 1) <= high <= 100


def test_newcombe_agrees_with_the_worked_example_of_the_paper() -> None:
    # Newcombe 1998, table II: 56/70 against 48/80, method 10: 0.0524 to 0.3339
    low, high = newcombe(48, 80, 56, 70)
    assert (low, high) == pytest.approx((5.2, 33.4), abs=0.06)


def test_kappa_agrees_with_cohens_worked_example() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert kappa(pairs) == 0.4


@pytest.mark.parametrize("pairs", [[], [(True, True)] * 30])
def test_kappa_is_none_where_it_says_nothing(pairs: list[tuple[bool, bool]]) -> None:
    assert kappa(pairs) is None


def test_quantiles_lie_between_the_values() -> None:
    assert (quantile([1, 2, 3, 10], 0.5), quantile([5], 0.9), quantile([], 0.5)) == (2.5, 5.0, None)

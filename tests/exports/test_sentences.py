"""Every sentence that a reader is told is true of what is released, and false of something made without its rule.

A sentence without a check here fails the first test; a check that holds whatever is released fails the second.
"""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from cuts import KEY, LARGE, MEDIUM, SMALL, known, late, months, people, placed, record_file, year_file
from support.population import HEAVY

from triage.exports import members as m
from triage.exports import statement as s
from triage.exports import tables as t
from triage.exports.catalogue import TOTAL, CatalogueTable, ladders
from triage.exports.classified import ClassifiedMember
from triage.exports.records import COLUMNS, RecordsRelease, config_for_late, freeze
from triage.exports.tables import RULES, Rules
from triage.exports.tree import CONFIG, Config
from triage.times import parse_period

POWER, DISPOSAL, SOURCE = (COLUMNS.index(column) for column in ("power", "disposal", "source"))
Check = Callable[[], bool]


def without(**off: object) -> Config:
    return msgspec.structs.replace(CONFIG, **off)


def weaker(**off: object) -> Rules:
    return msgspec.structs.replace(RULES, **off)


# --- record files


def quarter(config: Config = CONFIG) -> RecordsRelease:
    """The large force's quarter, by the method as it is or with a rule switched off; each cut once."""
    name = repr(config)
    if name not in _QUARTERS:
        _QUARTERS[name] = record_file(known("quarterly", "2025-Q1", LARGE), config=config)
    return _QUARTERS[name]


_QUARTERS: dict[str, RecordsRelease] = {}


def groups(release: RecordsRelease) -> list[list[tuple[str, ...]]]:
    checks = defaultdict(list)
    for row in release.rows:
        checks[row.values[:6]].append(row.values)
    return list(checks.values())


def ten_people_a_group(config: Config = CONFIG) -> bool:
    who = people(known("quarterly", "2025-Q1", LARGE))
    behind = defaultdict(set)
    for row in quarter(config).rows:
        behind[row.values[:6]].add(who[row.incident_id])
    return all(m.count_people(group) >= 10 for group in behind.values())


def different_outcomes(config: Config = CONFIG) -> bool:
    return all(len({row[DISPOSAL] for row in group}) > 1 for group in groups(quarter(config)))


def gaps_without_a_reason(config: Config = CONFIG) -> bool:
    """Whether a detail is hidden that neither the number of people nor their outcomes would have hidden."""

    def hidden(release: RecordsRelease) -> set[tuple[UUID, int]]:
        return {(row.incident_id, at) for row in release.rows for at in range(2, 6) if row.values[at] == m.NOT_SHOWN}

    return bool(hidden(quarter(config)) - hidden(quarter(without(decoy_rate=0.0))))


def shuffled(config: Config = CONFIG) -> bool:
    member_of = {x.incident_id: x for x in known("quarterly", "2025-Q1", LARGE)}
    rows = quarter(config).rows
    return any(row.values[SOURCE] != m.SOURCE.of(member_of[row.incident_id].referral_source) for row in rows)


def each_incident_once(decided: bool = True) -> bool:
    first = quarter()
    done = frozenset(row.incident_id for row in first.rows) | frozenset(first.capped)
    waiting = [*known("quarterly", "2025-Q1", LARGE), *late("quarterly", "2025-Q1", LARGE)]
    second = freeze("records/2025-Q2-late/1", waiting, (), KEY, config_for_late(), done if decided else frozenset())
    assert min(group.people for group in second.groups) >= 10
    return done.isdisjoint(row.incident_id for row in second.rows)


def only_some_rows_of_one_person(most: int = 10) -> bool:
    who = people(known("yearly", "2025", SMALL))
    release = year_file(SMALL, config=without(rows_per_person=most))
    rows = sum(who[row.incident_id] == (HEAVY, 1) for row in release.rows)
    return rows < sum(person == (HEAVY, 1) for person in who.values())


# --- tables

POWERS = CatalogueTable("sex_power", "Sex by power", ("sex",), "power")
MINUTES = CatalogueTable("minutes_at_scene", "Minutes", counts="median_minutes")


def frozen(members: list[ClassifiedMember], *forms: CatalogueTable, rules: Rules = RULES) -> t.Edition:
    return t.freeze("quarterly", "2025-Q1", forms, members, KEY, rules)


def month() -> list[ClassifiedMember]:
    return placed("monthly", "2025-04", SMALL)


def copies(n: int, **changed: object) -> list[ClassifiedMember]:
    """Incidents of so many different people, alike but for these."""
    like = next(p for p in month() if p.minutes)
    return [
        msgspec.structs.replace(like, incident_id=UUID(int=i), person_id=UUID(int=i), record_key=i * 7919, **changed)
        for i in range(1, n + 1)
    ]


def multiples_of_five(rules: Rules = RULES) -> bool:
    cells = frozen(month(), TOTAL, POWERS, rules=rules).cells
    return all(c.count is None or (c.count % 5 == 0 and abs(c.count - c.n) <= 4) for c in cells)


def hidden_says_nothing_of_how_many(few: str = "c") -> bool:
    """What is hidden may be none, a few, or hundreds: what `c` used to promise, fewer than ten, is not so."""
    strangers = [msgspec.structs.replace(p, person_id=None) for p in placed("quarterly", "2025-Q1", SMALL)]
    hidden = [c.n for c in frozen(strangers, POWERS).cells if c.count is None]
    promised = {"c": True, "fewer than ten": max(hidden) < 10}
    return promised[few] and min(hidden) == 0 and max(hidden) > 100


def total_from_ten_on(rules: Rules = RULES) -> bool:
    counts = [
        frozen([msgspec.structs.replace(p, person_id=None) for p in copies(n)], TOTAL, rules=rules).cells[0].count
        for n in (9, 10)
    ]
    return counts[0] is None and counts[1] is not None


def thirty_people_for_a_breakdown(rules: Rules = RULES) -> bool:
    def broken_down(n: int) -> bool:
        edition = frozen(copies(n), POWERS, rules=rules)
        return any(c.count is not None for c in edition.cells if t.ALL not in c.row and c.column != t.ALL)

    return not broken_down(29) and broken_down(30)


def totals_by_themselves(rules: Rules = RULES) -> bool:
    cells = frozen(placed("quarterly", "2025-Q1", MEDIUM), POWERS, rules=rules).cells
    parts = [c.count or 0 for c in cells if c.row == (t.ALL,) and c.column != t.ALL]
    return sum(parts) != next(c.count for c in cells if (*c.row, c.column) == (t.ALL, t.ALL))


def ten_people_move_a_number(rules: Rules = RULES) -> bool:
    before = frozen(placed("quarterly", "2025-Q1", MEDIUM), TOTAL, POWERS, rules=rules)
    nine, ten = (t.revise(before, {1: before.snapshot}, [*before.snapshot, *copies(n)], KEY, rules) for n in (9, 10))
    return nine is None and ten is not None


def medians_of_thirty(rules: Rules = RULES) -> bool:
    values = [frozen(copies(n, minutes=43), MINUTES, rules=rules).cells[0].count for n in (29, 30)]
    return values == [None, 45]


def hides_more_than_hes(rules: Rules = RULES) -> bool:
    """Eight people and nobody are hidden, which Hospital Episode Statistics show."""
    edition = frozen(copies(8), POWERS, rules=rules)
    return all(c.count is None for c in edition.cells)


SENTENCES: dict[str, tuple[Check, Check]] = {
    s.READ_ME_RECORDS[0]: (ten_people_a_group, lambda: ten_people_a_group(without(count_people=False))),
    s.READ_ME_RECORDS[1]: (different_outcomes, lambda: different_outcomes(without(l=1, alpha=1.0))),
    s.READ_ME_RECORDS[2]: (gaps_without_a_reason, lambda: gaps_without_a_reason(without(decoy_rate=0.0))),
    s.READ_ME_RECORDS[3]: (shuffled, lambda: shuffled(without(shuffle=False))),
    s.READ_ME_RECORDS[4]: (each_incident_once, lambda: each_incident_once(decided=False)),
    s.READ_ME_RECORDS[5]: (
        only_some_rows_of_one_person,
        lambda: only_some_rows_of_one_person(100),
    ),
    s.READ_ME_TABLES[0]: (multiples_of_five, lambda: multiples_of_five(weaker(base=1))),
    s.READ_ME_TABLES[1]: (hidden_says_nothing_of_how_many, lambda: hidden_says_nothing_of_how_many("fewer than ten")),
    s.READ_ME_TABLES[2]: (total_from_ten_on, lambda: total_from_ten_on(weaker(minimum_people=9))),
    s.READ_ME_TABLES[3]: (
        thirty_people_for_a_breakdown,
        lambda: thirty_people_for_a_breakdown(weaker(row_minimum_people=29)),
    ),
    s.READ_ME_TABLES[4]: (totals_by_themselves, lambda: totals_by_themselves(weaker(base=1, minimum_people=0))),
    s.READ_ME_TABLES[5]: (ten_people_move_a_number, lambda: ten_people_move_a_number(weaker(hold_people=9))),
    s.READ_ME_TABLES[6]: (medians_of_thirty, lambda: medians_of_thirty(weaker(row_minimum_people=29))),
    s.READ_ME_TABLES[7]: (hides_more_than_hes, lambda: hides_more_than_hes(weaker(minimum_people=8))),
}
REQUESTS = {s.READ_ME_RECORDS[6]}
"""What a reader is asked to do, which no file can show."""


def test_every_sentence_is_checked() -> None:
    assert {*s.READ_ME_RECORDS, *s.READ_ME_TABLES} == SENTENCES.keys() | REQUESTS


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_is_true_and_would_be_false_without_its_rule(sentence: str) -> None:
    is_true, of_something_else = SENTENCES[sentence]
    assert is_true()
    assert not of_something_else()


PAGE = (Path(__file__).parents[2] / "docs" / "partners.md").read_text()


def test_the_page_says_of_hidden_cells_what_the_statement_says() -> None:
    assert s.READ_ME_TABLES[1].removeprefix("c means ").rstrip(".") in " ".join(PAGE.split())
    for page in (PAGE, (Path(__file__).parents[2] / "docs" / "disclosure.md").read_text()):
        assert "possibly none" not in page and "fewer than ten, " not in page.split("| hide |")[0]


def test_pooled_labels_mean_or_and_leave_nothing_out() -> None:
    """The page: `a|b` means "a or b", and a class you do not see may or may not have occurred."""
    labels = {part for row in quarter().rows for part in row.values[0].split(m.POOLED)}
    assert labels == set(m.AREA.classes)


def test_late_reports_have_fewer_details() -> None:
    rows = freeze("records/2025-Q2-late/1", late("quarterly", "2025-Q1", LARGE), (), KEY, config_for_late()).rows
    assert {row.values[5] for row in rows} == {m.NOT_SHOWN} != {row.values[5] for row in quarter().rows}


def test_a_period_is_right_on_average() -> None:
    """The page: multiples of five, right on average: many cells are as often too high as too low."""
    forms = [form for ladder in ladders("monthly") for form in ladder]
    errors = [
        c.count - c.n
        for name in ("2025-04", "2025-05", "2025-06", "2025-07")
        for c in t.freeze("monthly", name, forms, placed("monthly", name, LARGE), KEY).cells
        if c.count is not None
    ]
    assert len(errors) > 300 and abs(sum(errors)) < 0.3 * len(errors)


def test_months_of_a_period_are_its_own() -> None:
    period = parse_period("quarterly", "2025-Q1")
    labels = {label for row in quarter().rows for label in row.values[5].split(m.POOLED)}
    assert labels <= {*months(period), m.NOT_SHOWN}

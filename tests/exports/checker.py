"""An independent reading of what a record file promises, from its rows and the people behind them."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence


def smallest(rows: Iterable[tuple[Sequence[str], Hashable | None]], sensitive: Sequence[int]) -> tuple[int, int]:
    """k and l of a file: fewest known people, and fewest values of a sensitive column, in rows of equal labels."""
    groups = defaultdict(list)
    for values, person in rows:
        groups[tuple(values[:6])].append((values, person))
    k = min(len({person for _, person in group} - {None}) for group in groups.values())
    return k, min(len({values[i] for values, _ in group}) for group in groups.values() for i in sensitive)

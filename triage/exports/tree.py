"""How a record file decides which details a group of rows may show.

A tree in a fixed order of attributes. At each node a class of the attribute is shown where its people are many and
their outcomes mixed enough; all other classes, those that nobody belongs to included, share one label that names them
all. Where nothing would be left to show the attribute is not shown at that node and the next one is tried. So groups
are disjoint, cover every possible combination of classes, and no row is dropped.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from triage.exports import members as m
from triage.exports.catalogue import CLASSES

Attribute = Literal["area", "age_first", "sex", "age", "ethnic_group", "shift", "month"]
ORDER: Final[tuple[Attribute, ...]] = ("area", "age_first", "sex", "age", "ethnic_group", "shift", "month")
LATE_ORDER: Final[tuple[Attribute, ...]] = ("age_first", "sex", "area", "shift")


class SensitiveView(msgspec.Struct, frozen=True):
    """A sensitive column as somebody sees it: the published class of each of its values."""

    name: str
    column: Literal["power", "disposal"]
    label: Mapping[str, str]


POWER_FOR_HEALTH: Final = SensitiveView(
    "power_for_health", "power", {"s136": "s136", "arrest": "other_or_none", "other_or_none": "other_or_none"}
)
DISPOSAL_FOR_POLICE: Final = SensitiveView("disposal_for_police", "disposal", dict(m.DISPOSAL_IN_TWO))
VIEWS: Final = (
    SensitiveView("power", "power", {label: label for label in m.POWER.classes}),
    SensitiveView("disposal", "disposal", {label: label for label in m.DISPOSAL.classes}),
    POWER_FOR_HEALTH,
    DISPOSAL_FOR_POLICE,
)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of record files. A published statement carries them; another value is another policy.

    The views a coarser agreement gets are checked like the full columns: a group of half s136 and half custody is
    mixed in five disposals, and all "power used" in two.
    """

    policy: str = "records-1"
    k: int = 10
    """Known people in every group, by one kind of identifier. Somebody never identified counts as nobody: ten such rows
    may be one person.
    """
    l: int = 2  # noqa: E741 - the name of the measure
    """Different values of every sensitive view in every group."""
    alpha: Annotated[float, Meta(gt=0, le=1)] = 0.8
    """The largest share of a group that may have one harmful value."""
    harmful: tuple[str, ...] = ("s136", "custody", "hospital", "power_used")
    rows_per_person: int = 5
    """Rows of one human being in a release, shared out among the kinds of identifier in use; the others are withheld
    for good.
    """
    decoy_rate: Annotated[float, Meta(ge=0, le=1)] = 0.08
    """How often a node below the first cut of age hides an attribute for no reason at all."""
    order: tuple[Attribute, ...] = ORDER
    views: tuple[SensitiveView, ...] = VIEWS
    count_people: bool = True
    """Whether k counts people; rows otherwise."""
    pool_absent: bool = True
    """Whether classes that nobody belongs to are pooled with those too small to show."""
    shuffle: bool = True
    """Whether how the call came in is re-paired inside each group."""
    sort: bool = True
    """Whether rows leave in the order of what is published."""


CONFIG: Final = Config()


@dataclass(frozen=True, slots=True)
class KeyedChoice:
    """The key of all keyed choices of one period. It shows no key when printed.

    Every edition of a period makes the same choices: two that chose differently would together single out whom the
    limit of a person, a decoy or the shuffle touched.
    """

    key: bytes = field(repr=False)
    period: str

    def digest(self, purpose: str, *parts: str) -> bytes:
        """32 keyed bytes for one choice."""
        return hmac.digest(self.key, "\x1f".join((purpose, self.period, *parts)).encode(), "sha256")


@dataclass(slots=True)
class FinestGroup:
    """Rows that agree in every attribute, with what the rules need to know about them."""

    classes: tuple[str, ...]
    """One class for each attribute, in the order of ORDER."""
    counts: list[int]
    """How often each value of VALUES occurs."""
    people: tuple[set[UUID | int], ...] = field(default_factory=lambda: tuple(set() for _ in m.BITS))
    """At most k of its people by each kind of identifier: enough to know whether a union of groups has k by one."""
    rows: list[int] = field(default_factory=list)
    """Positions of its rows."""


class Leaf(msgspec.Struct, frozen=True):
    """One group of a release: the label of each attribute of the order, and the rows that share them."""

    labels: tuple[str, ...]
    groups: tuple[FinestGroup, ...]


class Passes:
    """The test that a set of groups may be shown as one: k people, l values, no harmful value above alpha."""

    def __init__(self, config: Config) -> None:
        self._k, self._l, self._alpha = config.k, config.l, config.alpha
        self._views = [_parts(view, config.harmful) for view in config.views]

    def __call__(self, groups: Iterable[FinestGroup]) -> bool:
        groups = list(groups)
        return self._enough_people(groups) and self._mixed(
            [sum(column) for column in zip(*(g.counts for g in groups), strict=True)]
        )

    def _enough_people(self, groups: list[FinestGroup]) -> bool:
        return any(self._enough(group.people[at] for group in groups) for at in range(len(m.BITS)))

    def _enough(self, of_groups: Iterable[set[UUID | int]]) -> bool:
        people: set[UUID | int] = set()
        for more in of_groups:
            people |= more
            if len(people) >= self._k:
                return True
        return False

    def _mixed(self, counts: list[int]) -> bool:
        for parts in self._views:
            sizes = [(sum(counts[i] for i in indexes), harmful) for indexes, harmful in parts]
            total = sum(size for size, _ in sizes)
            if sum(size > 0 for size, _ in sizes) < self._l:
                return False
            if any(harmful and size > self._alpha * total for size, harmful in sizes):
                return False
        return True


VALUES: Final = (
    *(("power", label) for label in m.POWER.classes),
    *(("disposal", label) for label in m.DISPOSAL.classes),
)
"""The values whose numbers `FinestGroup.counts` holds."""


def _parts(view: SensitiveView, harmful: tuple[str, ...]) -> list[tuple[list[int], bool]]:
    """For each value of a view: where its counts are, and whether it is harmful."""
    where: dict[str, list[int]] = {}
    for i, (column, label) in enumerate(VALUES):
        if column == view.column:
            where.setdefault(view.label[label], []).append(i)
    return [(indexes, label in harmful) for label, indexes in where.items()]


class Tree:
    """The tree of one release. `months` are all months of its period, shown in a file or not."""

    def __init__(self, config: Config, secret: KeyedChoice, months: tuple[str, ...]) -> None:
        self._config, self._secret, self._months = config, secret, months
        self._passes = Passes(config)

    def leaves(self, groups: Iterable[FinestGroup]) -> Iterator[Leaf]:
        """The groups of the release; none at all where the whole does not pass."""
        root = tuple(groups)
        if self._passes(root):
            yield from self._grow(root, ())

    def _grow(self, groups: tuple[FinestGroup, ...], labels: tuple[str, ...]) -> Iterator[Leaf]:
        if len(labels) == len(self._config.order):
            yield Leaf(labels, groups)
            return
        for label, part in self._split(groups, labels):
            yield from self._grow(part, (*labels, label))

    def _split(
        self, groups: tuple[FinestGroup, ...], labels: tuple[str, ...]
    ) -> Iterable[tuple[str, tuple[FinestGroup, ...]]]:
        attribute = self._config.order[len(labels)]
        classes = self._classes(attribute, labels)
        if len(classes) == 1:
            return [(classes[0], groups)]
        shown = {} if self._is_decoy(attribute, labels) else self._shown(attribute, classes, groups)
        if not shown:
            return [(m.NOT_SHOWN, groups)]
        return [(label, tuple(part)) for label, part in shown.items()]

    def _shown(
        self, attribute: Attribute, classes: tuple[str, ...], groups: tuple[FinestGroup, ...]
    ) -> dict[str, list[FinestGroup]]:
        """Groups by label: classes that pass alone, and the pool of all others. Empty where nothing can be shown."""
        at = ORDER.index(attribute)
        parts: dict[str, list[FinestGroup]] = {}
        for group in groups:
            parts.setdefault(group.classes[at], []).append(group)
        shown = {label: parts[label] for label in classes if label in parts and self._passes(parts[label])}
        rest = [c for c in classes if c not in shown and (c in parts or self._config.pool_absent)]
        pool = [group for label in rest for group in parts.get(label, ())]
        smallest_first = sorted(shown, key=lambda label: sum(len(g.rows) for g in shown[label]))
        while rest and shown and not self._passes(pool):
            sibling = smallest_first.pop(0)
            pool += shown.pop(sibling)
            rest.append(sibling)
        if rest and shown:
            shown[m.POOLED.join(c for c in classes if c in rest)] = pool
        return shown

    def _classes(self, attribute: Attribute, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Every class the attribute can have below these labels."""
        match attribute:
            case "age_first":
                return tuple(m.AGE_FIRST)
            case "age":
                return ages_in(labels[self._config.order.index("age_first")])
            case "month":
                return self._months
            case _:
                return CLASSES[attribute]

    def _is_decoy(self, attribute: Attribute, labels: tuple[str, ...]) -> bool:
        """Whether this node hides the attribute for no reason, so that a hidden value is no evidence of anything."""
        if len(labels) <= self._config.order.index("age_first"):
            return False
        throw = self._secret.digest("decoy", attribute, *labels)
        return int.from_bytes(throw[:8], "big") < self._config.decoy_rate * 2**64


def ages_in(label: str) -> tuple[str, ...]:
    """The age classes under a label of age, whether of the first cut or finer."""
    if label == m.NOT_SHOWN:
        return m.AGE.classes
    named = {age for part in label.split(m.POOLED) for age in m.AGE_FIRST.get(part, (part,))}
    return tuple(age for age in m.AGE.classes if age in named)

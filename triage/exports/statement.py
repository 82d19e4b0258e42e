"""The disclosure statement: what was done to a release, what that achieved, and what it cost, beside every file.

Whoever holds a file can check it: everything under `achieved` follows from the file alone (`recompute`), but for the
number of people in a group, which follows from the stored members (`people_per_group`). No figure rests on fewer than
ten people: neither the rows that still wait nor those over the limit of one person are stated.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from triage.exports import members as m
from triage.exports.catalogue import CLASSES
from triage.exports.records import GROUP_COLUMNS, SHUFFLED, RecordsRelease
from triage.exports.selection import Extract
from triage.exports.tables import RULES, Edition, Rules
from triage.exports.tree import CONFIG, Config, ages_in

SCHEMA: Final = "disclosure-statement/1"
SENSITIVE: Final = ("power", "disposal")

Share = Annotated[float, Meta(ge=0, le=1)]

READ_ME_RECORDS: Final = (
    "Every group of rows that look alike is at least ten different people.",
    "A detail is shown only where ten people share it and they had different outcomes.",
    "Some details are hidden at random, so a gap means nothing.",
    "How the call came in and how somebody travelled are shuffled among the people of a group.",
    "A period is released once and never changes; what was reported late comes in a separate file, once ten people can "
    "share it.",
    "Of somebody seen often only some rows are here.",
    "This is a controlled file for the purpose above: do not publish rows of it or join it with other records of "
    "people.",
)
READ_ME_TABLES: Final = (
    "Every number is rounded up or down to a multiple of five by a fixed secret die, so it is at most four away.",
    "c means not shown: too few different known people, or too few incidents; it says nothing about how many.",
    "The number of all incidents is shown from ten incidents on, whoever they concerned.",
    "In a row of fewer than thirty different known people every breakdown is c.",
    "A total is rounded by itself and need not equal the sum of its parts.",
    "A published number changes only in a new edition, and only when at least ten people in that very cell changed.",
    "Medians are rounded to five minutes, and shown for thirty different known people or more.",
    "Hospital Episode Statistics hide 1 to 7 and round the rest to the nearest five; these tables hide more, zero "
    "included, and round at random.",
)


class ReleaseTerms(msgspec.Struct, frozen=True):
    """The facts known to whoever cuts the release: the agreement, the cut-off, and the CSV file all figures are of."""

    agreement: str
    purpose: str
    cut_off: datetime
    file: str
    sha256: str
    supersedes: str | None = None


class RecordRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of record files that were in force."""

    k_people: Annotated[int, Meta(ge=10)]
    l_distinct: Annotated[int, Meta(ge=2)]
    alpha_max_share: Annotated[float, Meta(gt=0, le=0.8)]
    harmful_values: tuple[str, ...]
    rows_per_person_max: Annotated[int, Meta(ge=1)]
    decoy_rate: Share
    attribute_order: tuple[str, ...]
    sensitive_views: tuple[str, ...]
    shuffled_within_group: tuple[str, ...]


class TableRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parameters of protected tables that were in force."""

    minimum_people_in_cell: Annotated[int, Meta(ge=10)]
    row_breakdown_minimum_people: Annotated[int, Meta(ge=30)]
    largest_person_share: Annotated[float, Meta(gt=0, le=0.5)]
    rounding_base: Annotated[int, Meta(ge=5)]
    revision_moves_a_cell_only_if_people_changed: Annotated[int, Meta(ge=10)]
    admission_share: Share
    zero_looks_like_small: bool


class FileFigures(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Figures that the rows alone give anybody. Maps are by sensitive column; an absent column has no figure."""

    rows: int
    groups: int
    k_rows: int
    l: dict[str, int]  # noqa: E741 - the name of the measure
    """Fewest different values in a group."""
    alpha: dict[str, Share]
    """Largest share of a harmful value in a group."""
    t: dict[str, Share]
    """Largest distance of a group's distribution from the whole file's (total variation)."""
    largest_chance_of_the_right_row: Share
    mean_chance_of_the_right_row: Share


class RecordsAchieved(FileFigures, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """With the figures that need the stored members."""

    k_people: int
    largest_chance_of_naming_the_right_person: Share
    mean_chance_of_naming_the_right_person: Share


class RecordsWithheld(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Withheld values, as shares of rows by column. Numbers that would rest on a few people are not stated."""

    values_pooled: dict[str, Share]
    values_not_shown: dict[str, Share]
    rows_by_repeat_cap: Literal["not stated"] = "not stated"
    rows_held_for_next_late_file: Literal["not stated"] = "not stated"


class RecordsUtility(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cost of protection: 0 is exact, 1 is nothing left."""

    information_lost: dict[str, Share]
    average_group_size: float


class TablesAchieved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Figures that anybody can recompute from the cells alone. `smallest_shown` is None where everything is hidden."""

    cells: int
    cells_shown: int
    smallest_shown: int | None


class TablesWithheld(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cells published as `c`."""

    cells_withheld: int


class TablesUtility(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The error of a shown count: at most, and on average over all remainders."""

    max_cell_error: int
    expected_cell_error: float


class _Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="dataset"):
    schema: Literal["disclosure-statement/1"] = SCHEMA
    release: str
    policy: str
    unit_protected: Literal["person"] = "person"
    cut_off: datetime
    supersedes: str | None
    agreement: str
    purpose: str
    file: str
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    read_me: tuple[str, ...]


class RecordsStatement(_Statement, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="records"):
    """Of a record file, main or late. `file` and `sha256` are those of the CSV that the figures are of."""

    kind: Literal["records", "records-late"]
    rules: RecordRules
    achieved: RecordsAchieved
    withheld: RecordsWithheld
    utility: RecordsUtility


class TablesStatement(_Statement, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="tables"):
    """Of the protected tables of a period."""

    kind: Literal["tables"] = "tables"
    rules: TableRules
    achieved: TablesAchieved
    withheld: TablesWithheld
    utility: TablesUtility


ReleaseStatement = RecordsStatement | TablesStatement


def schema() -> bytes:
    """The JSON Schema (2020-12) of a statement, as committed in openapi/disclosure-statement.schema.json."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Disclosure statement",
        "description": "Shipped with every release of protected records or tables.",
        **msgspec.json.schema(ReleaseStatement),
    }
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


def records_statement(
    release: RecordsRelease,
    extract: Extract,
    people: Mapping[UUID, m.RegisteredPerson | None],
    terms: ReleaseTerms,
    config: Config = CONFIG,
) -> RecordsStatement:
    """The statement of one agreement's record file. `people` tells the person of every released incident."""
    from_file = recompute(extract.columns, extract.rows, config.harmful)
    groups = people_per_group(release, extract, people)
    shown = _shown(extract)
    k_people = min((group.people for group in groups), default=0)
    # whoever was never identified may be one person
    chances = sum(group.rows / max(group.people, 1) for group in groups)
    return RecordsStatement(
        release=release.name,
        policy=release.policy,
        **msgspec.structs.asdict(terms),
        read_me=READ_ME_RECORDS,
        kind="records" if release.months else "records-late",
        rules=_record_rules(config),
        achieved=RecordsAchieved(
            **msgspec.structs.asdict(from_file),
            k_people=k_people,
            largest_chance_of_naming_the_right_person=_share(1, k_people),
            mean_chance_of_naming_the_right_person=_share(chances, len(extract.rows)),
        ),
        withheld=_withheld(shown, from_file.rows),
        utility=RecordsUtility(_lost(release, shown), round(from_file.rows / (from_file.groups or 1), 1)),
    )


def tables_statement(edition: Edition, terms: ReleaseTerms, rules: Rules = RULES) -> TablesStatement:
    """The statement of the protected tables of a period."""
    errors = [2 * rest * (rules.base - rest) / rules.base for rest in range(rules.base)]
    achieved = recompute_cells(cell.count for cell in edition.cells)
    return TablesStatement(
        release=f"tables/{edition.period}/{edition.edition}",
        policy=edition.policy,
        **msgspec.structs.asdict(terms),
        read_me=READ_ME_TABLES,
        rules=TableRules(
            minimum_people_in_cell=rules.minimum_people,
            row_breakdown_minimum_people=rules.row_minimum_people,
            largest_person_share=rules.largest_share,
            rounding_base=rules.base,
            revision_moves_a_cell_only_if_people_changed=rules.hold_people,
            admission_share=rules.admission,
            zero_looks_like_small=rules.hide_zero,
        ),
        achieved=achieved,
        withheld=TablesWithheld(achieved.cells - achieved.cells_shown),
        utility=TablesUtility(rules.base - 1, round(sum(errors) / rules.base, 2)),
    )


def recompute(
    columns: Sequence[str], rows: Iterable[Sequence[str]], harmful: Iterable[str] = CONFIG.harmful
) -> FileFigures:
    """The figures of a record file from its rows alone, as its reader would compute them."""
    sensitive = [column for column in SENSITIVE if column in columns]
    groups = _by_label(columns, rows, sensitive)
    sizes = [group.total() for group in groups]
    values = {column: [_of_one(group, at) for group in groups] for at, column in enumerate(sensitive)}
    return FileFigures(
        rows=sum(sizes),
        groups=len(groups),
        k_rows=min(sizes, default=0),
        l={column: min(map(len, counts), default=0) for column, counts in values.items()},
        alpha={c: max((_worst_share(group, harmful) for group in counts), default=0.0) for c, counts in values.items()},
        t={column: _distance(counts) for column, counts in values.items()},
        largest_chance_of_the_right_row=_share(1, min(sizes, default=0)),
        mean_chance_of_the_right_row=_share(len(groups), sum(sizes)),
    )


def recompute_cells(counts: Iterable[int | None]) -> TablesAchieved:
    """The figures of published tables from their counts alone; None is `c`."""
    cells = list(counts)
    shown = [count for count in cells if count is not None]
    return TablesAchieved(len(cells), len(shown), min(shown, default=None))


class ShownGroup(msgspec.Struct, frozen=True):
    """A group as an extract shows it: its rows, and the known people behind them."""

    rows: int
    people: int


def people_per_group(
    release: RecordsRelease, extract: Extract, people: Mapping[UUID, m.RegisteredPerson | None]
) -> tuple[ShownGroup, ...]:
    """Every group of a file with its people, from the stored members."""
    behind: dict[tuple[str, ...], list[m.RegisteredPerson | None]] = {}
    for label, number in zip(_labels(extract.columns, extract.rows), extract.numbers, strict=True):
        behind.setdefault(label, []).append(people[release.rows[number].incident_id])
    return tuple(ShownGroup(len(group), m.count_people(group)) for group in behind.values())


# --- from rows to figures


def _picked(columns: Sequence[str], rows: Iterable[Sequence[str]], wanted: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Some columns of every row."""
    at = [columns.index(column) for column in wanted]
    return map(itemgetter(*at), rows) if len(at) > 1 else (tuple([row[i] for i in at]) for row in rows)


def _labels(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The group columns of every row."""
    return _picked(columns, rows, [column for column in GROUP_COLUMNS if column in columns])


def _by_label(
    columns: Sequence[str], rows: Iterable[Sequence[str]], sensitive: Sequence[str]
) -> list[Counter[tuple[str, ...]]]:
    """For every group how often its rows have which sensitive values."""
    shown = [column for column in GROUP_COLUMNS if column in columns]
    groups: dict[tuple[str, ...], Counter[tuple[str, ...]]] = {}
    # few rows of a large file are different
    for row, n in Counter(_picked(columns, rows, [*shown, *sensitive])).items():
        groups.setdefault(row[: len(shown)], Counter())[row[len(shown) :]] += n
    return list(groups.values())


def _of_one(group: Counter[tuple[str, ...]], at: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for values, n in group.items():
        counts[values[at]] += n
    return counts


def _worst_share(values: Counter[str], harmful: Iterable[str]) -> float:
    return _share(max(values[value] for value in harmful), values.total())


def _distance(groups: list[Counter[str]]) -> float:
    whole: Counter[str] = sum(groups, Counter())
    return round(
        max(
            (sum(abs(g[v] / g.total() - whole[v] / whole.total()) for v in whole) / 2 for g in groups),
            default=0.0,
        ),
        4,
    )


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0


def _record_rules(config: Config) -> RecordRules:
    return RecordRules(
        k_people=config.k,
        l_distinct=config.l,
        alpha_max_share=config.alpha,
        harmful_values=config.harmful,
        rows_per_person_max=config.rows_per_person,
        decoy_rate=config.decoy_rate,
        attribute_order=config.order,
        sensitive_views=tuple(view.name for view in config.views),
        shuffled_within_group=SHUFFLED if config.shuffle else (),
    )


def _withheld(shown: dict[str, Counter[str]], rows: int) -> RecordsWithheld:
    return RecordsWithheld(
        {c: _share(sum(n for label, n in counts.items() if m.POOLED in label), rows) for c, counts in shown.items()},
        {c: _share(counts[m.NOT_SHOWN], rows) for c, counts in shown.items()},
    )


def _lost(release: RecordsRelease, shown: dict[str, Counter[str]]) -> dict[str, float]:
    """For every group column: how many classes a label leaves open, of all but one; the mean over rows."""
    lost = {}
    for column, counts in shown.items():
        classes = CLASSES.get(column, release.months)
        wide = {label: _open(column, label, len(classes)) for label in counts}
        lost[column] = _share(sum(wide[label] * n for label, n in counts.items()), counts.total())
    return lost


def _open(column: str, label: str, classes: int) -> float:
    if label == m.NOT_SHOWN:
        return 1.0
    named = len(ages_in(label)) if column == "age" else len(label.split(m.POOLED))
    return (named - 1) / (classes - 1) if classes > 1 else 0.0


def _shown(extract: Extract) -> dict[str, Counter[str]]:
    """How often every group column has which label."""
    columns = [column for column in GROUP_COLUMNS if column in extract.columns]
    groups = Counter(_labels(extract.columns, extract.rows))
    return {column: _of_one(groups, at) for at, column in enumerate(columns)}

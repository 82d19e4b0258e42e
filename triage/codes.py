"""Dated code lists: which codes exist, since when, until when, and what a retired one is read as.

The data is `codes.toml` beside this module. An owner may put another file in force at start (`TRIAGE_CODE_LISTS`), as
long as every code shipped here is still in it: rules name codes, and stored entries hold them. So a code is retired,
never removed, and an entry of any version of the lists can be read for ever.

A list's objects stay the same through `load`, so whoever holds one sees what is in force.
"""

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

Availability = Literal["yes", "no", "disputed", "depends", "unresolved"]
"""Whether s136 reaches a kind of place; `depends` on whether somebody lives there."""


Power = Literal["s136", "s135"]
"""A power of the Mental Health Act 1983 under which a person is taken to a place of safety, or kept there."""

SHORT = 18
"""The longest short label, in characters."""


class Code(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One code. `valid_to` is its last day; `check` marks a fact not confirmed in a primary source; `short` is the
    label in at most 18 characters.

    The rest are attributes of single lists, and what the rules ask of a code. `nhs`: the NHS code. `group`: the group
    in publications. `youngest`, `oldest`: in years, inclusive. `available`: whether s136 reaches a place.
    `local_authority`: what an area rolls up to (none: outside every local rate). `authorises_station`: a rank that may
    authorise a police station as a place of safety. `power`: the power that a disposal or a status exercises.
    `in_place_of_s136`: the line of DIV-1 for a first disposal that is no diversion. `voluntary_route`, `avoids_ed`: as
    DIV-1 asks. `event`: what it tells of the person afterwards. `legal_status`: the status in which a disposal or a
    result leaves the person. `held`: a status under which a person is held; `rules_out_s136`: one that leaves no room
    for s136. `first_sign`: a detention event that opens an episode; `puts_in_place`: one that puts the person in a
    place. `shown_to_police`: a follow-up that police see whoever wrote it. `heard_the_person`: an assessment on which a
    judgement can rest. `recorded`: evidence made at the time by itself. `arrest`: an intent to arrest.
    """

    code: str
    label: str
    short: str
    valid_from: date
    valid_to: date | None
    replaced_by: str | None
    missing: bool = False
    check: bool = False
    nhs: str | None = None
    group: str | None = None
    available: Availability | None = None
    local_authority: str | None = None
    youngest: int | None = None
    oldest: int | None = None
    authorises_station: bool = False
    power: Power | None = None
    in_place_of_s136: Literal["substituted", "not_safe", "not_seen"] | None = None
    voluntary_route: bool = False
    avoids_ed: bool = False
    event: str | None = None
    legal_status: str | None = None
    held: bool = False
    rules_out_s136: bool = False
    first_sign: bool = False
    puts_in_place: bool = False
    shown_to_police: bool = False
    heard_the_person: bool = False
    recorded: bool = False
    arrest: bool = False


class ListVersion(Struct, frozen=True):
    """A version of the lists as a whole, with the day it came into force."""

    version: int
    valid_from: date
    note: str


class Population(Struct, frozen=True, omit_defaults=True):
    """The denominator of a rate: people living in a local authority in mid-year or at a census."""

    local_authority: str
    year: int
    persons: int
    source: str
    check: bool = False


class CodeList:
    """One list.

    `codes` holds every code of every version; `accepted` also None, which is what a field that is not recorded holds;
    `missing` the coded missing values; `ending` the codes with a last day or a replacement; `replaced` maps a replaced
    code to the one it is read as today.
    """

    __slots__ = ("_having", "accepted", "codes", "ending", "missing", "name", "replaced")

    def __init__(self, name: str) -> None:
        self.name = name
        self.codes: dict[str, Code] = {}
        self.accepted: set[str | None] = {None}
        self.missing: set[str] = set()
        self.ending: dict[str, Code] = {}
        self.replaced: dict[str, str] = {}
        self._having: dict[str, frozenset[str]] = {}

    def __contains__(self, code: object) -> bool:
        return code in self.codes

    def __getitem__(self, code: str) -> Code:
        return self.codes[code]

    def get(self, code: str | None) -> Code | None:
        """The code, if it is in any version of the list; a newer version of the service may have stored others."""
        return None if code is None else self.codes.get(code)

    def having(self, attribute: str) -> frozenset[str]:
        """The codes with this attribute, retired ones too."""
        if attribute not in self._having:
            self._having[attribute] = frozenset(row.code for row in self.codes.values() if getattr(row, attribute))
        return self._having[attribute]

    def __iter__(self) -> Iterator[Code]:
        return iter(self.codes.values())

    def fill(self, codes: Mapping[str, Code]) -> None:
        """Put these codes in force; the containers stay the same objects."""
        for container in (self.codes, self.accepted, self.missing, self.ending, self.replaced, self._having):
            container.clear()
        self.codes.update(codes)
        self.accepted.update(codes, (None,))
        self.missing.update(code for code, row in codes.items() if row.missing)
        self.ending.update({code: row for code, row in codes.items() if row.valid_to or row.replaced_by})
        self.replaced.update({code: _last(codes, row) for code, row in codes.items() if row.replaced_by})


class Document(Struct, frozen=True):
    """The file, and what `GET /v1/codes` answers."""

    versions: tuple[ListVersion, ...]
    lists: dict[str, tuple[Code, ...]]
    populations: tuple[Population, ...] = ()
    version: int = 0


SHIPPED = Path(__file__).with_suffix(".toml")

version: int
"""The number of the newest version of the lists."""

versions: tuple[ListVersion, ...]
"""Every version, oldest first."""

populations: tuple[Population, ...]
"""Denominators of rates; an authority without a row has no rate."""

_lists: dict[str, CodeList] = {}
_changed: dict[str, CodeList] = {}
_shipped: dict[str, frozenset[str]] = {}
_document: Document
_served: bytes
_digest: bytes


def load(path: Path = SHIPPED) -> None:
    """Put the lists of this file in force.

    Raises ValueError, naming what is wrong, for a file that is not of the documented form, that lacks a code shipped
    here, or that replaces a code by one it does not have.
    """
    document = _read(path)
    _refuse_lost_codes(document)
    _put(document)


@contextmanager
def reading(given_out: bytes) -> Iterator[None]:
    """Put lists of another time in force for the block, from what `document` gave out then: to compute as they did.

    The whole process sees them: not for one that serves, nor across an await.
    """
    in_force = _document
    _put(msgspec.json.decode(given_out, type=Document))
    try:
        yield
    finally:
        _put(in_force)


def _put(document: Document) -> None:
    global version, versions, populations, _document, _served, _digest
    for name, rows in document.lists.items():
        _lists.setdefault(name, CodeList(name)).fill({row.code: row for row in rows})
    _changed.clear()
    _changed.update((name, rows) for name, rows in _lists.items() if rows.ending)
    version, versions, populations = document.version, document.versions, document.populations
    _document = document
    _served = msgspec.json.encode(document, order="sorted")
    _digest = sha256(_served).digest()


def list(name: str) -> CodeList:
    """The list of this name. Raises KeyError for a name that is none."""
    return _lists[name]


def names() -> tuple[str, ...]:
    """The names of all lists."""
    return tuple(_lists)


def changed() -> Mapping[str, CodeList]:
    """The lists in which a code has ended or was replaced."""
    return _changed


def current(name: str, code: str) -> str:
    """The code this one is read as today: itself, unless it was replaced."""
    return _lists[name].replaced.get(code, code)


def is_missing(name: str, code: str | None) -> bool:
    """Whether this says that nothing is known: not recorded, or a coded missing value."""
    return code is None or code in _lists[name].missing


def short(name: str, code: str) -> str | None:
    """The label of a code in at most 18 characters; None for one that the list does not know."""
    listed = _lists[name].get(code)
    return listed.short if listed else None


def retired(name: str, code: str, on: date) -> bool:
    """Whether the code was replaced, or its last day was before `on`."""
    row = _lists[name].ending.get(code)
    return row is not None and (row.replaced_by is not None or (row.valid_to is not None and row.valid_to < on))


def document() -> bytes:
    """All lists as canonical JSON: the same lists give the same bytes on every replica, for a strong ETag."""
    return _served


def digest() -> bytes:
    """SHA-256 of all lists: a version says which they should be, this which they are."""
    return _digest


def _read(path: Path) -> Document:
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        first = min(row["valid_from"] for row in raw["versions"])
        missing_keys = {"valid_from": first, "valid_to": None, "replaced_by": None}
        raw["lists"] = {
            name: [missing_keys | {"code": code, "short": row["label"]} | row for code, row in rows.items()]
            for name, rows in raw["lists"].items()
        }
        raw["version"] = max(row["version"] for row in raw["versions"])
        _refuse_unknown_names(raw)
        document = msgspec.convert(raw, Document)
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        raise ValueError(f"code lists in {path}: {fault}") from fault
    for name, rows in document.lists.items():
        _check_list(name, rows)
    return document


def _refuse_unknown_names(raw: dict[str, Any]) -> None:
    """Only of a file that an owner wrote: what a newer version of the service kept may hold more than is known here."""
    known = ((Document, [raw]), (ListVersion, raw["versions"]), (Population, raw.get("populations", ())))
    for kind, rows in (*known, *((Code, rows) for rows in raw["lists"].values())):
        for row in rows:
            if unknown := row.keys() - set(kind.__struct_fields__):
                raise ValueError(f"nothing here is called {', '.join(sorted(unknown))}")


def _check_list(name: str, rows: tuple[Code, ...]) -> None:
    codes = {row.code: row for row in rows}
    for row in rows:
        _last(codes, row, name)
        if len(row.short) > SHORT:
            raise ValueError(f"code list {name}: the short label of {row.code} is longer than {SHORT} characters")


def _last(codes: Mapping[str, Code], row: Code, name: str = "") -> str:
    """The end of a chain of replacements. Raises ValueError where it leads nowhere or in a circle."""
    passed = {row.code}
    while row.replaced_by is not None:
        if row.replaced_by not in codes or row.replaced_by in passed:
            raise ValueError(f"code list {name}: {row.code} is replaced by no other code of the list")
        row = codes[row.replaced_by]
        passed.add(row.code)
    return row.code


def _refuse_lost_codes(document: Document) -> None:
    for name, shipped in _shipped.items():
        lost = shipped - {row.code for row in document.lists.get(name, ())}
        if lost:
            raise ValueError(f"code list {name} lacks {', '.join(sorted(lost))}: a code is retired, never removed")
    unknown = set(document.lists) - set(_shipped)
    if _shipped and unknown:
        raise ValueError(f"code lists of unknown names: {', '.join(sorted(unknown))}")


load()
_shipped.update((name, frozenset(rows.codes)) for name, rows in _lists.items())

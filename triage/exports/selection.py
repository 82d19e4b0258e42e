"""The part of a frozen release that one agreement gets: some columns and whole published areas, rendered once.

There is no other filter. A row belongs to a selection only when every area its label names is selected, so a selection
is a union of whole groups and two selections differ by whole groups.
"""

import hmac
from itertools import groupby
from operator import attrgetter
from typing import Final, Literal

import msgspec

from triage.exports import members as m
from triage.exports.records import COLUMNS, RecordsRelease
from triage.exports.tree import DISPOSAL_FOR_POLICE, POWER_FOR_HEALTH, SensitiveView

Body = Literal["police", "health", "other"]
ROW_REF: Final = "row_ref"


class Selection(msgspec.Struct, frozen=True):
    """The part of an agreement that shapes its files: the partner's id, what kind of body it is, columns and areas."""

    partner: str
    body: Body
    columns: tuple[str, ...] = (ROW_REF, *COLUMNS)
    areas: tuple[str, ...] = m.AREA.classes


class Extract(msgspec.Struct, frozen=True):
    """The rows of one agreement's file in order. `numbers` tells the ledger which frozen row each of them is."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]


# What a body already knows would let it name people: the police know each use of a power and where it led, the trust
# would learn of its patients' arrests
_WITHOUT: Final[dict[Body, frozenset[str]]] = {
    "police": frozenset({"place_of_safety"}),
    "health": frozenset(),
    "other": frozenset(),
}
COARSER: Final[dict[Body, SensitiveView | None]] = {
    "police": DISPOSAL_FOR_POLICE,
    "health": POWER_FOR_HEALTH,
    "other": None,
}
"""The coarser view of a sensitive column that a kind of body gets, if any."""


def faults(selection: Selection) -> tuple[str, ...]:
    """The names that no release has, or that this kind of body never gets. None: an agreement may say so."""
    columns = columns_for(selection.body)
    return (
        *(c for c in selection.columns if c not in columns),
        *(a for a in selection.areas if a not in m.AREA.classes),
    )


def columns_for(body: Body) -> tuple[str, ...]:
    """Every column that a kind of body may get."""
    return tuple(c for c in (ROW_REF, *COLUMNS) if c not in _WITHOUT[body])


def extract(release: RecordsRelease, selection: Selection, key: bytes) -> Extract:
    """The file of one agreement, in an order of its own. Raises ValueError for a selection with faults.

    Equal rows are ordered by their reference, which is keyed by partner and release: neither the order nor anything
    else of one partner's file leads to a row of another's.
    """
    if refused := faults(selection):
        raise ValueError(f"not in a release, or not for a {selection.body} body: {', '.join(refused)}")
    columns = tuple(c for c in (ROW_REF, *COLUMNS) if c in selection.columns)
    at = [COLUMNS.index(c) for c in columns if c != ROW_REF]
    view = COARSER[selection.body]
    coarse = COLUMNS.index(view.column) if view else -1
    reference_key = key_for(key, selection.partner, release.name)
    selected, areas = [], _selected_areas(release, selection)
    # equal rows follow one another and share one tuple of values
    for whole, alike in groupby(release.rows, attrgetter("values")):
        if whole[0] in areas:
            values = tuple([view.label[whole[i]] if view and i == coarse else whole[i] for i in at])
            selected += [(values, reference(reference_key, row.number), row.number) for row in alike]
    selected.sort()
    first = ROW_REF in columns
    return Extract(
        columns,
        tuple([(ref, *values) if first else values for values, ref, _ in selected]),
        tuple([number for _, _, number in selected]),
    )


def key_for(key: bytes, partner: str, release: str) -> bytes:
    """The key of one partner's references in one release."""
    return hmac.digest(key, f"{partner}|{release}".encode(), "sha256")


def reference(key: bytes, number: int) -> str:
    """12 bytes in hex by which a partner can ask about a row. It says nothing about the row or the person.

    The letter in front keeps a spreadsheet from reading digits and an e as a number.
    """
    return "r" + hmac.digest(key, number.to_bytes(8, "big"), "sha256")[:12].hex()


def _selected_areas(release: RecordsRelease, selection: Selection) -> set[str]:
    """The published area labels all of whose areas are selected; `*` names them all."""
    chosen = set(selection.areas)
    labels = {row.values[0] for row in release.rows}
    return {
        label
        for label in labels
        if chosen.issuperset(m.AREA.classes if label == m.NOT_SHOWN else label.split(m.POOLED))
    }

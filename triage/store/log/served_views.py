"""Views of incidents as served, remembered while nothing changes them: the phones of a team ask for the same."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import msgspec

from triage.access.actors import Level, Side
from triage.log.view import IncidentView

REMEMBERED_BYTES: Final = 16 << 20
"""Of all teams together: some 6,000 views."""
BESIDE_BODY: Final = 700
"""Bytes that a view takes beside its body, about."""

_decode_view = msgspec.json.Decoder(IncidentView).decode


class IncidentVersion(NamedTuple):
    """Which of an incident's two rows an actor reads, and where it last changed."""

    root: UUID
    blind: bool
    seq: int


class ServedView(NamedTuple):
    """A view as served, and from when to when it is what it is; `shows_intent_of`: of which ids it shows an intent."""

    seq: int
    body: bytes
    flags: tuple[str, ...]
    status: str
    since: datetime
    until: datetime
    shows_intent_of: tuple[UUID, ...]

    @property
    def view(self) -> IncidentView:
        """The view, read back."""
        return _decode_view(self.body)


class ReaderGroup(NamedTuple):
    """Those of a team who see the same of a row."""

    team_id: UUID
    side: Side | None
    level: Level


class ServedViews:
    """The remembered views, within so many bytes: who has not asked for the longest time loses the oldest first."""

    def __init__(self, limit: int = REMEMBERED_BYTES) -> None:
        self._limit = limit
        self._views: OrderedDict[ReaderGroup, dict[tuple[UUID, bool], ServedView]] = OrderedDict()
        self.bytes = 0
        """The bytes that the views take now, about."""

    def find(
        self, readers: ReaderGroup, versions: Iterable[IncidentVersion], now: datetime
    ) -> tuple[dict[UUID, ServedView], list[IncidentVersion]]:
        """The views of these versions by incident, and the versions of which none is remembered that holds now."""
        remembered = self._views.get(readers, {})
        if remembered:
            self._views.move_to_end(readers)
        views: dict[UUID, ServedView] = {}
        missing = []
        for version in versions:
            view = remembered.get((version.root, version.blind))
            if view and view.seq == version.seq and view.since <= now < view.until:
                views[version.root] = view
            else:
                missing.append(version)
        return views, missing

    def remember(self, readers: ReaderGroup, version: IncidentVersion, view: ServedView) -> None:
        """Remember a view instead of an earlier one of the same incident."""
        remembered = self._views.setdefault(readers, {})
        row = version.root, version.blind
        before = remembered.get(row)
        if before and before.seq > view.seq:
            return
        if before:
            del remembered[row]
            self.bytes -= _size(before)
        remembered[row] = view
        self.bytes += _size(view)
        self._views.move_to_end(readers)
        while self.bytes > self._limit:
            self._forget_one()

    def _forget_one(self) -> None:
        readers, remembered = next(iter(self._views.items()))
        self.bytes -= _size(remembered.pop(next(iter(remembered))))
        if not remembered:
            del self._views[readers]


def _size(view: ServedView) -> int:
    return len(view.body) + BESIDE_BODY

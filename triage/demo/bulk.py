"""A log of any size for the benches: months of `triage.demo.months`, told once and copied under new ids and dates."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

from msgspec import Struct

from triage.demo.cast import CAST
from triage.demo.months import incidents
from triage.demo.phone import DemoEntry, uuid7_number
from triage.log.canonical import canonical

WINDOW_DAYS = 30
TOLD_ON = date(2024, 1, 1)
"""When the told month starts: its callers have the ages of the present, whatever year it is copied into."""
_WINDOW = timedelta(days=WINDOW_DAYS)
_DAY_MS = timedelta(days=1) // timedelta(milliseconds=1)
_SLOT = re.compile(
    rb"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    rb'|BP-(?P<day>[0-9]{8})-(?P<number>[0-9]{4})|(?<=")(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})(?=[T"])'
)


class EntryCopy(Struct, frozen=True, gc=False):
    """An entry as it came in; `body` is its canonical coded body as it is stored, without the id."""

    author: str
    device: int
    sent_at: datetime
    skew_ms: int
    id: UUID
    incident_id: UUID
    kind: str
    body: bytes


class DateTexts(dict[int, bytes]):
    """Days by their ordinal, as they are written."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def __missing__(self, ordinal: int) -> bytes:
        self[ordinal] = date.fromordinal(ordinal).strftime(self._form).encode()
        return self[ordinal]


_DATES = DateTexts("%Y-%m-%d")
_DAYS = DateTexts("%Y%m%d")


class EntryTemplate(Struct, frozen=True):
    """An entry with holes: `text` is a %-format, `holes` says what each hole is filled with."""

    sent: DemoEntry
    rank: int
    """The place of its incident among those told."""
    late: bool
    """Received after the window's end, so between the entries of the next one."""
    kind: str
    text: bytes
    holes: tuple[tuple[str, int], ...]
    id: int
    incident_id: int


class CopyIds:
    """The ids of one copy of a window, made as they are met; each keeps the instant of the one it stands for."""

    def __init__(self, rng: Random, originals: list[UUID], later_ms: int) -> None:
        self._rng, self._originals, self._later_ms = rng, originals, later_ms
        self._numbers: list[int] = [0] * len(originals)
        self._texts: list[bytes] = [b""] * len(originals)

    def number(self, index: int) -> int:
        """The id's 128 bits."""
        if not self._numbers[index]:
            made = (self._originals[index].int >> 80) + self._later_ms
            self._numbers[index] = uuid7_number(self._rng, made % (1 << 48))
        return self._numbers[index]

    def text(self, index: int) -> bytes:
        """The id as it is written."""
        if not self._texts[index]:
            hex32 = b"%032x" % self.number(index)
            self._texts[index] = b"-".join((hex32[:8], hex32[8:12], hex32[12:16], hex32[16:20], hex32[20:]))
        return self._texts[index]


class CopyWindow(Struct, frozen=True, kw_only=True):
    """Copies of the `told` incidents; the last copy holds only some, going on where the window before left off."""

    later: int
    """Days after the told month."""
    first: int
    wanted: int
    told: int
    ids: list[CopyIds]

    def copies(self, rank: int) -> list[CopyIds]:
        """The copies that hold the incident of this rank."""
        whole, rest = divmod(self.wanted, self.told)
        return self.ids[: whole + ((rank - self.first) % self.told < rest)]


def bulk(n_incidents: int, years: float, seed: int = 1, starts: date = TOLD_ON) -> Iterator[EntryCopy]:
    """Exactly `n_incidents` incidents spread evenly over so many years, about six entries each, in order of receipt.

    One told month is copied into windows of 30 days, as often as it takes. Copies differ in ids, dates and log
    references, not in what happened: enough for speed and size, not for statistics. A person calls in one window only,
    and nothing runs beyond its window but what a few days end.
    """
    rng = Random(f"{seed}/bulk")
    told = list(incidents(CAST, TOLD_ON, WINDOW_DAYS, seed=seed))
    rng.shuffle(told)
    originals: dict[UUID, int] = {}
    ends = datetime.combine(TOLD_ON, datetime.min.time(), UTC) + _WINDOW
    templates = [_template(entry, rank, ends, originals) for rank, of_one in enumerate(told) for entry in of_one]
    templates.sort(key=lambda template: template.sent.sent_at - template.late * _WINDOW)
    n_windows = max(1, round(years * 365.25 / WINDOW_DAYS))
    before = CopyWindow(later=0, first=0, wanted=0, told=len(told), ids=[])
    for number in range(n_windows + 1):
        first, last = (min(n_incidents, n_incidents * n // n_windows) for n in (number, number + 1))
        n_copies = -(-(last - first) // len(told))
        later = (starts - TOLD_ON).days + number * WINDOW_DAYS
        ids = [CopyIds(rng, list(originals), later * _DAY_MS) for _ in range(n_copies)]
        now = CopyWindow(later=later, first=first, wanted=last - first, told=len(told), ids=ids)
        for template in templates:
            window = before if template.late else now
            for n, copy in enumerate(window.copies(template.rank)):
                yield _filled(template, copy, n, window.later)
        before = now


def _template(sent: DemoEntry, rank: int, ends: datetime, originals: dict[UUID, int]) -> EntryTemplate:
    holes: list[tuple[str, int]] = []

    def dig(slot: re.Match[bytes]) -> bytes:
        match slot.lastgroup:
            case "id":
                holes.append(("id", originals.setdefault(UUID(slot[0].decode()), len(originals))))
                return b"%b"
            case "number":
                holes.append(("day", date.fromisoformat(slot["day"].decode()).toordinal()))
                holes.append(("number", int(slot["number"])))
                return b"BP-%b-%05d"
        holes.append(("date", date.fromisoformat(slot["date"].decode()).toordinal()))
        return b"%b"

    entry = sent.entry
    assert entry.id
    text = _SLOT.sub(dig, canonical(entry).body.replace(b"%", b"%%"))
    return EntryTemplate(
        sent=sent,
        rank=rank,
        late=sent.sent_at >= ends,
        kind=str(entry.__struct_config__.tag),
        text=text,
        holes=tuple(holes),
        id=originals.setdefault(entry.id, len(originals)),
        incident_id=originals[entry.incident_id],
    )


def _filled(template: EntryTemplate, ids: CopyIds, copy: int, later: int) -> EntryCopy:
    fillings: list[bytes | int] = []
    for hole, value in template.holes:
        match hole:
            case "id":
                fillings.append(ids.text(value))
            case "date":
                fillings.append(_DATES[value + later])
            case "day":
                fillings.append(_DAYS[value + later])
            case _:
                fillings.append(value + 1_000 * (copy % 90))
    sent = template.sent
    return EntryCopy(
        sent.author,
        sent.device,
        sent.sent_at + timedelta(days=later, milliseconds=copy),
        sent.skew_ms,
        UUID(int=ids.number(template.id)),
        UUID(int=ids.number(template.incident_id)),
        template.kind,
        template.text % tuple(fillings),
    )

"""A team's log over any stretch of time: ordinary days, the set pieces of a month, and what is running at the end."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from math import sqrt
from random import Random
from uuid import UUID

from triage import times
from triage.demo.cast import Callers, Cast
from triage.demo.corrections import correct
from triage.demo.entries import write_entries
from triage.demo.incident import Scenario, draw
from triage.demo.phone import DemoEntry, OnDuty, Recorder
from triage.demo.set_pieces import AT_THE_END, SET_PIECES, ScenarioPart, SetPiece, draw_part

SET_PIECE_DAYS = 28
"""The first stretch of so many days holds each set piece once; in each later one each comes up to twice."""

SHIFT_STARTS = time(14)
SHIFT_MINUTES = 13 * 60


def generate(
    team: Cast,
    starts: date,
    ends_at: datetime,
    per_day: float = 4,
    seed: int = 1,
    changes_on: date | None = None,
) -> Iterator[DemoEntry]:
    """The entries of the team's phones from the operational day `starts` on, received by `ends_at`, in that order.

    `per_day` is the mean number of incidents a day; the set pieces are part of it, and come on top where it is lower
    than two. From `changes_on` on the team works by another model, and uses s136 less. The same arguments give the same
    entries. Another `ends_at` changes nothing that began a day and a half before it. `ends_at` needs an offset.
    """
    known = Callers(seed)
    days = (times.operational_day(ends_at) - starts).days + 1
    sent = [entry for told in incidents(team, starts, days, per_day, seed, changes_on) for entry in told]
    for hours, set_piece in AT_THE_END:
        begins = (ends_at - timedelta(hours=hours)).replace(microsecond=0)
        if times.operational_day(begins) >= starts:
            for recorder in _piece(Random(f"{seed}/end/{hours}"), team, begins, set_piece, known):
                sent += recorder.sent
    yield from sorted((entry for entry in sent if entry.sent_at <= ends_at), key=receipt_order)


def incidents(
    team: Cast, starts: date, days: int, per_day: float = 4, seed: int = 1, changes_on: date | None = None
) -> Iterator[list[DemoEntry]]:
    """The same days without an end: every incident that begins in them, each with its entries to the last."""
    known = Callers(seed)
    for n in range(days):
        day = starts + timedelta(days=n)
        diverts = changes_on is not None and day >= changes_on
        for recorder in _day(team, day, Random(f"{seed}/{day}"), known, _pieces_of(n, seed), per_day, diverts):
            yield recorder.sent


def _pieces_of(n: int, seed: int) -> list[SetPiece]:
    """The set pieces of the n-th day. They are spread evenly over a stretch, in an order and number of its own."""
    stretch, day = divmod(n, SET_PIECE_DAYS)
    rng = Random(f"{seed}/set pieces/{stretch}")
    drawn = [p for p in SET_PIECES.values() for _ in range(rng.choices((0, 1, 2), (40, 40, 20))[0] if stretch else 1)]
    rng.shuffle(drawn)
    return [piece for at, piece in enumerate(drawn) if at * SET_PIECE_DAYS // len(drawn) == day]


def receipt_order(sent: DemoEntry) -> tuple[datetime, UUID]:
    """The key that puts entries in order of receipt."""
    assert sent.entry.id
    return sent.sent_at, sent.entry.id


def _day(
    team: Cast, day: date, rng: Random, known: Callers, set_pieces: list[SetPiece], per_day: float, diverts: bool
) -> Iterator[Recorder]:
    for set_piece in set_pieces:
        yield from _piece(rng, team, _moment(rng, day), set_piece, known)
    ordinary = round(rng.gauss(per_day, sqrt(per_day) / 2)) - sum(map(len, set_pieces))
    for _ in range(ordinary):
        begins = _moment(rng, day)
        scenario = draw(rng, known, day, diverts=diverts)
        scenario.log_ref = _log_ref(rng, begins) if rng.random() < 0.86 else None
        scenario.test = True if rng.random() < 0.008 else None
        yield _incident(rng, scenario, team, begins, None, known)


def _piece(rng: Random, team: Cast, begins: datetime, set_piece: SetPiece, known: Callers) -> Iterator[Recorder]:
    before: UUID | None = None
    shared = _log_ref(rng, begins)
    for part in set_piece:
        starts = begins + timedelta(hours=part.after_hours)
        scenario = draw_part(rng, part, known, times.operational_day(starts))
        scenario.log_ref = shared if _is_shared(part) else _log_ref(rng, starts)
        recorder = _incident(rng, scenario, team, starts, before, known)
        before = recorder.incident
        yield recorder


def _is_shared(part: ScenarioPart) -> bool:
    return part.facts.get("log_ref") == "shared"


def _incident(
    rng: Random, scenario: Scenario, team: Cast, begins: datetime, before: UUID | None, known: Callers
) -> Recorder:
    recorder = Recorder(rng, scenario, _crew(team, times.operational_day(begins), rng), begins)
    write_entries(recorder)
    correct(recorder, before, known)
    return recorder


def _moment(rng: Random, day: date) -> datetime:
    """An instant in the shift of this day, which crosses midnight; most calls come in the evening."""
    minutes = rng.triangular(0, SHIFT_MINUTES, 6.5 * 60)
    return times.due_at(day, SHIFT_STARTS) + timedelta(seconds=int(60 * minutes))


def _log_ref(rng: Random, begins: datetime) -> str:
    return f"BP-{begins.astimezone(times.LONDON):%Y%m%d}-{rng.randrange(1, 1_000):04}"


def _crew(team: Cast, day: date, rng: Random) -> OnDuty:
    """The rota: each works in turn, and now and then the sergeant goes out."""
    turn = day.toordinal()
    officer = team.sergeant if rng.random() < 0.06 else team.officers[turn % len(team.officers)]
    nurse, day_nurse = (team.nurses[(turn + n) % len(team.nurses)] for n in (0, 1))
    return OnDuty(
        {"police": officer, "nurse": nurse, "paramedic": team.paramedics[turn % len(team.paramedics)]},
        team.sergeant,
        day_nurse,
        team.clinical_lead,
    )

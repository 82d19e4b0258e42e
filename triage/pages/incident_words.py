"""Words for one incident that several pages share: where and who, the clock of a detention, the state it is in."""

from datetime import datetime, timedelta
from typing import Final, Literal

from markupsafe import Markup
from msgspec import Struct

from triage.log.view import DetentionView, IncidentView
from triage.pages import words
from triage.pages.local_time import LocalTime
from triage.report import charts
from triage.summaries import needs_action

Tone = Literal["over", "soon", "calm", ""]
SOON: Final = timedelta(hours=3)
"""With less than this left, a clock is shown as urgent."""
DAY: Final = timedelta(hours=24)


class ClockWords(Struct, frozen=True, kw_only=True):
    """The clock of a detention, read when the page was made (sections 136A and 136B Mental Health Act 1983).

    `left` is negative past the expiry, None where no arrival is recorded.
    """

    state: str
    tone: Tone
    bar: Markup
    text: str
    other: str
    left: timedelta | None


def heading(view: IncidentView) -> str:
    """Where and who, as far as anybody needs it to know which incident this is."""
    where = "Area unknown" if view.area == "unknown" else words.short("area", view.area)
    return f"{where}: {person(view)}"


def person(view: IncidentView) -> str:
    """A woman of 34; a boy, age unknown."""
    noun = {"female": "woman", "male": "man"}.get(view.sex or "", "person")
    if view.under_18:
        noun = {"female": "girl", "male": "boy"}.get(view.sex or "", "child")
    if view.age is not None:
        return f"{noun}, {view.age}"
    band = view.age_band if view.age_band not in (None, "unknown") else None
    return f"{noun}, {words.code('age_band', band).lower()}" if band else f"{noun}, age unknown"


def reference(view: IncidentView) -> str:
    """Log reference and car."""
    return " · ".join(filter(None, (view.log_ref, view.car)))


def running(view: IncidentView) -> DetentionView | None:
    """The detention that runs, as far as is recorded."""
    return None if needs_action.RUNNING.isdisjoint(view.flags) else view.detention


def clock(view: IncidentView, local: LocalTime, height: int = 12) -> ClockWords | None:
    """The clock of the latest detention; None where there is none."""
    detention = view.detention
    if detention is None:
        return None
    runs = running(view) is not None
    if detention.expires_at is None:
        since = words.lasting((detention.ended_at or local.now) - detention.began_at)
        state = f"clock unknown, {since} since it began" if runs else f"ended after {since}, no arrival recorded"
        text = "No arrival is recorded, so nobody can say when the 24 hours end." if runs else ""
        return ClockWords(state=state, tone="over" if runs else "", bar=Markup(), text=text, other="", left=None)
    return _known_clock(detention, runs, local, height)


def _known_clock(detention: DetentionView, runs: bool, local: LocalTime, height: int) -> ClockWords:
    expires = detention.expires_at
    assert expires
    stop = detention.ended_at or local.now
    start = expires - DAY - timedelta(minutes=detention.extended_minutes)
    left = expires - stop
    if not runs:
        state, tone = f"ended {local.when(stop)}", "over" if left < timedelta(0) else ""
    elif left < timedelta(0):
        state, tone = f"expired {words.lasting(left)} ago, at {_within_a_day(expires, local)}", "over"
    else:
        state = f"{words.lasting(left)} left, until {_within_a_day(expires, local)}"
        tone = "soon" if left < SOON else ""
    allowed = words.lasting(DAY + timedelta(minutes=detention.extended_minutes))
    entered = detention.expires_if_entered_counts
    return ClockWords(
        state=state,
        tone=tone,  # type: ignore[arg-type]
        bar=charts.clock((stop - start) / timedelta(hours=1), detention.extended_minutes / 60, height=height),
        text=(
            f"{'Now' if runs else 'Ended'} at {words.lasting(stop - start)} of {allowed}. "
            f"Started {local.when(start)}; expires {local.when(expires)}."
        ),
        other=f"If entry counts, not arrival: {local.when(entered)}." if entered not in (None, expires) else "",
        left=left if runs else None,
    )


def _within_a_day(instant: datetime, local: LocalTime) -> str:
    """An instant beside the time until or since it, which makes the day plain where it is less than 24 hours."""
    return f"{instant.astimezone(local.zone):%H:%M}" if abs(local.now - instant) < DAY else local.when(instant)

"""The instant that a page is made at, and how instants are said on the team's clock."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.access.actors import Actor
from triage.service import Service
from triage.store.summaries import calendars


class LocalTime(Struct, frozen=True):
    """The instant that a page is made at, with the team's zone."""

    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        """The day of the calendar."""
        return self.day_of(self.now)

    def day_of(self, instant: datetime) -> date:
        """The day of the calendar on which an instant falls."""
        return instant.astimezone(self.zone).date()

    def at(self, instant: datetime) -> str:
        """An instant with its day."""
        return instant.astimezone(self.zone).strftime("%-d %b %Y, %H:%M")

    def when(self, instant: datetime | None) -> str:
        """An instant, its day named only where it is not today."""
        if instant is None:
            return "not recorded"
        local = instant.astimezone(self.zone)
        days = (self.today - local.date()).days
        clock = local.strftime("%H:%M")
        if days == 0:
            return clock
        if days in (1, -1):
            return f"{'yesterday' if days == 1 else 'tomorrow'} {clock}"
        return local.strftime("%a %-d %b ") + clock


async def local_time(service: Service, actor: Actor) -> LocalTime:
    """Now, on the clock of the actor's team."""
    team = await calendars.team(service.database, actor.team_id)
    return LocalTime(datetime.now(UTC), team.calendar.zone)

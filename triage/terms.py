"""The settings of a team on which, beside the code lists, it depends what entries add up to."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.times import DAY_START_HOUR, LONDON, operational_day


class Terms(Struct, frozen=True):
    """A team's zone, the local hour at which its operational day starts, and the dates of law.

    A police station is no place of safety for anybody after `police_station_allowed_until` (its last day): the Mental
    Health Act 2025 s48 has no commencement order yet.
    """

    zone: ZoneInfo = LONDON
    day_start_hour: int = DAY_START_HOUR
    police_station_allowed_until: date | None = None

    def operational_day(self, instant: datetime) -> date:
        """The team's operational day that holds this instant."""
        return operational_day(instant, self.zone, self.day_start_hour)

    def stations_abolished(self, instant: datetime) -> bool:
        """Whether police stations are no longer places of safety at this instant."""
        last = self.police_station_allowed_until
        return last is not None and instant.astimezone(self.zone).date() > last

"""Reports on demand: a published evaluation found again, the annual return, and two spans compared."""

import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio
from support.team_log import TEAM, TeamLog, open_team_log

from triage.demo import Sent
from triage.log.entries import AnyEntry
from triage.store.summaries import scopes
from triage.summaries import csv_files, pages
from triage.summaries.comparison import ComparedLine, Comparison, parse_span
from triage.summaries.figures import newcombe
from triage.summaries.home_office import annual_return, parse_year

BEFORE, AFTER = parse_span("2024-01..2024-06"), parse_span("2025-01..2025-06")
NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Writer:
    """Writes entries of many incidents, to be sent at once."""

    def __init__(self) -> None:
        self.random = Random(136)
        self.sent: list[Sent] = []

    def id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def write(self, who: str, kind: str, incident: UUID, at: datetime, /, **content: Any) -> None:
        common = {"kind": kind, "id": self.id(), "incident_id": incident, "captured_at": at, "codes_version": 1}
        entry: AnyEntry = msgspec.convert(msgspec.to_builtins(common | content), AnyEntry)
        self.sent.append(Sent(who, 0, at, 0, entry))

    def detention(self, at: datetime, person: UUID, result: str, **contact: Any) -> None:
        """A use of s136 on a person, and how it ended."""
        incident = self.id()
        self.write("officer_1", "officer", incident, at, occurred_at=at, area="luton_west", **contact)
        decided = {"disposal": "s136_removed", "decided_at": at, "decided_by": "officer", "transport": "ambulance"}
        self.write("officer_1", "outcome", incident, at, **decided)
        ended = at + timedelta(hours=9)
        self.write("nurse_1", "detention", incident, ended, event="ended", at=ended, power="s136", result=result)
        self.write("nurse_1", "person_link", incident, at, person_id=person, reason="identified")


def ipswich(writer: Writer, starts: date, *, uses: int, admitted: int, again: int, offered: int) -> None:
    """The counts of one year of the evaluation, as detentions of as many people as there were.

    `again` of the people not admitted are detained once more within four weeks; those second detentions are among the
    admitted ones.
    """
    first_day = datetime(starts.year, starts.month, starts.day, 20, 0, tzinfo=UTC)
    not_admitted = uses - admitted
    for n in range(not_admitted):
        at, person = first_day + n * DAY, writer.id()
        writer.detention(at, person, "discharged_follow_up" if n < offered else "discharged_no_follow_up")
        if n < again:
            writer.detention(at + 20 * DAY, person, "detained_s2")
    for n in range(admitted - again):
        writer.detention(first_day + n * DAY + timedelta(hours=1), writer.id(), "admitted_informal")


@pytest_asyncio.fixture
async def team(db_url: str, tmp_path: Path) -> AsyncIterator[TeamLog]:
    async with open_team_log(db_url, tmp_path, starts_on=date(2024, 1, 1)) as one:
        yield one


async def compared(team: TeamLog) -> Comparison:
    async with team.database.team(TEAM) as connection, connection.transaction(isolation="repeatable_read"):
        return await scopes.compare(connection, await team.team(), BEFORE, AFTER, NOW)


def line(report: Comparison, measure: str, row: str | None = None) -> ComparedLine:
    return next(one for one in report.lines if one.measure == measure and (row is None or one.row == row))


async def test_the_printed_rates_of_the_ipswich_car_are_found_again(team: TeamLog) -> None:
    # Jenkins and others, BJPsych Bulletin 2017: s136 169 before and 104 after; admitted 23.7 % and 37.5 %; another
    # s136 within four weeks 20.9 % and 12.3 %; follow-up offered to those not admitted 72.9 % and 86.2 %
    writer = Writer()
    ipswich(writer, BEFORE.starts, uses=169, admitted=40, again=27, offered=94)
    ipswich(writer, AFTER.starts, uses=104, admitted=39, again=8, offered=56)
    await team.send(sorted(writer.sent, key=lambda one: one.sent_at))
    report = await compared(team)
    power = line(report, "powers_used", "Section 136")
    assert (power.first.value, power.second.value) == (169, 104)
    printed = {
        "admitted": (23.7, 37.5),
        "s136_again": (20.9, 12.3),
        "follow_up_offered": (72.9, 86.2),
    }
    for code, rates in printed.items():
        found = line(report, code)
        assert (found.first.percent, found.second.percent) == rates
    more = line(report, "admitted")
    assert more.difference == 13.8 and (more.low, more.high) == newcombe(40, 169, 39, 104)
    assert "95 % interval" in more.difference_text


async def test_a_comparison_is_a_page_and_csv_with_the_caveats_in_them(team: TeamLog) -> None:
    report = await compared(team)
    page = pages.of_comparison(report).decode()
    rows = list(csv.DictReader(io.StringIO(csv_files.of_comparison(report).decode())))
    assert report.caveats and {row["caveat"] for row in rows} >= set(report.caveats)
    for caveat in report.caveats:
        assert caveat in page.replace("&#39;", "'")
    assert {row["measure"] for row in rows} == {"comparison", *(one.measure for one in report.lines)}


@pytest.mark.parametrize(
    "text", ["2025", "2025-13..2026-01", "2026-01..2025-12", "2025-01..", "2025-01-01..2025-02-01", "2025-01...2025-02"]
)
def test_what_is_no_span_of_months_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_span(text)


@pytest.mark.parametrize("text", ["2025", "2025-27", "2025-2026", "25-26", "2099-01"])
def test_what_is_no_financial_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_year(text)


def test_a_financial_year_begins_in_april() -> None:
    period = parse_year("2099-00")
    assert (period.starts, period.ends) == (date(2099, 4, 1), date(2100, 4, 1))


def breakdowns(content: bytes) -> Iterator[tuple[tuple[str, str], dict[str, int]]]:
    found: dict[tuple[str, str], dict[str, int]] = {}
    for row in csv.DictReader(io.StringIO(content.decode())):
        found.setdefault((row["power"], row["breakdown"]), {})[row["code"]] = int(row["detentions"])
    yield from found.items()


async def test_the_annual_return_adds_up_with_what_is_not_known(team: TeamLog) -> None:
    writer = Writer()
    last_evening = datetime(2025, 3, 31, 22, 0, tzinfo=UTC)
    writer.detention(last_evening, writer.id(), "lapsed", age=16, sex="female", ethnicity="W1")
    writer.detention(last_evening - DAY, writer.id(), "lapsed", age=40, sex="unknown", ethnicity="N4")
    writer.detention(last_evening - 2 * DAY, writer.id(), "lapsed")
    writer.detention(last_evening + DAY, writer.id(), "lapsed", age=40)  # the next financial year
    await team.send(sorted(writer.sent, key=lambda one: one.sent_at))
    year = parse_year("2024-25")
    async with team.database.team(TEAM) as connection:
        facts = await scopes.incidents_between(connection, await team.team(), year.starts, year.ends)
    found = dict(breakdowns(annual_return("2024-25", facts)))
    assert found["Section 136", "total"] == {"total": 3} and found["Section 135", "total"] == {"total": 0}
    for (power, breakdown), counts in found.items():
        if breakdown not in ("total", "police_vehicle_reason"):
            assert sum(counts.values()) == found[power, "total"]["total"], breakdown
    ages, sexes = found["Section 136", "age_group"], found["Section 136", "sex"]
    assert (ages["16_17"], ages["18_plus"], ages["not_known"]) == (1, 1, 1)
    assert (sexes["female"], sexes["not_known"]) == (1, 2)
    ethnicities = found["Section 136", "self_defined_ethnicity"]
    assert (ethnicities["W1"], ethnicities["not_known"]) == (1, 2)
    assert found["Section 136", "transport"]["ambulance"] == 3
    assert found["Section 136", "place_of_safety"]["not_known"] == 3


async def test_a_triage_car_is_counted_as_the_owner_says(team: TeamLog) -> None:
    writer = Writer()
    at = datetime(2025, 2, 1, 22, 0, tzinfo=UTC)
    decided = {"disposal": "s136_removed", "decided_at": at, "decided_by": "officer", "transport": "triage_car"}
    writer.write("officer_1", "outcome", writer.id(), at, **decided)
    await team.send(writer.sent)
    async with team.database.team(TEAM) as connection:
        facts = await scopes.incidents_between(connection, await team.team(), date(2025, 2, 1), date(2025, 2, 2))
    for code in ("other", "police_vehicle"):
        found = dict(breakdowns(annual_return("2024-25", facts, code)))
        assert found["Section 136", "transport"][code] == 1
    assert found["Section 136", "police_vehicle_reason"]["not_known"] == 1

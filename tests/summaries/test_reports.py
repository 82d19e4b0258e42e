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
from facts import TEN, fact, used
from support.population import population
from support.story import Story
from support.team_log import TEAM, TeamLog, open_team_log

from triage.demo import DemoEntry
from triage.exports.catalogue import ladders
from triage.exports.classified import classify
from triage.exports.protected import ProtectedSummary, protected
from triage.exports.published_answers import NotPublishable, published_answer
from triage.exports.tables import freeze
from triage.log.entries import AnyEntry
from triage.report import comparison as comparison_report
from triage.report import html
from triage.store.summaries import scopes
from triage.summaries import csv_files
from triage.summaries.comparison import ComparedLine, Comparison, SpanFault, parse_span
from triage.summaries.derivation import fact_of
from triage.summaries.facts import IncidentFact, Stay
from triage.summaries.figures import newcombe
from triage.summaries.home_office import annual_return, parse_year
from triage.summaries.questions import Question, answer
from triage.summaries.schedule import Coverage
from triage.times import LONDON

BEFORE, AFTER = parse_span("2024-01..2024-06"), parse_span("2025-01..2025-06")
NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class EntryWriter:
    """Writes entries of many incidents, to be sent at once."""

    def __init__(self) -> None:
        self.random = Random(136)
        self.sent: list[DemoEntry] = []

    def id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def write(self, who: str, kind: str, incident: UUID, at: datetime, /, **content: Any) -> None:
        common = {"kind": kind, "id": self.id(), "incident_id": incident, "captured_at": at, "codes_version": 1}
        entry: AnyEntry = msgspec.convert(msgspec.to_builtins(common | content), AnyEntry)
        self.sent.append(DemoEntry(who, 0, at, 0, entry))

    def detention(self, at: datetime, person: UUID, result: str, **contact: Any) -> None:
        """A use of s136 on a person, and how it ended."""
        incident = self.id()
        self.write("officer_1", "officer", incident, at, occurred_at=at, area="luton_west", **contact)
        decided = {"disposal": "s136_removed", "decided_at": at, "decided_by": "officer", "transport": "ambulance"}
        self.write("officer_1", "outcome", incident, at, **decided)
        ended = at + timedelta(hours=9)
        self.write("nurse_1", "detention", incident, ended, event="ended", at=ended, power="s136", result=result)
        self.write("nurse_1", "person_link", incident, at, person_id=person, reason="identified")


def ipswich(writer: EntryWriter, starts: date, *, uses: int, admitted: int, again: int, offered: int) -> None:
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
    async with open_team_log(db_url, tmp_path, starts_on=date(2024, 1, 1)) as team:
        yield team


async def compared(team: TeamLog) -> Comparison:
    async with team.database.team(TEAM) as connection, connection.transaction(isolation="repeatable_read"):
        return await scopes.compare(connection, await team.team(), BEFORE, AFTER, NOW)


def line(report: Comparison, measure: str, row: str | None = None) -> ComparedLine:
    return next(line for line in report.lines if line.measure == measure and (row is None or line.row == row))


async def test_the_printed_rates_of_the_ipswich_car_are_found_again(team: TeamLog) -> None:
    # Jenkins and others, BJPsych Bulletin 2017: s136 169 before and 104 after; admitted 23.7 % and 37.5 %; another
    # s136 within four weeks 20.9 % and 12.3 %; follow-up offered to those not admitted 72.9 % and 86.2 %
    writer = EntryWriter()
    ipswich(writer, BEFORE.starts, uses=169, admitted=40, again=27, offered=94)
    ipswich(writer, AFTER.starts, uses=104, admitted=39, again=8, offered=56)
    await team.send(sorted(writer.sent, key=lambda entry: entry.sent_at))
    report = await compared(team)
    power = line(report, "powers_used", "Section 136")
    assert (power.first.value, power.second.value) == (169, 104)
    printed = {
        "admitted": (23.7, 37.5),
        "s136_again": (20.9, 12.3),
        "follow_up_offered": (72.9, 86.2),
    }
    for code, rates in printed.items():
        compared_line = line(report, code)
        assert (compared_line.first.percent, compared_line.second.percent) == rates
    more = line(report, "admitted")
    assert more.difference == 13.8 and (more.low, more.high) == newcombe(40, 169, 39, 104)


async def test_a_comparison_is_a_page_and_csv_with_the_caveats_in_them(team: TeamLog) -> None:
    report = await compared(team)
    page = html.render(comparison_report.report(report, (), LONDON), standalone=True).decode()
    rows = list(csv.DictReader(io.StringIO(csv_files.of_comparison(report).decode())))
    assert report.caveats and {row["caveat"] for row in rows} >= set(report.caveats)
    for caveat in report.caveats:
        assert caveat in page.replace("&#39;", "'")
    assert {row["measure"] for row in rows} == {"comparison", *(line.measure for line in report.lines)}


@pytest.mark.parametrize(
    "text", ["2025", "2025-13..2026-01", "2026-01..2025-12", "2025-01..", "2025-01-01..2025-02-01", "2025-01...2025-02"]
)
def test_what_is_no_span_of_months_is_refused(text: str) -> None:
    with pytest.raises(SpanFault):
        parse_span(text)


@pytest.mark.parametrize("text", ["2025", "2025-27", "2025-2026", "25-26", "2099-01"])
def test_what_is_no_financial_year_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_year(text)


def test_a_financial_year_begins_in_april() -> None:
    period = parse_year("2099-00")
    assert (period.starts, period.ends) == (date(2099, 4, 1), date(2100, 4, 1))


def breakdowns(content: bytes) -> Iterator[tuple[tuple[str, str], dict[str, int]]]:
    answers: dict[tuple[str, str], dict[str, int]] = {}
    for row in csv.DictReader(io.StringIO(content.decode())):
        answers.setdefault((row["power"], row["breakdown"]), {})[row["code"]] = int(row["detentions"])
    yield from answers.items()


async def test_the_annual_return_adds_up_with_what_is_not_known(team: TeamLog) -> None:
    writer = EntryWriter()
    last_evening = datetime(2025, 3, 31, 22, 0, tzinfo=UTC)
    writer.detention(last_evening, writer.id(), "lapsed", age=16, sex="female", ethnicity="W1")
    writer.detention(last_evening - DAY, writer.id(), "lapsed", age=40, sex="unknown", ethnicity="N4")
    writer.detention(last_evening - 2 * DAY, writer.id(), "lapsed")
    writer.detention(last_evening + DAY, writer.id(), "lapsed", age=40)  # the next financial year
    await team.send(sorted(writer.sent, key=lambda entry: entry.sent_at))
    year = parse_year("2024-25")
    async with team.database.team(TEAM) as connection:
        facts = await scopes.incidents_between(connection, await team.team(), year.starts, year.ends)
    answers = dict(breakdowns(annual_return("2024-25", facts)))
    assert answers["Section 136", "total"] == {"total": 3} and answers["Section 135", "total"] == {"total": 0}
    for (power, breakdown), counts in answers.items():
        if breakdown not in ("total", *OF_SOME):
            assert sum(counts.values()) == answers[power, "total"]["total"], breakdown
    ages, sexes = answers["Section 136", "age_group"], answers["Section 136", "sex"]
    assert (ages["16_17"], ages["18_plus"], ages["unknown"]) == (1, 1, 1)
    assert (sexes["female"], sexes["unknown"]) == (1, 2)
    ethnicities = answers["Section 136", "self_defined_ethnicity"]
    assert (ethnicities["W1"], ethnicities["unknown"]) == (1, 2)
    assert answers["Section 136", "transport"]["ambulance"] == 3
    assert answers["Section 136", "place_of_safety"]["unknown"] == 3


OF_SOME = ("police_vehicle_reason", "police_station_reason", "ambulance_requested")
"""Breakdowns of those to whom they apply."""


def test_the_return_has_every_table_that_is_published_and_says_unknown_where_nobody_was_asked() -> None:
    at_station = used(1, stays=(Stay("police_station", "suite_full", None),), transport="police_vehicle")
    in_care_home = used(2, stays=(Stay("care_home", None, None),), arrested=True)
    nowhere = used(3, transport="police_vehicle", ambulance_requested=False, vehicle_reason="risk")
    returned = dict(breakdowns(annual_return("2026-27", [at_station, in_care_home, nowhere])))
    counts_of = {breakdown: counts for (power, breakdown), counts in returned.items() if power == "Section 136"}
    assert list(counts_of) == [
        "total",
        "age_group",
        "sex",
        "self_defined_ethnicity",
        "place_of_safety",
        "police_station_reason",
        "transport",
        "police_vehicle_reason",
        "ambulance_requested",
        "arrested_for_substantive_offence",
    ]
    assert "care_home" not in counts_of["place_of_safety"]
    assert {place: n for place, n in counts_of["place_of_safety"].items() if n} == {
        "police_station": 1,
        "other": 1,
        "unknown": 1,
    }
    assert {reason: n for reason, n in counts_of["police_station_reason"].items() if n} == {"suite_full": 1}
    assert counts_of["ambulance_requested"] == {"yes": 0, "no": 1, "unknown": 1}
    assert counts_of["arrested_for_substantive_offence"] == {"yes": 1, "no": 0, "unknown": 2}


def test_an_arrest_is_told_by_a_contact_or_an_outcome_and_never_denied() -> None:
    for told in ("arrested", None):
        story = Story()
        story.officer(legal_status=told)
        story.outcome("s136_removed", 5)
        assert fact_of(story.incident()).arrested is (True if told else None)
    story.outcome("dearrested", 4)
    assert fact_of(story.incident()).arrested is True


# --- questions that nobody foresaw


def asked(question: Question, *facts: IncidentFact) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer(question, facts, LONDON).decode())))


def test_an_answer_is_headed_as_not_for_publication_and_counts_by_month_and_area() -> None:
    given = (used(1), used(2), used(3, area="unknown"), fact(4))
    heading, columns, *rows = asked(Question("s136", ("month", "area")), *given)
    assert heading[0].startswith("NOT FOR PUBLICATION")
    assert columns == ["month", "area", "s136"]
    assert rows == [["2026-11", "luton_west", "2"], ["2026-11", "unknown", "1"]]


def test_drink_or_drugs_and_restraint_are_unknown_where_no_contact_says() -> None:
    seen = [
        used(1, presenting=("intoxication_alcohol", "suicidal_act"), force_type="handcuffs"),
        used(2, presenting=("intoxication_alcohol", "intoxication_drug"), force_type="none"),
        used(3, presenting=("psychosis_like",)),
        used(4),
    ]
    _, _, *rows = asked(Question("s136", ("drink_or_drugs", "restraint")), *seen)
    assert sorted(rows) == [
        ["drink", "handcuffs", "1"],
        ["drink and drugs", "none", "1"],
        ["neither", "unknown", "1"],
        ["unknown", "unknown", "1"],
    ]


def test_hours_of_detention_by_age_count_those_with_both_times() -> None:
    from_ten = {"clock_started_at": TEN, "age_band": "16_17"}
    detained = [used(n, ended_at=TEN + timedelta(hours=hours), **from_ten) for n, hours in ((1, 4), (2, 8))]
    _, columns, *rows = asked(Question("s136", ("age",), hours=True), *detained, used(3, **from_ten))
    assert columns == ["age", "s136", "hours_known", "hours_median", "hours_longest"]
    assert rows == [["16_17", "3", "2", "6.0", "8.0"]]


# --- what may be published


def published_quarter() -> ProtectedSummary:
    forms = [form for ladder in ladders("quarterly") for form in ladder]
    members = [classify(a.member, bytes(32)) for a in population(5_000) if a.member.occurred_at < QUARTER_ENDS]
    edition = freeze("quarterly", "2025-Q1", forms, members, bytes(32))
    return protected(edition, Coverage(None, None, True), QUARTER_ENDS, QUARTER_ENDS)


QUARTER_ENDS = datetime(2025, 7, 1, 5, tzinfo=UTC)


def test_what_may_be_published_comes_from_the_protected_table_with_what_a_reader_must_know() -> None:
    summary = published_quarter()
    lines = list(csv.reader(io.StringIO(published_answer(summary, "s136", ["area"]).decode())))
    table = next(table for table in summary.tables if table.code == "area_disposal")
    cells = {row.row[0]: cell.count for row in table.rows for cell in row.cells if cell.column == "s136"}
    shown = {line[0]: line[2] for line in lines if len(line) > 2 and line[1] == "s136"}
    assert shown == {area: str(count) for area, count in cells.items()}
    assert set(summary.statement.read_me) <= {line[0] for line in lines}


def test_one_ward_one_month_by_ethnicity_is_refused_and_a_coarser_table_offered() -> None:
    with pytest.raises(NotPublishable, match="Ethnic group by disposal"):
        published_answer(published_quarter(), "s136", ["area", "ethnic_group"])
    with pytest.raises(NotPublishable, match="gives incidents by drink_or_drugs"):
        published_answer(published_quarter(), "incidents", ["drink_or_drugs"])


def test_the_place_of_a_section_136_is_a_table_of_its_own() -> None:
    text = published_answer(published_quarter(), "s136", ["place_of_safety"]).decode()
    assert text.startswith('"Section 136 by first place of safety') or "first place of safety" in text.split("\r\n")[0]
    assert "health_based" in text


async def test_a_triage_car_is_counted_as_the_owner_says(team: TeamLog) -> None:
    writer = EntryWriter()
    at = datetime(2025, 2, 1, 22, 0, tzinfo=UTC)
    decided = {"disposal": "s136_removed", "decided_at": at, "decided_by": "officer", "transport": "triage_car"}
    writer.write("officer_1", "outcome", writer.id(), at, **decided)
    await team.send(writer.sent)
    async with team.database.team(TEAM) as connection:
        facts = await scopes.incidents_between(connection, await team.team(), date(2025, 2, 1), date(2025, 2, 2))
    for code in ("other", "police_vehicle"):
        answers = dict(breakdowns(annual_return("2024-25", facts, code)))
        assert answers["Section 136", "transport"][code] == 1
    assert answers["Section 136", "police_vehicle_reason"]["unknown"] == 1

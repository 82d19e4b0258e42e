"""The report of a protected edition: its catalogue in words, and nothing that it lacks."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from support.population import population

from triage.exports.catalogue import ladders
from triage.exports.classified import classify
from triage.exports.files import PublishedCell, PublishedRow, PublishedTable
from triage.exports.protected import ProtectedSummary, protected
from triage.exports.tables import freeze
from triage.report import html, pdf, protected_tables
from triage.report.blocks import Callout, Heading, Report, TableBlock, Tables, TextCell, Tiles
from triage.summaries.schedule import Coverage

LONDON = ZoneInfo("Europe/London")
ENDS = datetime(2025, 7, 1, 5, tzinfo=UTC)
WHOLE = Coverage(date(2025, 4, 1), date(2025, 6, 30), True)


@pytest.fixture(scope="module")
def quarter() -> ProtectedSummary:
    """A quarter whose log began with it, in the finest form of every table."""
    forms = [form for ladder in ladders("quarterly") for form in ladder]
    members = [classify(case.member, bytes(32)) for case in population(2_000) if case.member.occurred_at < ENDS]
    return protected(freeze("quarterly", "2025-Q1", forms, members, bytes(32)), WHOLE, ENDS, ENDS)


def by_area(code: str) -> PublishedTable:
    rows: dict[str, int | str] = {"luton_north": 70, "bedford": "c", "out_of_county": 30, "all": 835}
    published = tuple(
        PublishedRow((area,), (PublishedCell("s136", "c"), PublishedCell("all", total))) for area, total in rows.items()
    )
    return PublishedTable(code, "Area by disposal", "incidents", ("area",), "disposal", published)


def tables_of(report: Report) -> list[TableBlock]:
    return [table for block in report.blocks if isinstance(block, Tables) for table in block.items]


def test_every_cell_of_the_catalogue_is_there_and_no_other(quarter: ProtectedSummary) -> None:
    printed = [
        cell.text
        for table in tables_of(protected_tables.report(quarter, LONDON))
        for row in table.rows
        for cell in row[1:]
        if isinstance(cell, TextCell)
    ]
    assert printed == [str(cell.count) for table in quarter.tables for row in table.rows for cell in row.cells]


def test_classes_are_words_and_not_codes(quarter: ProtectedSummary) -> None:
    page = html.render(protected_tables.report(quarter, LONDON)).decode()
    assert "Quarterly report for partners and the public, April to June 2025" in page
    assert "Section 136" in page and "Central Bedfordshire" in page
    codes = ("s136", "other_or_none", "central_bedfordshire", "health_based", "not_avoided")
    assert not [code for code in codes if f">{code}<" in page]


def test_an_area_has_a_tile_only_where_its_total_is_shown_and_no_line_of_weeks(quarter: ProtectedSummary) -> None:
    both = msgspec.structs.replace(quarter, tables=(by_area("area_disposal"), by_area("area_power")))
    [tiles] = [block for block in protected_tables.report(both, LONDON).blocks if isinstance(block, Tiles)]
    assert [(tile.label, tile.total, tile.weeks) for tile in tiles.items] == [
        ("Luton: north", 70, ()),
        ("Out of county", 30, ()),
    ]


def test_a_period_that_the_log_does_not_cover_whole_says_so_first(quarter: ProtectedSummary) -> None:
    whole = protected_tables.report(quarter, LONDON)
    assert isinstance(whole.blocks[0], Heading)
    begun = msgspec.structs.replace(quarter, covered_from=date(2025, 5, 3))
    callout = protected_tables.report(begun, LONDON).blocks[0]
    assert isinstance(callout, Callout) and "covers 3 May 2025 to 30 June 2025" in callout.text


def test_nothing_of_it_leads_anywhere_and_its_foot_says_that_it_is_protected(quarter: ProtectedSummary) -> None:
    report = protected_tables.report(quarter, LONDON)
    page = html.render(report).decode()
    assert 'class="wide protected"' in page and "<a href" not in page.split("<main")[1].replace('<a href="#how"', "")
    assert "scrutiny only" not in report.footer


@pytest.mark.skipif(not pdf.is_installed(), reason="needs the extra pdf")
def test_it_is_a_tagged_pdf_of_the_same_bytes_each_time(quarter: ProtectedSummary) -> None:
    report = protected_tables.report(quarter, LONDON)
    assert pdf.make(report) == pdf.make(report)

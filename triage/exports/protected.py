"""The protected form of a monthly, quarterly or yearly summary: the frozen tables, as partners get them.

It has the very numbers of the `tables` release of the period, and nothing of the log's position, chain or exact counts.
"""

from datetime import date, datetime
from typing import Final, Literal

import msgspec
from msgspec import Struct

from triage.exports import files
from triage.exports.files import PublishedTable
from triage.exports.statement import ReleaseTerms, TablesStatement, tables_statement
from triage.exports.tables import Edition
from triage.summaries.schedule import Coverage
from triage.times import PeriodKind

AGREEMENT: Final = "none"
PURPOSE: Final = "Summary for partners and the public"


class ProtectedSummary(Struct, frozen=True, kw_only=True):
    """A protected edition as it is stored and served."""

    kind: PeriodKind
    form: Literal["protected"] = "protected"
    period: str
    covered_from: date | None
    covered_to: date | None
    edition: int
    cut_off: datetime
    published_at: datetime
    tables: tuple[PublishedTable, ...]
    statement: TablesStatement


def protected(edition: Edition, covered: Coverage, cut_off: datetime, published_at: datetime) -> ProtectedSummary:
    """The protected summary of a frozen edition; `covered` is the part of its period that the log holds."""
    file = files.tables_csv(edition)
    earlier = f"tables/{edition.period}/{edition.edition - 1}" if edition.edition > 1 else None
    return ProtectedSummary(
        kind=edition.kind,
        period=edition.period,
        covered_from=covered.covered_from,
        covered_to=covered.covered_to,
        edition=edition.edition,
        cut_off=cut_off,
        published_at=published_at,
        tables=files.published(edition),
        statement=tables_statement(edition, ReleaseTerms(AGREEMENT, PURPOSE, cut_off, file.name, file.sha256, earlier)),
    )


encode: Final = msgspec.json.Encoder().encode
"""The bytes of a summary as they are stored and served."""
decode: Final = msgspec.json.Decoder(ProtectedSummary).decode
"""A stored protected edition."""


def csv(summary: ProtectedSummary) -> bytes:
    """`tables.csv`, byte for byte, from the stored summary."""
    lines = [files.TABLES_COLUMNS, *files.published_lines(summary.period, summary.edition, summary.tables)]
    return "".join(",".join(line) + "\r\n" for line in lines).encode()

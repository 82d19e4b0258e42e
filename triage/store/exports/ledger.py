"""The ledger of pulls in the database, and whether it is as it was written."""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from triage.chain import GENESIS, Head
from triage.exports.ledger import Download, LedgerLine, fault
from triage.store.database import Connection
from triage.store.statements import statement

PAGE: Final = 1_000


class LedgerRow(Struct, frozen=True):
    """A line of the ledger as it is stored."""

    n: int
    at: datetime
    partner_id: UUID
    agreement_id: UUID
    purpose: str
    dataset: str
    period: str
    edition: int
    file: str
    columns: list[str]
    areas: list[str]
    part: str
    rows: int
    sha256: bytes
    link: bytes

    def line(self) -> LedgerLine:
        """The line, with its pull."""
        pull = Download(
            at=self.at,
            partner_id=self.partner_id,
            agreement_id=self.agreement_id,
            purpose=self.purpose,
            dataset=self.dataset,
            period=self.period,
            edition=self.edition,
            file=self.file,
            columns=tuple(self.columns),
            areas=tuple(self.areas),
            part=self.part,
            rows=self.rows,
            sha256=self.sha256.hex(),
        )
        return LedgerLine(self.n, pull, self.link)


class LedgerVerdict(Struct, frozen=True):
    """Whether the ledger is whole; `fault` names the first line that is not as it was written."""

    team_id: UUID
    lines: int
    fault: str | None


_WALK_LEDGER = statement("exports.walk_ledger", LedgerRow)
LEDGER_ENDS = statement("exports.ledger_ends", Head)


async def verify_ledger(connection: Connection, team_id: UUID) -> LedgerVerdict:
    """Recompute every link of a team's ledger."""
    head = await LEDGER_ENDS.fetch_first(connection, team_id=team_id)
    last: LedgerLine | None = None
    while rows := await _WALK_LEDGER.fetch(connection, team_id=team_id, after=last.n if last else 0, most=PAGE):
        lines = [row.line() for row in rows]
        if broken := fault(team_id, last, lines):
            return LedgerVerdict(team_id, last.n if last else 0, broken)
        last = lines[-1]
    n, link = (last.n, last.link) if last else (0, GENESIS)
    ends = head or Head(0, GENESIS)
    # a pull may have come since the head was read
    if n < ends.position or (n == ends.position and link != ends.link):
        return LedgerVerdict(team_id, n, f"line {n + 1} is missing: the ledger ends at {ends.position}")
    return LedgerVerdict(team_id, n, None)

"""The ledger of pulls in the database, and whether it is as it was written."""

from typing import Final
from uuid import UUID

from msgspec import structs

from triage.chain import ChainedRow, Head
from triage.exports.ledger import Download, payload
from triage.store.chains import BEGINNING, ChainVerdict, verify_chain
from triage.store.database import Connection
from triage.store.statements import statement

PAGE: Final = 1_000


class _LedgerLine(Download, frozen=True):
    n: int
    link: bytes

    def chained(self, team_id: UUID) -> ChainedRow:
        pull = Download(*structs.astuple(self)[:-2])
        return ChainedRow(self.n, payload(team_id, self.n, pull), self.link, f"line {self.n}")


_WALK_LEDGER = statement("exports.walk_ledger", _LedgerLine)
LEDGER_ENDS = statement("exports.ledger_ends", Head)


async def verify_ledger(connection: Connection, team_id: UUID) -> ChainVerdict:
    """Recompute every link of a team's ledger."""

    async def fetch(after: int) -> list[_LedgerLine]:
        return await _WALK_LEDGER.fetch(connection, team_id=team_id, after=after, most=PAGE)

    head = await LEDGER_ENDS.fetch_first(connection, team_id=team_id) or BEGINNING
    return await verify_chain(team_id, "line", head, fetch, lambda line: line.chained(team_id))

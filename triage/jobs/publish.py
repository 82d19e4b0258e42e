"""Publishing: whatever is due, once, however many processes try.

Rows decide. A period is claimed, computed, stored and announced in one transaction: a process that dies leaves nothing
behind, and the next one does it all. `now` is the run's clock; the content is cut at the log's head.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct, structs
from prometheus_client import Counter

from triage import codes
from triage.log.diversion import RULE
from triage.progress import Progress, unseen
from triage.store import outbox
from triage.store.database import UNREACHABLE, Connection, Database
from triage.store.journal import Journal
from triage.store.outbox import SummaryData, SummaryPublished
from triage.store.summaries import calendars, facts, publications, report_files, scopes
from triage.store.summaries.calendars import CalendarTeam
from triage.store.summaries.publications import PeriodRun
from triage.store.summaries.scopes import LogPosition
from triage.summaries import editions
from triage.summaries.causes import Elsewhere, kinds_by_line
from triage.summaries.editions import EditionTerms, Summary
from triage.summaries.facts import IncidentFact
from triage.summaries.figures import Measure
from triage.summaries.population_rates import FORCE_LINE
from triage.summaries.registry import MEASURES_VERSION, Scope
from triage.summaries.schedule import Slot, is_late, is_restated
from triage.times import PeriodKind

logger = logging.getLogger(__name__)

PUBLISHED = Counter("triage_publications", "Editions published", ["kind"])
FAILED = Counter("triage_publications_failed", "Runs that ended without an edition", ["kind"])

_LOST: Final = (asyncpg.UniqueViolationError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError)
"""Another process was faster: nothing is left to do, or it is done at the next waking."""


class PublishedEdition(Struct, frozen=True):
    """An edition that this run published."""

    team_id: UUID
    kind: PeriodKind
    period: str
    edition: int
    late: bool


GATHER: Final = timedelta(hours=1)
"""How long later entries are gathered before the scheduled job looks at published periods again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """How a run publishes: the address that messages link to; the journal that remembers editions; how long later
    entries are gathered before a published period is looked at again; and who is told of the progress.
    """

    public_url: str = ""
    journal: Journal | None = None
    gather: timedelta = timedelta(0)
    progress: Progress = unseen


DEFAULT_OPTIONS: Final = PublishOptions()


async def publish_due(
    database: Database, now: datetime, options: PublishOptions = DEFAULT_OPTIONS
) -> list[PublishedEdition]:
    """Publish everything that is due at `now`: first editions, oldest first, then the restatements.

    Running it again at the same instant changes nothing. A period whose run fails is recorded as failed and does not
    hold back the others.
    """
    await scopes.keep_code_lists(database)
    done: list[PublishedEdition] = []
    for team in await calendars.teams(database):
        done += await _publish_team(database, team, now, options)
    return done


async def publish(
    database: Database, team: CalendarTeam, slot: Slot, now: datetime, options: PublishOptions = DEFAULT_OPTIONS
) -> PublishedEdition | None:
    """Publish the first edition of a period; None when another process does, or did, or the run failed."""
    period = slot.period
    try:
        async with database.team(team.team_id) as connection:
            async with connection.transaction(isolation="repeatable_read"):
                if not await publications.try_claim(connection, team.team_id, period.kind, period.name):
                    return None
                if await publications.is_published(connection, team.team_id, period.kind, period.name, "internal"):
                    return None
                slot = await publications.adjoining_slot(connection, team.team_id, slot)
                loaded = await scopes.load_scope(connection, team, slot, now)
                head = await scopes.head(connection, team.team_id)
                late = is_late(slot.due_at, now)
                measures = await asyncio.to_thread(editions.compute_measures, loaded.scope)
                summary = _edition(team, slot, loaded.scope, head, now, measures, late=late)
                await _store(connection, team, slot, summary, head, options)
            await _keep(connection, team, loaded.fresh)
    except _LOST:
        return None
    except Exception as error:
        await _record_failure(database, team, slot, now, error)
        return None
    PUBLISHED.labels(period.kind).inc()
    return PublishedEdition(team.team_id, period.kind, period.name, 1, late)


async def restate(
    database: Database, team: CalendarTeam, run: PeriodRun, now: datetime, options: PublishOptions = DEFAULT_OPTIONS
) -> PublishedEdition | None:
    """Publish the next edition of a period if later entries changed a flow measure; None when they did not.

    Compared at the new position and the old instant; computed at the new position and `now`.
    """
    try:
        async with database.team(team.team_id) as connection:
            async with connection.transaction(isolation="repeatable_read"):
                if not await publications.try_claim(connection, team.team_id, run.kind, run.period):
                    return None
                bodies = await publications.all_editions(connection, team.team_id, run.kind, run.period)
                before = editions.decode(bodies[-1])
                if before.edition != run.edition:
                    return None
                slot = scopes.slot_of(before)
                summary, head, fresh = await _next(connection, team, slot, before, editions.decode(bodies[0]), now)
                if summary is None:
                    await publications.set_checked(
                        connection, team.team_id, run, head.seq, editions.rules_in_force(team.terms), now
                    )
                else:
                    await _store(connection, team, slot, summary, head, options)
            await _keep(connection, team, fresh)
    except _LOST:
        return None
    except Exception as error:
        logger.error("summary_not_restated", exc_info=error, extra={"kind": run.kind, "period": run.period})
        FAILED.labels(run.kind).inc()
        return None
    if summary is None:
        return None
    PUBLISHED.labels(run.kind).inc()
    return PublishedEdition(team.team_id, run.kind, run.period, summary.edition, False)


async def _publish_team(
    database: Database, team: CalendarTeam, now: datetime, options: PublishOptions
) -> list[PublishedEdition]:
    await facts.bring_up_to_date(database, team.team_id, team.terms)
    async with database.team(team.team_id) as connection:
        due = await publications.unpublished(connection, team, now)
        runs = await publications.runs(connection, team.team_id)
        head = await scopes.head(connection, team.team_id)
    late = [run for run in runs.values() if may_restate(team, run, head.seq, now, options.gather)]
    late.sort(key=lambda run: run.due_at)
    published = []
    for n, slot in enumerate(due):
        published.append(await publish(database, team, slot, now, options))
        options.progress(n + 1, len(due) + len(late))
    for n, run in enumerate(late, len(due)):
        published.append(await restate(database, team, run, now, options))
        options.progress(n + 1, len(due) + len(late))
    await report_files.make_missing(database, team)
    return [edition for edition in published if edition]


def may_restate(team: CalendarTeam, run: PeriodRun, head: int, now: datetime, gather: timedelta) -> bool:
    """Whether a published period is to be looked at again.

    Something was added, or the rules moved on; it is young enough; it was not looked at within `gather`; and it had no
    edition on this local day yet, nor one later than `now`.
    """
    if run.edition is None or run.published_at is None or not is_restated(run.kind, run.ends_at, now):
        return False
    if run.checked_seq >= head and run.checked_rules == editions.rules_in_force(team.terms):
        return False
    if now - run.ran_at < gather:
        return False
    zone = team.calendar.zone
    return now.astimezone(zone).date() > run.published_at.astimezone(zone).date()


async def _next(
    connection: Connection, team: CalendarTeam, slot: Slot, before: Summary, first: Summary, now: datetime
) -> tuple[Summary | None, LogPosition, list[IncidentFact]]:
    assert before.as_at and before.as_at_seq is not None
    then = await scopes.load_scope(connection, team, slot, before.as_at, known_at=now)
    head = await scopes.head(connection, team.team_id)
    at_old_instant = await asyncio.to_thread(editions.compute_measures, then.scope)
    if not editions.flows_differ(before.measures, at_old_instant):
        return None, head, then.fresh
    loaded = await scopes.load_scope(connection, team, slot, now)
    computed = editions.keep_snapshots(await asyncio.to_thread(editions.compute_measures, loaded.scope), first.measures)
    moved = await scopes.changed_incidents(connection, team, before.as_at_seq, then.scope)
    before_flows = [measure for measure in before.measures if measure.kind == "flow"]
    elsewhere = _elsewhere(before, team)
    why = await asyncio.to_thread(kinds_by_line, before_flows, at_old_instant, then.scope, moved, elsewhere)
    changes = editions.changes(before.measures, at_old_instant, computed, why)
    summary = _edition(team, slot, loaded.scope, head, now, computed, late=before.late, previous=before.edition)
    return structs.replace(summary, changes=changes), head, loaded.fresh


def _edition(
    team: CalendarTeam,
    slot: Slot,
    scope: Scope,
    head: LogPosition,
    now: datetime,
    measures: tuple[Measure, ...],
    *,
    late: bool,
    previous: int | None = None,
) -> Summary:
    return Summary(
        kind=slot.period.kind,
        form="internal",
        period=slot.period.name,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        covered_from=scope.covered.covered_from,
        covered_to=scope.covered.covered_to,
        due_at=slot.due_at,
        edition=(previous or 0) + 1,
        published_at=now,
        late=late,
        as_at_seq=head.seq,
        as_at=now,
        chain_head=head.link.hex(),
        codes_version=codes.version,
        codes_digest=codes.digest().hex(),
        terms=EditionTerms.of(team.terms),
        silent=scope.silent,
        notes=editions.notes(scope, late),
        measures=measures,
        previous=previous,
    )


def _elsewhere(before: Summary, team: CalendarTeam) -> Elsewhere:
    """Causes other than entries since an edition: by line, and under the empty name for every line."""
    moved_on = {
        "code_lists": before.codes_digest != codes.digest().hex(),
        "rules": (before.rules, before.measures_version) != (RULE, MEASURES_VERSION)
        or before.terms not in (None, EditionTerms.of(team.terms)),
    }
    return {FORCE_LINE: ("force_total",), "": tuple(name for name, has in moved_on.items() if has)}


async def _store(
    connection: Connection, team: CalendarTeam, slot: Slot, summary: Summary, head: LogPosition, options: PublishOptions
) -> None:
    assert summary.published_at
    await publications.add_edition(connection, team.team_id, slot, summary, head, editions.rules_in_force(team.terms))
    data = SummaryData(
        team=team.name,
        kind=summary.kind,
        form=summary.form,
        period=summary.period,
        edition=summary.edition,
        chain_head=head.link.hex(),
        late=summary.late,
        link=f"{options.public_url}/review/summaries/{summary.kind}/{summary.period}?edition={summary.edition}",
    )
    key = f"summary {summary.kind} {summary.period} {summary.form} {summary.edition}"
    payload = SummaryPublished(timestamp=summary.published_at, data=data)
    await outbox.enqueue(connection, team.team_id, "summary", key, payload, summary.published_at)
    if options.journal:
        # last before the commit: should that fail all the same, the period's next line is the true one
        await options.journal.add(*await publications.rows_of(connection, team.team_id, summary))


async def _keep(connection: Connection, team: CalendarTeam, fresh: Sequence[IncidentFact]) -> None:
    """Publication does not depend on these: facts that are not kept are made again."""
    try:
        await facts.store_facts(connection, team.team_id, fresh, editions.rules_in_force(team.terms))
    except (*UNREACHABLE, asyncpg.PostgresError) as error:
        logger.warning("facts_not_kept", exc_info=error)


async def _record_failure(database: Database, team: CalendarTeam, slot: Slot, now: datetime, error: Exception) -> None:
    logger.error("summary_failed", exc_info=error, extra={"kind": slot.period.kind, "period": slot.period.name})
    FAILED.labels(slot.period.kind).inc()
    async with database.team(team.team_id) as connection:
        await publications.record_failure(connection, team.team_id, slot, now)

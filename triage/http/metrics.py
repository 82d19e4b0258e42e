"""Counts and times for Prometheus. No label holds anything of a person, an incident or an address."""

import asyncio
import platform
import time
from datetime import UTC, datetime
from functools import cache
from hmac import compare_digest
from importlib.metadata import version
from typing import Final

from litestar import MediaType, Response, Router, get
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, Info, generate_latest

from triage.http.access_control import bearer
from triage.http.negotiation import ready
from triage.http.parameters import AnyRequest, TheService
from triage.problems import NOT_FOUND, TOKEN_INVALID, TOKEN_MISSING, Refused
from triage.service import Service
from triage.store import gauges
from triage.store.gauges import Gauges

REQUESTS = Counter("triage_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "triage_request_seconds",
    "Time to answer.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
WAITING = Gauge("triage_entries_waiting", "Entries that wait for the log in this process.")
APPEND_SECONDS = Histogram(
    "triage_append_seconds",
    "Time of one append to the log, of however many entries.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
APPEND_ENTRIES = Histogram(
    "triage_append_entries",
    "Entries gathered into one append.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
POOL_SIZE = Gauge("triage_pool_connections", "Database connections that this process has open.")
POOL_FREE = Gauge("triage_pool_free_connections", "Of these, how many nobody uses.")
POOL_WAITED = Gauge("triage_pool_wait_seconds", "How long requests have waited for one, all together since the start.")
LOG_ENTRIES = Gauge("triage_log_entries", "Entries in the logs of all teams.")
QUARANTINE = Gauge("triage_quarantine_items", "Items that wait in quarantine.")
QUARANTINE_AGE = Gauge("triage_quarantine_oldest_seconds", "Age of the oldest item that waits in quarantine.")
OUTBOX_AGE = Gauge("triage_outbox_oldest_seconds", "Age of the oldest message not delivered.")
OUTBOX_WAITING = Gauge("triage_outbox_waiting", "Messages not delivered yet.", ["channel"])
OUTBOX_DEAD = Gauge("triage_outbox_dead", "Messages that were given up.")
OVERDUE = Gauge("triage_publication_overdue_seconds", "Time since the oldest unpublished summary was due.")
CLOCK_SKEW = Gauge("triage_clock_skew_seconds", "The largest offset of a phone's clock, of the last day.")
SILENCE = Gauge(
    "triage_device_silence_seconds",
    "Time since a device was last heard of, of those heard of in the last day; of the team where it is longest.",
    ["quantile"],
)
AUDIT_UNCHAINED = Gauge("triage_audit_unsealed_oldest_seconds", "How long the oldest row waits to be chained.")
JOURNAL_WRITTEN = Gauge(
    "triage_journal_written_timestamp_seconds", "When the journal was last written to; NaN while it does not answer."
)
SYNCHRONOUS = Gauge(
    "triage_database_synchronous_standbys",
    "Standbys that a commit waits for; NaN where the login may not see them.",
)
REPLICA_LAG = Gauge("triage_database_replica_lag_bytes", "How far the last replica is behind; NaN as above.")
JOB_SUCCESS = Gauge("triage_job_success_timestamp_seconds", "When a job, or a command, last succeeded.", ["job_name"])
JOB_INTERVAL = Gauge("triage_job_interval_seconds", "How often a job is to run.", ["job_name"])
JOB_FAILURES = Gauge("triage_job_failures", "How often a job has failed, over all processes.", ["job_name"])
EPOCH = Gauge("triage_log_epoch", "1 for the history of the log that this process sees.", ["epoch"])
BUILD = Info("triage_build", "What runs here.")
BUILD.info({"version": version("triage"), "python": platform.python_version()})

READ_EVERY_S: Final = 10.0
"""The gauges ask for each team in turn: however many scrape, they are read this often at most."""
NO_ROUTE: Final = "none"


def observe_append(entries: int, seconds: float) -> None:
    """Count one append."""
    APPEND_ENTRIES.observe(entries)
    APPEND_SECONDS.observe(seconds)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request. `route` is the template of its path, never the path."""
    counter, histogram = _of(method if method in METHODS else NO_ROUTE, route or NO_ROUTE, status)
    counter.inc()
    histogram.observe(seconds)


METHODS: Final = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH")


@cache
def _of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, route, str(status)), SECONDS.labels(method, route)


class _Reading:
    """When the gauges were last read, and of which service."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._of: Service | None = None
        self._at = 0.0

    async def renew(self, service: Service) -> None:
        """Read them, unless that was just done."""
        async with self._lock:
            if self._of is not service or time.monotonic() - self._at >= READ_EVERY_S:
                _set(await gauges.read(service.database, service.journal, datetime.now(UTC)))
                self._of, self._at = service, time.monotonic()


_reading: Final = _Reading()


def _set(read: Gauges) -> None:
    LOG_ENTRIES.set(read.log_head)
    QUARANTINE.set(read.quarantine)
    QUARANTINE_AGE.set(read.quarantine_seconds)
    OUTBOX_AGE.set(read.outbox_seconds)
    OUTBOX_WAITING.labels("email").set(read.emails_waiting)
    OUTBOX_WAITING.labels("webhook").set(read.webhooks_waiting)
    OUTBOX_DEAD.set(read.outbox_dead)
    OVERDUE.set(read.overdue_seconds)
    CLOCK_SKEW.set(read.clock_skew_ms / 1000)
    SILENCE.labels("0.5").set(read.median_silence_s)
    SILENCE.labels("0.9").set(read.long_silence_s)
    AUDIT_UNCHAINED.set(read.audit_unchained_s)
    JOURNAL_WRITTEN.set(read.journal_written_at.timestamp() if read.journal_written_at else float("nan"))
    seen = read.replication.visible
    SYNCHRONOUS.set(read.replication.synchronous if seen else float("nan"))
    REPLICA_LAG.set(read.replication.lag_bytes if seen else float("nan"))
    EPOCH.clear()
    EPOCH.labels(str(read.epoch)).set(1)
    for job in read.jobs:
        JOB_FAILURES.labels(job.job).set(job.failures)
        if job.succeeded_at:
            JOB_SUCCESS.labels(job.job).set(job.succeeded_at.timestamp())
        if job.every_s:
            JOB_INTERVAL.labels(job.job).set(job.every_s)


@get(
    "/metrics",
    sign_in="by_itself",
    forms=(),
    any_query=True,
    any_history=True,
    media_type=MediaType.TEXT,
    response_description="Metrics.",
    problems=[NOT_FOUND, TOKEN_MISSING, TOKEN_INVALID],
)
async def get_metrics(request: AnyRequest, service: TheService) -> Response[bytes]:
    """Metrics for Prometheus, behind a token of their own; without such a setting there is nothing here."""
    token = service.settings.metrics_token
    if token is None:
        raise Refused(NOT_FOUND)
    if not compare_digest(bearer(request.scope).encode(), token.encode()):
        raise Refused(TOKEN_INVALID)
    WAITING.set(service.log.waiting)
    POOL_SIZE.set(service.database.connections)
    POOL_FREE.set(service.database.free_connections)
    POOL_WAITED.set(service.database.waited_s)
    await _reading.renew(service)
    return ready(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


router = Router("/", route_handlers=[get_metrics], tags=["Operations"])

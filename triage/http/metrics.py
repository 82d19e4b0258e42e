"""Counts and times for Prometheus. No label holds anything of a person, an incident or an address."""

from datetime import UTC, datetime
from functools import cache
from hmac import compare_digest

from litestar import MediaType, Response, Router, get
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Counter, Gauge, Histogram, generate_latest

from triage.http.access_control import bearer
from triage.http.negotiation import ready
from triage.http.parameters import AnyRequest, TheService
from triage.problems import NOT_FOUND, TOKEN_INVALID, TOKEN_MISSING, Refused
from triage.store import gauges

REQUESTS = Counter("triage_requests_total", "Requests answered.", ["method", "status"])
SECONDS = Histogram(
    "triage_request_seconds",
    "Time to answer.",
    ["method"],
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
LOG_HEAD = Gauge("triage_log_entries", "Entries in the logs of all teams.")
QUARANTINE = Gauge("triage_quarantine_items", "Items that wait in quarantine.")
OUTBOX_AGE = Gauge("triage_outbox_oldest_seconds", "Age of the oldest message not delivered.")
UNPUBLISHED = Gauge(
    "triage_summary_unpublished_seconds", "Time since the oldest summary was due that is not published."
)
CLOCK_SKEW = Gauge("triage_clock_skew_milliseconds", "The largest offset of a phone's clock, of the last day.")


def observe_append(entries: int, seconds: float) -> None:
    """Count one append."""
    APPEND_ENTRIES.observe(entries)
    APPEND_SECONDS.observe(seconds)


def observe(method: str, status: int, seconds: float) -> None:
    """Count one request."""
    counter, histogram = _of(method, status)
    counter.inc()
    histogram.observe(seconds)


@cache
def _of(method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, str(status)), SECONDS.labels(method)


@get(
    "/metrics",
    sign_in="by_itself",
    forms=(),
    any_query=True,
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
    standing = await gauges.read(service.database, datetime.now(UTC))
    LOG_HEAD.set(standing.log_head)
    QUARANTINE.set(standing.quarantine)
    OUTBOX_AGE.set(standing.outbox_seconds)
    UNPUBLISHED.set(standing.unpublished_seconds)
    CLOCK_SKEW.set(standing.clock_skew_ms)
    return ready(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


router = Router("/", route_handlers=[get_metrics], tags=["Operations"])

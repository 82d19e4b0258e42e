"""Counts and times for Prometheus. No label holds anything of a person, an incident or an address."""

from functools import cache
from hmac import compare_digest

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from triage.http.messages import NO_STORE, Answer, bearer
from triage.http.service import Asked
from triage.problems import NOT_FOUND, TOKEN_INVALID, Refused

REGISTRY = CollectorRegistry()
REQUESTS = Counter("triage_requests_total", "Requests answered.", ["method", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "triage_request_seconds",
    "Time to answer.",
    ["method"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
WAITING = Gauge("triage_entries_waiting", "Entries that wait for the log in this process.", registry=REGISTRY)


def observe(method: str, status: int, seconds: float) -> None:
    """Count one request."""
    counter, histogram = _of(method, status)
    counter.inc()
    histogram.observe(seconds)


@cache
def _of(method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(method, str(status)), SECONDS.labels(method)


async def get_metrics(asked: Asked) -> Answer:
    """The metrics, behind a token of their own; without such a setting there is nothing here."""
    token = asked.service.settings.metrics_token
    if token is None:
        raise Refused(NOT_FOUND)
    if not compare_digest(bearer(asked.scope).encode(), token.encode()):
        raise Refused(TOKEN_INVALID)
    WAITING.set(asked.service.log.waiting)
    return Answer(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST.encode(), [NO_STORE])

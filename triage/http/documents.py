"""Documents that say how to talk to the service."""

from functools import cache

from triage import codes
from triage.http.messages import Answer, is_unchanged, require_acceptable, strong_etag
from triage.http.service import Asked
from triage.resources import folder


async def get_codes(asked: Asked) -> Answer:
    """All code lists."""
    require_acceptable(asked.scope, "application/json")
    await asked.actor()
    return _document(asked, codes.document())


async def get_openapi(asked: Asked) -> Answer:
    """The OpenAPI document, as committed."""
    require_acceptable(asked.scope, "application/json", "application/vnd.oai.openapi+json")
    return _document(asked, _openapi())


@cache
def _openapi() -> bytes:
    return (folder("openapi") / "triage.json").read_bytes()


def _document(asked: Asked, body: bytes) -> Answer:
    etag = strong_etag(body)
    headers = [(b"etag", etag.encode()), (b"cache-control", b"no-cache")]
    if is_unchanged(asked.scope, etag):
        return Answer(304, headers=headers)
    return Answer(200, body, headers=headers)

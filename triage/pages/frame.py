"""The templates of the review pages: plain HTML without script, everything from this service."""

from functools import cache
from hashlib import sha256
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
NAVIGATION: Final = (
    ("/review", "Today", ()),
    ("/review/incidents", "Incidents", ("/review/incidents/",)),
    ("/review/reports", "Reports", ("/review/summaries/", "/review/day", "/review/compare")),
    ("/review/queue", "Queue", ()),
)
"""Address, name, and where the pages lie that belong to it."""

_loader = PackageLoader("triage.pages")
_templates = Environment(
    loader=_loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_templates.globals["navigation"] = NAVIGATION
_templates.filters["sentence"] = lambda text: text[:1].upper() + text[1:]


def render(template: str, **content: Any) -> bytes:
    """A page."""
    return _templates.get_template(template).render(content).encode()


def file(name: str) -> bytes:
    """What pages load beside themselves: `style.css`, `icon.svg`."""
    source, _, _ = _loader.get_source(_templates, name)
    return source.encode()


@cache
def tag(name: str) -> str:
    """The strong entity tag of such a file."""
    return f'"{sha256(file(name)).hexdigest()[:32]}"'

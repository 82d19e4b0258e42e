"""The templates of the review pages: plain HTML without script, everything from this service."""

from typing import Any, Final

from jinja2 import Environment, PackageLoader, PrefixLoader, StrictUndefined

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

NAVIGATION: Final = (
    ("/review", "Today"),
    ("/review/day", "The day’s summary"),
    ("/review/trends", "Trends"),
    ("/review/chase", "Chase list"),
    ("/review/queue", "Queue"),
)

_pages = PackageLoader("triage.pages")
_templates = Environment(
    # the charts are those of the published summaries, and found there
    loader=PrefixLoader({"review": _pages, "summaries": PackageLoader("triage.summaries")}),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals["navigation"] = NAVIGATION


def render(template: str, **content: Any) -> bytes:
    """A page."""
    return _templates.get_template(f"review/{template}").render(content).encode()


def file(name: str) -> bytes:
    """What pages load beside themselves: `style.css`, `icon.svg`."""
    source, _, _ = _pages.get_source(_templates, name)
    return source.encode()

"""The frame of the review pages around the templates of reports: navigation, who is signed in, what was done."""

from functools import cache
from hashlib import sha256
from typing import Any, Final

from jinja2 import ChoiceLoader, PackageLoader

from triage.report import html

NAVIGATION: Final = (
    ("/review", "Today", ()),
    ("/review/incidents", "Incidents", ("/review/incidents/",)),
    ("/review/reports", "Reports", ("/review/summaries/", "/review/day", "/review/compare")),
    ("/review/queue", "Queue", ()),
)
"""Address, name, and where the pages lie that belong to it."""

_loader = ChoiceLoader([PackageLoader("triage.pages"), PackageLoader("triage.report")])
_templates = html.environment.overlay(loader=_loader)


def render(template: str, **content: Any) -> bytes:
    """A page."""
    frame = {"frame": "frame.html", "style": "", "navigation": NAVIGATION}
    return _templates.get_template(template).render(frame | content).encode()


def file(name: str) -> bytes:
    """The files that pages load: `style.css`, `icon.svg`."""
    source, _, _ = _loader.get_source(_templates, name)
    return source.encode()


@cache
def tag(name: str) -> str:
    """The strong entity tag of such a file."""
    return f'"{sha256(file(name)).hexdigest()[:32]}"'

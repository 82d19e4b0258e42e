"""Reports and sheets as pages: plain HTML without script, under one content security policy and one style sheet.

The templates and the environment are those of the review pages too, which put a frame of their own around them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from triage.report import charts
from triage.report.blocks import AnyBlock, Report
from triage.report.sheets import Day, Document, Week

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
STYLE_SHEET: Final = "style.css"
_TEMPLATES: Final[Mapping[type, str]] = {Report: "report.html", Day: "day.html", Week: "week.html"}


def kind_of(block: AnyBlock) -> str:
    """The kind of a part of a report."""
    return str(block.__struct_config__.tag)


environment = Environment(
    loader=PackageLoader("triage.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals["charts"] = charts
environment.filters["sentence"] = lambda text: text[:1].upper() + text[1:]
environment.filters["kind_of"] = kind_of


def template_of(document: Document) -> str:
    """The template that prints a document."""
    return _TEMPLATES[type(document)]


def content_of(
    document: Document,
    *,
    links: Mapping[str, str] | None = None,
    files: Sequence[tuple[str, str]] = (),
    newer: str = "",
    earlier: str = "",
    running: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """The values that its template asks for.

    `links`: the addresses behind lines of measures; `files`: other forms by name; `newer`: the address of the latest
    edition, where this is another; `earlier`: of the period before; `running`: the detentions to hand over now.
    """
    return {
        "document": document,
        "links": links or {},
        "files": files,
        "newer": newer,
        "earlier": earlier,
        "running": running,
    }


def render(document: Document, *, standalone: bool = False) -> bytes:
    """A document as a page of its own, without links to what lies behind its figures.

    `standalone`: a file, which carries the style sheet that a page loads from the service.
    """
    content = content_of(document) | {"frame": "document.html", "style": style_sheet() if standalone else ""}
    return environment.get_template(template_of(document)).render(content).encode()


def style_sheet() -> str:
    """The one style sheet."""
    assert environment.loader
    source, _, _ = environment.loader.get_source(environment, STYLE_SHEET)
    return source

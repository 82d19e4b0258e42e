"""Summaries as pages: plain HTML that works without script or style, charts beside their tables, no outside address."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import UNSET

from triage.summaries.comparison import ComparedLine, Comparison
from triage.summaries.editions import Summary
from triage.summaries.figures import Measure

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
LONGEST_CHART = 24

_templates = Environment(
    loader=PackageLoader("triage.summaries"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def of_summary(summary: Summary, zone: ZoneInfo, stylesheet: str | None = None) -> bytes:
    """An edition as a page."""
    page = _templates.get_template("summary.html")
    return page.render(summary=summary, facts=facts(summary, zone), stylesheet=stylesheet).encode()


def of_comparison(report: Comparison, stylesheet: str | None = None) -> bytes:
    """Two spans side by side as a page."""
    return _templates.get_template("comparison.html").render(report=report, stylesheet=stylesheet).encode()


def facts(summary: Summary, zone: ZoneInfo) -> list[tuple[str, str]]:
    """What every edition prints of itself."""
    return [
        ("Edition", str(summary.edition) if summary.edition else "none"),
        ("Form", summary.form),
        ("Period", f"{_local(summary.starts_at, zone)} to {_local(summary.ends_at, zone)}"),
        ("Covered by the log", _covered(summary)),
        ("Published", _local(summary.published_at, zone)),
        ("As at", _local(summary.as_at, zone)),
        ("Position in the log", str(summary.as_at_seq) if summary.as_at_seq is not None else "none"),
        ("Chain head", summary.chain_head or "none"),
        ("Rules", f"{summary.rules}, measures {summary.measures_version}, code lists {summary.codes_version}"),
        ("Previous edition", str(summary.previous) if summary.previous else "none"),
    ]


def _covered(summary: Summary) -> str:
    if summary.covered_from is None or summary.covered_to is None:
        return "nothing"
    return f"{summary.covered_from:%-d %B %Y} to {summary.covered_to:%-d %B %Y}"


def _local(instant: datetime | None, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).strftime("%-d %B %Y %H:%M %Z") if instant else "not yet"


def _figure(value: object) -> str:
    return "no data" if value is None or value is UNSET else f"{value:g}" if isinstance(value, float) else str(value)


def _charted(measure: Measure) -> list[tuple[str, int | float]]:
    """The lines to draw: the first column of a measure whose values compare with one another."""
    rows = measure.rows if isinstance(measure.rows, tuple) else ()
    column = rows[0].column if rows else None
    lines = [(row.label, row.value) for row in rows if row.column == column and row.value is not None]
    drawable = len(lines) > 1 and all(value >= 0 for _, value in lines) and any(value for _, value in lines)
    return lines if drawable and len(lines) <= LONGEST_CHART else []


def _columned(measure: Measure) -> bool:
    return isinstance(measure.rows, tuple) and any(row.column for row in measure.rows)


def _by_measure(lines: Iterable[ComparedLine]) -> list[tuple[str, str, str, list[ComparedLine]]]:
    return [(*key, list(group)) for key, group in groupby(lines, lambda line: (line.measure, line.label, line.caveat))]


def _paired(lines: Iterable[ComparedLine], report: Comparison) -> list[tuple[str, float]]:
    """The percentages of both spans, line after line, as far as both may be printed."""
    percentages: list[tuple[str, float]] = []
    for line in lines:
        if line.first.percent is not None and line.second.percent is not None:
            percentages += [
                (f"{line.row}, {report.first.name}, %", line.first.percent),
                (f"{line.row}, {report.second.name}, %", line.second.percent),
            ]
    return percentages if len(percentages) <= LONGEST_CHART else []


_templates.filters |= {
    "figure": _figure,
    "charted": _charted,
    "columned": _columned,
    "by_measure": _by_measure,
    "paired": _paired,
}
_templates.tests["unset"] = lambda value: value is UNSET

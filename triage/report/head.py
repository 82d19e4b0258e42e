"""The head of an internal edition: its period, its instants, and where in the log it was cut."""

from datetime import datetime
from zoneinfo import ZoneInfo

from triage.summaries.editions import Summary


def head(summary: Summary, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Each fact of the head with what it is called."""
    return [
        ("Edition", str(summary.edition) if summary.edition else "none"),
        ("Form", summary.form),
        ("Period", f"{local(summary.starts_at, zone)} to {local(summary.ends_at, zone)}"),
        ("Covered by the log", _covered(summary)),
        ("Published", local(summary.published_at, zone)),
        ("As at", local(summary.as_at, zone)),
        ("Position in the log", str(summary.as_at_seq) if summary.as_at_seq is not None else "none"),
        ("Chain head", summary.chain_head or "none"),
        ("Rules", f"{summary.rules}, measures {summary.measures_version}, code lists {summary.codes_version}"),
        ("Previous edition", str(summary.previous) if summary.previous else "none"),
    ]


def _covered(summary: Summary) -> str:
    if summary.covered_from is None or summary.covered_to is None:
        return "nothing"
    return f"{summary.covered_from:%-d %B %Y} to {summary.covered_to:%-d %B %Y}"


def local(instant: datetime | None, zone: ZoneInfo) -> str:
    """An instant by the team's clock, with the name of its zone."""
    return instant.astimezone(zone).strftime("%-d %B %Y %H:%M %Z") if instant else "not yet"

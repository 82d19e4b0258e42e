"""From a figure to its incidents: which lines a reader may follow."""

from collections.abc import Iterable

from msgspec import UNSET

from triage.log.view import IncidentView
from triage.summaries.registry import Definition


def may_follow(definition: Definition, views: Iterable[IncidentView]) -> bool:
    """Whether a reader may be led from a line to its incidents, of which these are the views served to that reader.

    Every field by which the line classifies has to be there on every one of them: which incidents a line counts would
    else tell what the reader may not see. A field that blindness hides is not there.
    """
    return all(_is_served(view, field) for view in views for field in definition.fields)


def _is_served(view: object, field: str) -> bool:
    """Whether `a`, or `a.b` for a member of a part that there is, is served; a part that is null hides nothing."""
    if field == "repeat_contact":  # absent too where nobody is linked; who sees grades sees it
        field = "diversion"
    for name in field.split("."):
        if view is None:
            return True
        view = getattr(view, name, UNSET)
    return view is not UNSET

"""From a figure to its incidents: which lines a lead may follow."""

from collections.abc import Iterable

from triage.log.visibility import FIELDS, VIEW, Sight, Who
from triage.summaries.registry import Definition


def may_follow(definition: Definition, sights: Iterable[Sight]) -> bool:
    """Whether a lead may be led from a line to its incidents, of which these are the lead's sights.

    Every field by which the line classifies has to be open to each of them: which incidents a line counts would else
    tell what the lead may not see. What the incidents hold decides nothing, so a line that is a link leads somewhere.
    """
    return all(_is_open(field, sight) for sight in sights for field in definition.fields)


def _is_open(field: str, sight: Sight) -> bool:
    """Whether a member of a view, or the `kind.field` of an entry that one of its parts holds, is shown to a lead."""
    kind, _, part = field.partition(".")
    who = FIELDS[kind][part] if part else VIEW[kind]
    return who is Who.LEADS or sight.sees(who, sight.side)

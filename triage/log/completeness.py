"""Which of the fields that a report needs were filled in, and by whom: measured once per incident."""

from msgspec import Struct

from triage import codes
from triage.log.effective import kind
from triage.log.incident import Incident

ALWAYS_ASKED = ("occurred_at", "area", "referral_source")
"""All that is asked where nobody was seen: stood down, or not attended."""

FIELDS = (
    *ALWAYS_ASKED,
    "location_type",
    "contact_mode",
    "age",
    "sex",
    "ethnicity",
    "presenting",
    "legal_status",
)
"""The fields counted; `age` is either the years or the band."""

NOT_SEEN = ("stood_down", "not_attended")


class Filled(Struct, frozen=True, gc=False):
    """One field of one incident. `recorded` names the professions that answered it, a coded missing value being an
    answer; `known` those whose answer says something."""

    field: str
    recorded: tuple[str, ...]
    known: tuple[str, ...]


def completeness(incident: Incident) -> tuple[Filled, ...]:
    """The fields asked in this incident, each with the professions that filled it in."""
    outcome = incident.view.outcome
    fields = ALWAYS_ASKED if outcome and outcome.disposal in NOT_SEEN else FIELDS
    return tuple(_filled(incident, field) for field in fields)


def _filled(incident: Incident, field: str) -> Filled:
    recorded, known = set(), set()
    for one in incident.entries.contacts:
        answers = [value for name in _NAMES.get(field, (field,)) if (value := getattr(one.entry, name)) is not None]
        if answers:
            recorded.add(kind(one.stored.entry))
        if any(value not in _MISSING.get(field, ()) for value in answers if value != []):
            known.add(kind(one.stored.entry))
    return Filled(field, tuple(sorted(recorded)), tuple(sorted(known)))


_NAMES = {"age": ("age", "age_band")}
_MISSING = {
    field: codes.list("age_band" if field == "age" else field).missing
    for field in ("area", "location_type", "age", "sex", "ethnicity", "legal_status")
}

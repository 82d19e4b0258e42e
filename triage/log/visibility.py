"""Who may see each field of every kind of entry, and each member of a view: an allow-list.

A field without a row here is shown to nobody, and fails a test. Fields are removed from entries
before they are added up (`triage.log.redaction`), so that no sum tells what is hidden.
"""

from enum import Enum, auto

from msgspec import Struct

from triage.access.actors import Side


class Who(Enum):
    """Who sees a field. Police and health are sides; blind is a health account that may not know of an intent yet."""

    EVERYONE = auto()
    POLICE = auto()
    HEALTH = auto()
    AUTHORS_SIDE = auto()
    NOT_BLIND = auto()
    """Police, and health accounts that are not blind."""
    OFFENCE = auto()
    """Police; health accounts that are not blind see only whether there was one."""
    RESULT = auto()
    """Health; police see only custody."""
    EXTENSION = auto()
    """Health; what police add up tells only whether it is valid, and what they read nothing."""
    LEADS = auto()
    """Sergeant and clinical lead."""


class Sight(Struct, frozen=True):
    """The sight of an audience of one incident: its side, and whether it is blind."""

    side: Side
    blind: bool

    def sees(self, who: Who, author: Side) -> bool:
        """Whether a field of an entry by this side is seen as it is."""
        match who:
            case Who.EVERYONE:
                return True
            case Who.POLICE | Who.OFFENCE:
                return self.side == "police"
            case Who.HEALTH | Who.RESULT | Who.EXTENSION:
                return self.side == "health"
            case Who.NOT_BLIND:
                return self.side == "police" or not self.blind
            case Who.AUTHORS_SIDE:
                return self.side == author
            case Who.LEADS:
                return False


def _rows(who: Who, names: str) -> dict[str, Who]:
    return dict.fromkeys(names.split(), who)


_ENVELOPE = _rows(Who.EVERYONE, "id incident_id captured_at codes_version form_version test car") | _rows(
    Who.AUTHORS_SIDE, "answers"
)
_CONTACT = _ENVELOPE | _rows(
    Who.EVERYONE,
    "log_ref occurred_at arrived_at left_at area force_code location_type someone_lives_there contact_mode"
    " referral_source age age_band age_estimated age_verified could_be_under_18 sex ethnicity interpreter_needed"
    " legal_status legal_status_at immediate_danger",
)
_HEALTH_CONTACT = _CONTACT | _rows(Who.HEALTH, "presenting disability note")
_TARGET = _ENVELOPE | _rows(Who.EVERYONE, "reason")

FIELDS: dict[str, dict[str, Who]] = {
    "officer": _CONTACT
    | _rows(Who.EVERYONE, "presenting disability force_type")
    | _rows(Who.NOT_BLIND, "intent")
    | _rows(Who.OFFENCE, "offence")
    | _rows(Who.POLICE, "consulted not_consulted_reason arrest_necessity domestic_abuse referrals note"),
    "nurse": _HEALTH_CONTACT
    | _rows(Who.EVERYONE, "advice advice_given_at")
    | _rows(
        Who.HEALTH,
        "known_to_services crisis_plan assessment s136_justified told_intent safety_plan referrals follow_up_owner"
        " follow_up_due looked_after parent_or_carer_informed",
    ),
    "paramedic": _HEALTH_CONTACT
    | _rows(Who.HEALTH, "physical_need initial_plan ed_reason news2 conveyed capacity_to_decide_care"),
    "intent": _ENVELOPE | _rows(Who.NOT_BLIND, "intent"),
    "outcome": _ENVELOPE
    | _rows(
        Who.EVERYONE,
        "disposal decided_at decided_by location_type transport ambulance_requested police_vehicle_reason reason",
    ),
    "detention": _ENVELOPE
    | _rows(
        Who.EVERYONE,
        "event at power place_of_safety place_reason minutes superintendent_approved station_tests authorised_rank"
        " reason",
    )
    | _rows(Who.EXTENSION, "ground authorised_by")
    | _rows(Who.RESULT, "result"),
    "follow_up": _ENVELOPE | _rows(Who.EVERYONE, "event at referral section sources"),
    "amendment": _TARGET | _rows(Who.EVERYONE, "amends entry"),
    "withdrawal": _TARGET | _rows(Who.EVERYONE, "withdraws"),
    "same_incident": _TARGET | _rows(Who.EVERYONE, "other_incident_id"),
    "not_same_incident": _TARGET | _rows(Who.EVERYONE, "other_incident_id"),
    "person_link": _TARGET | _rows(Who.EVERYONE, "person_id"),
    "person_unlink": _TARGET | _rows(Who.EVERYONE, "person_id"),
}
"""Of every kind. A follow-up and a change of another entry are shown or hidden as a whole (`triage.log.redaction`)."""

PARTS: dict[str, dict[str, Who]] = {
    "intent": _rows(Who.NOT_BLIND, "power confidence formed_at source location_type")
    | _rows(Who.POLICE, "referrer log_time tests evidence"),
    "tests": _rows(Who.POLICE, "mental_disorder immediate_need necessary"),
    "consulted": _rows(Who.POLICE, "role at"),
    "station_tests": _rows(Who.EVERYONE, "imminent_risk no_other_place healthcare_available"),
}
"""Of the parts that a field holds, by the field's name."""

VIEW: dict[str, Who] = (
    _rows(
        Who.EVERYONE,
        "id linked_ids status test revision seq changed_at occurred_at arrived_at left_at operational_day area"
        " location_type someone_lives_there place_now log_ref car contact_mode referral_source age age_band under_18"
        " sex ethnicity interpreter_needed disability presenting legal_status immediate_danger force_type advice"
        " outcome transport detention detentions follow_ups referrals flags contributions repeat_contact",
    )
    | _rows(Who.NOT_BLIND, "intents offence")
    | _rows(Who.POLICE, "consulted not_consulted_reason")
    | _rows(
        Who.HEALTH,
        "assessment physical_need initial_plan news2 conveyed capacity_to_decide_care known_to_services crisis_plan"
        " safety_plan follow_up_owner follow_up_due",
    )
    | _rows(Who.LEADS, "diversion")
)
"""Of the members of a view: what an audience may not see is absent. The others hold what its entries add up to."""

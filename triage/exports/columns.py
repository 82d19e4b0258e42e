"""The columns of a record file: what each is called, means and may hold, and what becomes of it inside a group."""

from typing import Final, Literal

from msgspec import Struct

from triage.exports import members as m


class RecordColumn(Struct, frozen=True):
    """A column. Those of `group` are what rows of a group share; `outcome` stays with them; `shuffled` is re-paired."""

    name: str
    title: str
    meaning: str
    part: Literal["group", "outcome", "shuffled"]
    classes: tuple[str, ...]
    """In published order; none for a month, which the period of a file says."""


class ShuffledColumn(RecordColumn, frozen=True):
    """A column that a classification makes of one field of a member."""

    field: str
    classification: m.Classification


def _shuffled(name: str, title: str, meaning: str, field: str, classification: m.Classification) -> ShuffledColumn:
    return ShuffledColumn(name, title, meaning, "shuffled", classification.classes, field, classification)


SHUFFLED_COLUMNS: Final = (
    _shuffled("source", "Source of the call", "Shuffled among the people of a group.", "referral_source", m.SOURCE),
    _shuffled(
        "conveyance",
        "Conveyance",
        "How the person travelled; shuffled among the people of a group.",
        "conveyance",
        m.CONVEYANCE,
    ),
)
RECORD_COLUMNS: Final[tuple[RecordColumn, ...]] = (
    RecordColumn("area", "Area", "Where it happened.", "group", m.AREA.classes),
    RecordColumn("age", "Age", "In years.", "group", (*m.AGE.classes, "18-64")),
    RecordColumn("sex", "Sex", "As recorded.", "group", m.SEX.classes),
    RecordColumn("ethnic_group", "Ethnic group", "As the person said.", "group", m.ETHNIC_GROUP.classes),
    RecordColumn("shift", "Shift", "Eight hours of local time.", "group", m.SHIFTS),
    RecordColumn("month", "Month", "Of the operational day, which lasts from six to six in the morning.", "group", ()),
    RecordColumn("power", "Power considered", "The first that an officer had in mind.", "outcome", m.POWER.classes),
    RecordColumn("disposal", "First disposal", "What was done first.", "outcome", m.DISPOSAL.classes),
    RecordColumn(
        "place_of_safety", "Place of safety", "The first one of a detention.", "outcome", m.PLACE_OF_SAFETY.classes
    ),
    RecordColumn("minutes_at_scene", "Minutes at the scene", "From arrival to leaving.", "outcome", m.MINUTES),
    *SHUFFLED_COLUMNS,
)

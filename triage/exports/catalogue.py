"""The tables that may be published, and nothing else ever is.

Each entry is a ladder, the finest form first: a period gets the first form that last year's numbers admit, and where
none is admitted the entry waits for the next longer period. All forms of one variable nest (an area lies in one local
authority, a disposal in one of three, those in used or not used), so a coarser cell is a union of finer ones and two
tables never cut the same people in two ways. A table by disposal replaces the coarser levels of the disposal.
"""

from typing import Final, Literal

import msgspec

from triage.exports import members as m
from triage.times import PeriodKind

Quantity = Literal["incidents", "people", "median_minutes"]
"""The quantity of a table: incidents, known people, or the median of minutes at the scene."""


class CatalogueTable(msgspec.Struct, frozen=True):
    """One table: the variables that make its rows, at most two, and the sensitive one of its columns, if any."""

    code: str
    title: str
    rows: tuple[str, ...] = ()
    column: str | None = None
    counts: Quantity = "incidents"


ATTENDANCE: Final = ("once", "2 to 4", "5 or more")
"""Classes of known people by their number of incidents in the period."""
ED_AVOIDED: Final = ("avoided", "not_avoided")
"""Whether somebody for whom an emergency department was planned stayed out of one."""
PARTIAL: Final = frozenset(("grade", "ed_avoided", "s136_place", "s136_conveyance"))
"""Variables that only some incidents have: a table with one of them counts those alone."""

COARSER_DISPOSALS: Final = ("disposal_in_three", "power_used")
"""Never in one period with the fine disposal: the difference of two levels would tell of what is `c`."""

CLASSES: Final = {
    "area": m.AREA.classes,
    "local_authority": m.LOCAL_AUTHORITY.classes,
    "age": m.AGE.classes,
    "sex": m.SEX.classes,
    "ethnic_group": m.ETHNIC_GROUP.classes,
    "ethnicity": m.ETHNICITY.classes,
    "power": m.POWER.classes,
    "disposal": m.DISPOSAL.classes,
    "disposal_in_three": tuple(dict.fromkeys(m.DISPOSAL_IN_THREE.values())),
    "power_used": tuple(dict.fromkeys(m.DISPOSAL_IN_TWO.values())),
    "grade": m.GRADE.classes,
    "shift": m.SHIFTS,
    "ed_avoided": ED_AVOIDED,
    "s136_place": m.PLACE_OF_SAFETY.classes,
    "s136_conveyance": m.CONVEYANCE.classes,
    "attendance": ATTENDANCE,
}
"""Every variable of a table with all its classes, in published order."""


def _by_area(code: str, title: str, more: tuple[str, ...], column: str) -> tuple[CatalogueTable, CatalogueTable]:
    return (
        CatalogueTable(f"area_{code}", f"Area {title}", ("area", *more), column),
        CatalogueTable(f"local_authority_{code}", f"Local authority {title}", ("local_authority", *more), column),
    )


TOTAL: Final = CatalogueTable("incidents", "Incidents")
"""Always published: its one cell needs ten incidents and no more, and is rounded like any other."""

_MONTHLY: Final = (
    (TOTAL,),
    (CatalogueTable("disposal_in_three", "Disposal in three", (), "disposal_in_three"),),
    (CatalogueTable("power_used", "Power used or not", (), "power_used"),),
    _by_area("disposal", "by disposal", (), "disposal"),
    _by_area("power", "by power considered", (), "power"),
    (CatalogueTable("age_disposal", "Age by disposal", ("age",), "disposal"),),
    (CatalogueTable("ethnic_group_power", "Ethnic group by power considered", ("ethnic_group",), "power"),),
    (CatalogueTable("sex_power", "Sex by power considered", ("sex",), "power"),),
    (CatalogueTable("grade", "Section 136 considered and not used, by grade", (), "grade"),),
)
_QUARTERLY: Final = (
    *_MONTHLY,
    _by_area("age_power", "and age by power considered", ("age",), "power"),
    (CatalogueTable("ethnic_group_disposal", "Ethnic group by disposal", ("ethnic_group",), "disposal"),),
    (CatalogueTable("sex_age_disposal", "Sex and age by disposal", ("sex", "age"), "disposal"),),
    (CatalogueTable("s136_place", "Section 136 by first place of safety", (), "s136_place"),),
    (CatalogueTable("s136_conveyance", "Section 136 by conveyance", (), "s136_conveyance"),),
    (CatalogueTable("ed_avoided", "Emergency department planned, and whether it was avoided", (), "ed_avoided"),),
    (CatalogueTable("shift_power", "Shift by power considered", ("shift",), "power"),),
    (CatalogueTable("minutes_at_scene", "Median minutes at the scene", counts="median_minutes"),),
)
_YEARLY: Final = (
    *_QUARTERLY,
    (CatalogueTable("ethnicity", "Self-defined ethnicity", ("ethnicity",)),),
    (CatalogueTable("people", "People by number of incidents", (), "attendance", "people"),),
)


def ladders(kind: PeriodKind) -> tuple[tuple[CatalogueTable, ...], ...]:
    """The entries of the catalogue for a kind of period. Raises ValueError for days and weeks, which never leave."""
    match kind:
        case "monthly":
            return _MONTHLY
        case "quarterly":
            return _QUARTERLY
        case "yearly":
            return _YEARLY
        case _:
            raise ValueError(f"no table is published for a {kind} period")

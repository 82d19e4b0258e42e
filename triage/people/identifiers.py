"""A person's identifiers, brought into one spelling and looked up without being stored in the open.

Matching is exact, over normalised values, by a keyed digest ("blind index"). An NHS number belongs to the health side
and a police reference to the police side: a person holds one or the other, never both, and no digest covers both, so
that neither side can look up the other's records. Name and birth date count only together.

A digest hides a value from whoever holds the database but not the key; whoever holds both can try every name and
birth date. So the key stays outside the databases, and what is erased loses its digests too.
"""

from __future__ import annotations

import hmac
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final
from uuid import UUID

from msgspec import Struct

from triage.people.encryption import Purpose, Root
from triage.problems import INVALID, FieldError, Refused


class IdentifierKind(StrEnum):
    """The kind of an identifier, and the name of the index it is looked up in."""

    NHS_NUMBER = "nhs_number"
    POLICE_REF = "police_ref"
    NAME_AND_BIRTH = "name_and_birth"


class Identity(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A person's identifiers as they were given. It is sealed whole, and shows nothing when printed."""

    nhs_number: str | None = None
    police_ref: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    born: date | None = None

    def __repr__(self) -> str:
        return "Identity(…)"


@dataclass(frozen=True, slots=True)
class Identifier:
    """One normalised value that counts for matching. It shows no value when printed."""

    kind: IdentifierKind
    value: str = field(repr=False)


PLACEHOLDERS: Final = frozenset({"unknown", "notknown", "unnamed", "none", "nk", "na", "anon", "anonymous"})
"""Names typed when there is none: two people called so are not the same person."""

_EARLIEST_BIRTH: Final = date(1900, 1, 2)
"""1 January 1900 is what systems fill in for a date nobody knew."""

_LONGEST: Final = 100

_UNDECOMPOSED: Final = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
)
"""Letters that Unicode does not take apart, though keyboards without them write them so."""


def normalise(identity: Identity, today: date) -> list[Identifier]:
    """The identifiers that count, one of a kind. Raises Refused (422) with every fault.

    A name without a birth date (or the other way round) is kept with the rest, and matches nobody.
    """
    errors: list[FieldError] = []
    identifiers: list[Identifier] = []
    if identity.nhs_number is not None:
        number = normalise_nhs_number(identity.nhs_number)
        identifiers.append(Identifier(IdentifierKind.NHS_NUMBER, number))
        if not nhs_number_holds(number):
            errors.append(FieldError("nhs_number", "invalid", "Ten digits, of which the last checks the others."))
    if identity.police_ref is not None:
        reference = normalise_police_ref(identity.police_ref)
        identifiers.append(Identifier(IdentifierKind.POLICE_REF, reference))
        if not police_ref_holds(reference):
            errors.append(FieldError("police_ref", "invalid", "4 to 32 letters and digits, with a digit above 0."))
    if not joinable(identifier.kind for identifier in identifiers):
        errors.append(FieldError("police_ref", "with_nhs_number", "Never together with an NHS number."))
    family = _check_name("family_name", identity.family_name, errors)
    given = _check_name("given_name", identity.given_name, errors)
    if identity.born is not None and not _EARLIEST_BIRTH <= identity.born <= today:
        errors.append(FieldError("born", "out_of_range", "From 2 January 1900 until today."))
    if family and given and identity.born:
        identifiers.append(Identifier(IdentifierKind.NAME_AND_BIRTH, f"{family}\0{given}\0{identity.born.isoformat()}"))
    if not identifiers and not errors:
        errors.append(FieldError("", "nothing_to_match", "A number, a reference, or both names with the birth date."))
    if errors:
        raise Refused(INVALID, errors=tuple(errors))
    return identifiers


def joinable(kinds: Iterable[IdentifierKind]) -> bool:
    """Whether one person may hold identifiers of all these kinds: never an NHS number with a police reference."""
    return not {IdentifierKind.NHS_NUMBER, IdentifierKind.POLICE_REF} <= set(kinds)


def normalise_nhs_number(text: str) -> str:
    """Its digits: spaces, hyphens and dots are how people group them."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if not c.isspace() and c not in "-‐‑–.")


def nhs_number_holds(number: str) -> bool:
    """Whether ten digits carry a right check digit (NHS Data Model and Dictionary, "NHS NUMBER": modulus 11).

    Ten equal digits do, too, and are refused: they are typed when nobody knows the number.
    """
    if len(number) != 10 or not (number.isascii() and number.isdigit()) or len(set(number)) == 1:
        return False
    return sum(int(digit) * weight for digit, weight in zip(number, range(10, 0, -1), strict=True)) % 11 == 0


def normalise_police_ref(text: str) -> str:
    """Its letters and digits, upper case: forces write the same reference with and without `/`, `-` and spaces."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).upper() if c.isalnum())


def police_ref_holds(reference: str) -> bool:
    """Whether a normalised reference is long enough, and no placeholder such as `UNKNOWN` or `0000`."""
    return 4 <= len(reference) <= 32 and reference.isascii() and any(c in reference for c in "123456789")


def normalise_name(text: str) -> str:
    """A name without case, accents, blanks and punctuation, in any script; empty when nothing is left."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).translate(_UNDECOMPOSED)
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LNM" and not unicodedata.combining(c))


def _check_name(field: str, text: str | None, errors: list[FieldError]) -> str:
    if text is None:
        return ""
    normalised = normalise_name(text)
    if not normalised or len(text) > _LONGEST:
        errors.append(FieldError(field, "invalid", f"At least one letter, at most {_LONGEST} characters."))
    elif normalised in PLACEHOLDERS:
        errors.append(FieldError(field, "placeholder", "Leave a name out that is not known."))
    return normalised


def blind_index(key: bytes, kind: IdentifierKind, normalised: str) -> bytes:
    """The 32 bytes a value is looked up by: HMAC-SHA-256, with the kind inside so that no two kinds ever meet."""
    return hmac.digest(key, f"{kind}\0{normalised}".encode(), "sha256")


@dataclass(frozen=True, slots=True, repr=False)
class BlindIndex:
    """The index keys of an installation. It shows no key when printed."""

    keys: dict[IdentifierKind, bytes]

    @classmethod
    def of(cls, root: Root) -> BlindIndex:
        """The keys of this root secret, one for each kind."""
        return cls(
            {
                IdentifierKind.NHS_NUMBER: root.derive(Purpose.INDEX_NHS_NUMBER),
                IdentifierKind.POLICE_REF: root.derive(Purpose.INDEX_POLICE_REF),
                IdentifierKind.NAME_AND_BIRTH: root.derive(Purpose.INDEX_NAME_AND_BIRTH),
            }
        )

    def digest(self, team: UUID, identifier: Identifier) -> bytes:
        """The digest of this identifier in this team: the same person has other digests in another team."""
        of_team = hmac.digest(self.keys[identifier.kind], team.bytes, "sha256")
        return blind_index(of_team, identifier.kind, identifier.value)

"""The three secrets of disclosure control, derived from the root secret."""

from dataclasses import dataclass, field

from triage.people.encryption import Purpose, Root


@dataclass(frozen=True, slots=True)
class Keys:
    """They never enter SQL text, a log or the database, and show nothing when printed.

    Losing `tables` means a new policy version: the same records would then be rounded differently, and the difference
    between two publications would tell what rounding hides.
    """

    tables: bytes = field(repr=False)
    records: bytes = field(repr=False)
    references: bytes = field(repr=False)


def derive(root: Root) -> Keys:
    """The keys of this installation, the same for the life of its root secret (HKDF-SHA-256, RFC 5869)."""
    return Keys(
        tables=root.derive(Purpose.DISCLOSURE_TABLES),
        records=root.derive(Purpose.DISCLOSURE_RECORDS),
        references=root.derive(Purpose.DISCLOSURE_REFERENCES),
    )

"""Parts of a note that could name somebody, so that its author is told. A note is never edited, and never shown here.

Findings are likely, not certain: a warning too many costs its author a glance, a warning too few leaves a name in the
log. Offsets count characters (code points) of the note as sent.
"""

import re
from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct

from triage.people.identifiers import nhs_number_holds, normalise_nhs_number
from triage.people.name_words import (
    GIVEN_NAMES,
    GIVEN_NAMES_ALSO_WORDS,
    INTRODUCTIONS,
    NOT_NAMES,
    OPENERS,
    TITLES,
)


class FindingKind(StrEnum):
    """The kind of thing a part of a note looks like."""

    EMAIL = "email"
    NHS_NUMBER = "nhs_number"
    PHONE = "phone"
    POSTCODE = "postcode"
    NAME = "name"


class Finding(Struct, frozen=True):
    """A likely identifier: what, and where; never the text itself."""

    kind: FindingKind
    start: int
    end: int


def likely_identifiers(text: str) -> list[Finding]:
    """Likely identifiers in a note of up to 280 characters, in the order they stand, without overlaps."""
    clues = _CLUES.intersection(text.lower().translate(_PUNCTUATION).split())
    digit_or_at = _DIGIT_OR_AT.search(text)
    if not clues and not digit_or_at and not _CAPITAL_INSIDE.search(text):
        return []
    findings: list[Finding] = []
    for kind, needs, pattern in _PATTERNS if digit_or_at else ():
        for match in pattern.finditer(text) if needs in text else ():
            if kind is not FindingKind.NHS_NUMBER or nhs_number_holds(normalise_nhs_number(match.group())):
                _add(findings, Finding(kind, *match.span()))
    for start, end in _names(text, clues):
        _add(findings, Finding(FindingKind.NAME, start, end))
    return sorted(findings, key=lambda finding: finding.start)


def _add(findings: list[Finding], finding: Finding) -> None:
    if all(finding.end <= other.start or other.end <= finding.start for other in findings):
        findings.append(finding)


_UPPER = "A-ZÀ-ÖØ-ÞĆČĎĐĒĘĚĞĢĪŁĽŃŇŌŐŒŔŘŚŞŠŢŤŪŮŰŹŻŽȘȚ"
_WORD = r"[^\W\d_]+(?:['’-][^\W\d_]+)*"
_NAME_WORD = rf"[{_UPPER}](?:['’][{_UPPER}])?{_WORD}"

_PUNCTUATION = str.maketrans(dict.fromkeys(".,;:!?()\"'’-/\n", " "))
_CLUES = GIVEN_NAMES | {"mr", "mrs"}
_DIGIT_OR_AT = re.compile("[0-9@]")
_CAPITAL_INSIDE = re.compile(rf" (?<![.!?] )[\"'(]?[{_UPPER}]")
"""These three let most notes pass in a few microseconds: what none of them meets holds nothing to find."""

_PATTERNS = (  # each with what a note must hold before the pattern is worth trying
    (FindingKind.EMAIL, "@", re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")),
    (FindingKind.NHS_NUMBER, "", re.compile(r"(?<![\w+])[0-9]{3}[ .-]?[0-9]{3}[ .-]?[0-9]{4}(?!\w)")),
    # ten digits after the leading 0 or +44 (Ofcom, National Telephone Numbering Plan)
    (
        FindingKind.PHONE,
        "0",
        re.compile(r"(?<![\w+])\(?(?:(?:\+|00)44 ?(?:\(0\))?|0)[ ().-]{0,2}[1-9](?:[ ().-]{0,2}[0-9]){9}(?!\w)"),
    ),
    # the second half never has C I K M O V (Royal Mail, PAF guide), so "5am" is none; nor is "2nd" behind "M1"
    (
        FindingKind.POSTCODE,
        "",
        re.compile(
            r"(?<!\w)[A-Za-z]{1,2}[0-9][A-Za-z0-9]? ?(?![0-9](?:st|nd|rd|th|hr)\b)"
            r"[0-9][ABD-HJLNP-UW-Zabd-hjlnp-uw-z]{2}(?!\w)"
        ),
    ),
)

_LOWER_TITLED = re.compile(rf"\bmrs?\.? ({_WORD})", re.IGNORECASE)
_SPACED = re.compile("[^ ]+")
_RUN = re.compile(rf"(?<!\w){_NAME_WORD}(?:(?:(?<=Mr|Ms|Dr)|(?<=Mrs))\.? {_NAME_WORD}| {_NAME_WORD})*")


def _names(text: str, clues: frozenset[str]) -> Iterator[tuple[int, int]]:
    if "mr" in clues or "mrs" in clues:
        yield from (match.span() for match in _LOWER_TITLED.finditer(text) if _plain(match[1]) not in NOT_NAMES)
    for match in _RUN.finditer(text):
        if not _is_no_name(match.group().lower()):  # most runs are one such word, and need no closer look
            yield from _names_in_run(text, match)
    for given in clues & GIVEN_NAMES:
        yield from (match.span() for match in re.finditer(rf"\b{given}\b", text, re.IGNORECASE))


def _names_in_run(text: str, run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """A run of capitalised words is a name from its first given name or title on, or when two of them could be one."""
    words = [(run.start() + word.start(), word.group()) for word in _SPACED.finditer(run.group())]
    plain = [_plain(word) for _, word in words]
    before = f" {text[: run.start()].lower()}".rstrip(" ,:\"'(")
    first_of_sentence = not before or before[-1] in ".!?;\n•"
    for place, word in enumerate(plain):
        given = word in GIVEN_NAMES or (word in GIVEN_NAMES_ALSO_WORDS and not (first_of_sentence and place == 0))
        if given or (word.rstrip(".") in TITLES and place + 1 < len(plain) and not _is_no_name(plain[place + 1])):
            yield words[place][0], run.end()
            return
    if before.endswith(INTRODUCTIONS) and not _is_no_name(plain[0]) and not words[0][1].isupper():
        yield run.span()
        return
    if first_of_sentence and _is_no_name(plain[0]):
        words, plain = words[1:], plain[1:]
    acronyms = any(word.isupper() for _, word in words)
    if len(words) > 1 and not acronyms and NOT_NAMES.isdisjoint(plain):
        yield words[0][0], run.end()


def _is_no_name(word: str) -> bool:
    return word in NOT_NAMES or word in OPENERS or word.endswith(("ed", "ing"))


def _plain(word: str) -> str:
    return word.lower().removesuffix("'s").removesuffix("’s")

"""What a spreadsheet makes of a text in a CSV file."""

import re

_NUMBER_OR_TIME = re.compile(
    r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?%?|\d+:\d+(:\d+)?|\d{1,2} ?[ap]m|true|false", re.IGNORECASE
)
_DAY_AND_MONTH = re.compile(r"(\d{1,2})[-/ ](\d{1,4})")


def taken_for_something_else(value: str) -> bool:
    """Whether a text is read as a formula, a number, a truth value, a time or a date (en-GB; month and year, or day and
    month)."""
    if value.startswith(("=", "+", "-", "@", "\t", "\r")) or _NUMBER_OR_TIME.fullmatch(value):
        return True
    parts = _DAY_AND_MONTH.fullmatch(value)
    if not parts:
        return False
    first, second = int(parts[1]), int(parts[2])
    return (1 <= first <= 31 and 1 <= second <= 12) or 1 <= first <= 12

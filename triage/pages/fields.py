"""Questions of a form, and reading their answers: day and time as two native inputs, codes as radios or a list."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage import codes
from triage.pages.local_time import LocalTime

FieldKind = Literal["radios", "choice", "boxes", "when", "date", "duration", "text", "note", "number"]
Options = tuple[tuple[str, str], ...]
YES_NO: Final[Options] = (("true", "Yes"), ("false", "No"))
RADIOS_AT_MOST: Final = 7
"""More answers than this are a list to choose from."""


class Field(Struct, frozen=True, kw_only=True):
    """A question. `when` is a day and a time of the team's clock, `duration` hours and minutes, `boxes` codes."""

    name: str
    kind: FieldKind
    question: str
    options: Options = ()
    required: bool = True
    hint: str = ""
    longest: int = 64


def of_list(
    name: str,
    question: str,
    list_name: str,
    *,
    on: date,
    only: Callable[[str], bool] = lambda code: True,
    required: bool = True,
) -> Field:
    """A question whose answers are the codes of a list that are valid on a day."""
    options = tuple((code.code, code.label) for code in valid_codes(list_name, on) if only(code.code))
    kind: FieldKind = "radios" if len(options) <= RADIOS_AT_MOST else "choice"
    return Field(name=name, kind=kind, question=question, options=options, required=required)


def valid_codes(list_name: str, on: date) -> Iterator[codes.Code]:
    """The codes of a list that are in force on a day."""
    for code in codes.list(list_name):
        if code.valid_from <= on and (code.valid_to is None or on <= code.valid_to) and code.replaced_by is None:
            yield code


def when(name: str = "at", question: str = "When?", *, required: bool = True, hint: str = "") -> Field:
    """A question for an instant."""
    hint = hint or "On the 24-hour clock. Leave the day as it is for today."
    return Field(name=name, kind="when", question=question, required=required, hint=hint)


class Answers(Struct):
    """The answers of a form: values that could be read, and for each field that could not, why."""

    values: dict[str, Any]
    faults: dict[str, str]


def read(fields: Sequence[Field], sent: Mapping[str, str], zone: ZoneInfo) -> Answers:
    """Read every field; an optional one that was left empty has no value."""
    answers = Answers({}, {})
    for field in fields:
        try:
            value = _value(field, sent, zone)
        except ValueError as fault:
            answers.faults[field.name] = str(fault)
            continue
        if value is not None:
            answers.values[field.name] = value
        elif field.required:
            answers.faults[field.name] = _missing(field)
    return answers


def _missing(field: Field) -> str:
    match field.kind:
        case "when":
            return "Enter the day and the time."
        case "duration":
            return "Enter the hours and minutes."
        case "radios" | "choice":
            return f"Choose an answer: {field.question}"
        case _:
            return f"Enter an answer: {field.question}"


def _value(field: Field, sent: Mapping[str, str], zone: ZoneInfo) -> Any:
    text = sent.get(field.name, "")
    match field.kind:
        case "when":
            return _instant(sent.get(f"{field.name}_day", ""), sent.get(f"{field.name}_time", ""), zone)
        case "duration":
            return _minutes(sent.get(f"{field.name}_hours", ""), sent.get(f"{field.name}_minutes", ""))
        case "date":
            return _day(text) if text else None
        case "number":
            return _number(text) if text else None
        case "boxes":
            chosen = [code for code in text.split(",") if code]
            return [_option(field, code) for code in chosen] or None
        case "radios" | "choice":
            return _option(field, text) if text else None
        case "text" | "note":
            if len(text) > field.longest:
                raise ValueError(f"Write at most {field.longest} characters; there are {len(text)}.")
            return text or None


def _option(field: Field, code: str) -> Any:
    if code not in {option for option, _ in field.options}:
        raise ValueError("Choose one of the answers.")
    return code == "true" if field.options == YES_NO else code


def _instant(day: str, clock: str, zone: ZoneInfo) -> datetime | None:
    if not clock:
        return None
    try:
        local = datetime.combine(date.fromisoformat(day), time.fromisoformat(clock), zone)
        instant = local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("The day and the time cannot be read. Write 2026-11-25 and 14:05.") from error
    if not 2000 <= instant.year <= 2100:
        raise ValueError("The year lies outside 2000 to 2100.")
    if instant.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise ValueError("The clocks went forward at that time: it did not exist.")
    return instant


def _minutes(hours: str, minutes: str) -> int | None:
    if not hours and not minutes:
        return None
    total = 60 * _number(hours or "0") + _number(minutes or "0")
    if not 1 <= total <= 720:
        raise ValueError("An extension lasts from 1 minute to 12 hours.")
    return total


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 4:
        raise ValueError("Write a whole number.")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("Write a date such as 1980-12-31.") from error


def typed(fields: Sequence[Field], values: Mapping[str, Any], local: LocalTime) -> dict[str, str]:
    """The fields as a browser would send these values, for filling in a form; days are filled in as today."""
    texts: dict[str, str] = {}
    for field in fields:
        value = values.get(field.name)
        match field.kind:
            case "when":
                at = value.astimezone(local.zone) if isinstance(value, datetime) else None
                texts[f"{field.name}_day"] = (at.date() if at else local.today).isoformat()
                texts[f"{field.name}_time"] = at.strftime("%H:%M") if at else ""
            case "duration":
                hours, minutes = divmod(value, 60) if isinstance(value, int) else ("", "")
                texts |= {f"{field.name}_hours": str(hours), f"{field.name}_minutes": str(minutes)}
            case "boxes":
                texts[field.name] = ",".join(value or ())
            case _:
                texts[field.name] = (
                    "" if value is None else str(value).lower() if value in (True, False) else str(value)
                )
    return texts

"""The pages of `docs/` that are made from the code: `uv run python tests/support/reference_pages.py` writes them.

A test compares them.
"""

import typing
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Final, Literal, get_args

from msgspec import Meta
from msgspec.structs import FieldInfo, fields

from triage.commands import codes
from triage.log.notices import NOTICES, WHEN
from triage.problems import CATALOGUE
from triage.settings import READ_ELSEWHERE, DatabaseUrl, Networks, Secret, Settings, variable
from triage.summaries.editions import FAMILIES
from triage.summaries.registry import REGISTRY

DOCS: Final = Path(__file__).parents[2] / "docs"
_PROBLEMS: Final = """\
# Problems

Every answer that is not success is a problem document, `application/problem+json` (RFC 9457), and its `code` is one of
those below: the list is closed. Act on `code` and `retry`; `title` and `detail` are for people and may be reworded.

- `retry`: `never`, the same request will be refused again; `later`, send the same again after a pause (`Retry-After`
  gives the seconds where it is sent); `after_fix`, put the request right first.
- `errors`: every fault of a body, each with `field` (a dotted path such as `intent.power` or `presenting.1`), `code`
  and `message`. A body with faults of shape and of content is 400 and lists both.
  In `entry_conflict` it names the fields that differ, and only to the author of the held entry.
- `wipe: true`: delete what this service gave the device. `resync: true`: send the same entries with `cursor: null`.

No problem document ever repeats a value that was sent.

In a sync every refused item carries the same document as `problem`.

| code | status | retry | title |
|---|---|---|---|
"""
_NOTICES: Final = """\
# Notices

An entry that is odd but possible is stored, and the answer carries `notices`: each with `code`, `field` (a dotted path)
and `message`. The list is closed. A notice is never a reason to refuse: what happened must be recordable even when it
was unlawful. It rests on the entry and on what its author may see of the incident at that moment; what concerns the
incident as a whole is a flag of the incident as well, and follows later entries.

| code | told when | message |
|---|---|---|
"""
_MEASURES: Final = """# Measures

Every number that a summary prints, made from `triage/summaries/registry.py`. An incident is one person's crisis at one
place and time, and the counting unit of all of them; entries are counted only where it says so. Test and withdrawn
entries are left out.

- **flow** measures count what happened in the period. When later entries change any printed part of a line (its value,
  what it is of, what is missing, its rate or interval), the next edition is published, and says which.
- **snapshot** measures say how things stood when the first edition was published, and stay.

N is the number of incidents that a measure asks about, k those with the answer, m = N - k. Printed is "x of k (p %); m
of N not recorded". There is no percentage where m is over 30 % of N or k is under 10. With k of 20 or more the Wilson
95 % interval is printed. A coded missing value is not an answer. A run that failed, and a period in which nothing was
received and no device was heard from, is "no data", never zero.

Considering s136 and not using it is graded by rule set DIV-1 at the as-at time. The wording is "s136 considered and not
used, grade A" (or B), and the two are printed apart. No measure says that a detention was prevented.

A period that the log covers only in part, because the team began within it, says from when to when; there is no rate of
a population for it.
"""
_SETTINGS: Final = """\
# Settings

All settings come from the environment. An unknown `TRIAGE_*` name or a wrong value stops the start with a
message that names it. A secret or a database address may stand in a file instead (a container's secret);
`_FILE` is appended to the name that says where, as in `TRIAGE_DATABASE_URL_FILE`. This page is made from
the code (`triage/settings.py`).

| setting | type | default | meaning |
| --- | --- | --- | --- |
"""


def problems() -> str:
    """The catalogue of problems."""
    rows = "".join(
        f"| `{problem.code}` | {problem.status} | `{problem.retry}` | {problem.title} |\n"
        for problem in CATALOGUE.values()
    )
    parts = "".join(f"\n## {problem.code}\n\n{problem.explanation}\n" for problem in CATALOGUE.values())
    return _PROBLEMS + rows + parts


def notices() -> str:
    """Every notice, and when it is given."""
    return _NOTICES + "".join(f"| `{code}` | {WHEN[code]} | {NOTICES[code]} |\n" for code in NOTICES)


def measures() -> str:
    """The registry of measures."""
    assert FAMILIES, "their modules fill the registry"
    parts = [_MEASURES]
    for definition in REGISTRY.values():
        parts.append(
            f"\n## {definition.label}\n\n"
            f"`{definition.code}`, {definition.kind}; {', '.join(definition.periods)}\n\n"
            f"- Formula: {definition.formula}\n"
            f"- Denominator: {definition.denominator}\n"
            + (f"- Caveat: {definition.caveat}\n" if definition.caveat else "")
        )
    return "".join(parts)


def settings() -> str:
    """Every setting."""
    rows = [
        f"| `{variable(field)}` | {_type(field)} | {_default(field)} | {_meta(field).description} |\n"
        for field in fields(Settings)
    ]
    rows += [f"| `{name}` | path | none | {description} |\n" for name, description in READ_ELSEWHERE.items()]
    return _SETTINGS + "".join(rows)


def _meta(field: FieldInfo) -> Meta:
    meta = get_args(field.type)[1]
    assert isinstance(meta, Meta)
    return meta


def _default(field: FieldInfo) -> str:
    return (_meta(field).extra or {}).get("default") or f"`{field.default}`"


def _type(field: FieldInfo) -> str:
    kind, meta = get_args(field.type)
    if typing.get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    names: dict[object, str] = {
        int: "whole number",
        float: "number",
        bool: "`true` or `false`",
        str: "text",
        str | None: "text",
        Networks: "addresses",
        Path: "path",
        Path | None: "path",
        Secret | None: "secret",
        DatabaseUrl | None: "database address",
        date | None: "date",
    }
    limits = [
        f"{word} {limit}"
        for word, limit in (("from", meta.ge), ("over", meta.gt), ("to", meta.le))
        if limit is not None
    ]
    return " ".join([names[kind], *limits])


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "codes.md": codes.page,
    "measures.md": measures,
    "notices.md": notices,
    "problems.md": problems,
    "settings.md": settings,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")

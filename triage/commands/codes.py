"""`triage codes`: the code lists."""

from collections.abc import Iterator
from typing import Final

import click

from triage import codes as code_lists
from triage.codes import Code, CodeList


def codes(markdown: bool) -> None:
    """The work of `triage codes`."""
    click.echo(page() if markdown else code_lists.document(), nl=not markdown)


def page() -> str:
    """The lists as a page in Markdown, for `docs/codes.md`."""
    parts = [_INTRODUCTION]
    parts += [f"| {row.version} | {row.valid_from} | {row.note} |\n" for row in code_lists.versions]
    parts += [_list_page(rows) for rows in map(code_lists.list, code_lists.names())]
    parts += ["\n## populations\n\n| local authority | year | persons | source |\n|---|---|---|---|\n"]
    parts += [
        f"| `{row.local_authority}` | {row.year} | {row.persons:,} | {row.source}{_CHECK if row.check else ''} |\n"
        for row in code_lists.populations
    ]
    return "".join(parts)


_CHECK: Final = " **[check]**"
_INTRODUCTION: Final = """\
# Code lists

Everything that is counted is a code from a list. The lists are data (`triage/codes.toml`), dated and numbered as a
whole; `GET /v1/codes` serves them with a strong `ETag`, and an owner may put a file of the same form in
their place (`TRIAGE_CODE_LISTS`).

- A code of any version is accepted, whatever `codes_version` the phone sends: a phone that was offline for a week has
  done nothing wrong. A code in no version of its list is newer than this service: the entry waits in quarantine
  (`newer_than_service`) until a version that knows it takes it.
- A code is never removed. It is *retired*: `valid_to` is its last day, `replaced_by` the code it is read as from then
  on. An entry that uses a replaced code, or one captured after its last day, is stored as sent, read as the
  replacement, and its author gets the notice `retired_code`.
- *missing* marks a coded missing value: somebody answered that it is not known. It counts as an answer for
  completeness, but it never beats, nor conflicts with, a known value. A field that is absent or null is not recorded,
  which is a category of its own. So is an empty text or list. `none`, `other`, `unclear`, `cannot_say`, `no_answer`,
  `unsure` and `deferred` are answers.
- *short* is the label where there is room for 18 characters only; a dash: the meaning itself.
- Everything the rules ask of a code is beside it in the file, so that a code is added in one place.
- **[check]** marks a fact that was not confirmed in a primary source. It is for the owner to confirm or change, and is
  said wherever it is published.

| version | in force from | what changed |
|---|---|---|
"""


def _list_page(rows: CodeList) -> str:
    lines = [f"\n## {rows.name}\n\n| code | meaning | short | |\n|---|---|---|---|\n"]
    lines += [
        f"| `{row.code}` | {row.label}{_CHECK if row.check else ''} | {_short(row)} | {'; '.join(_remarks(row))} |\n"
        for row in rows
    ]
    return "".join(lines)


def _short(row: Code) -> str:
    return "-" if row.short == row.label else row.short


def _remarks(row: Code) -> Iterator[str]:
    if row.valid_from > code_lists.versions[0].valid_from:
        yield f"from {row.valid_from}"
    if row.valid_to is not None:
        yield f"until {row.valid_to}"
    if row.replaced_by is not None:
        yield f"read as `{row.replaced_by}`"
    if row.missing:
        yield "missing"
    if row.available is not None:
        yield f"section 136: {row.available}"
    if row.youngest is not None:
        yield f"{row.youngest} to {row.oldest} years" if row.oldest is not None else f"{row.youngest} years and over"
    if row.group is not None:
        yield f"group {row.group}"
    if row.nhs is not None:
        yield f"NHS {row.nhs}"
    if row.local_authority is not None:
        yield f"in `{row.local_authority}`"
    if row.authorises_station:
        yield "may authorise a police station"
    yield from (remark for name, remark in _MARKS.items() if getattr(row, name))
    if row.power is not None:
        yield f"exercises {row.power}"
    if row.in_place_of_s136 is not None:
        yield f"in place of section 136: {row.in_place_of_s136}"
    if row.event is not None:
        yield f"tells of {row.event}"
    if row.legal_status is not None:
        yield f"leaves the person {row.legal_status}"


_MARKS: Final = {
    "voluntary_route": "a voluntary route",
    "avoids_ed": "no emergency department",
    "held": "held",
    "rules_out_s136": "rules section 136 out",
    "first_sign": "opens an episode",
    "puts_in_place": "puts the person in a place",
    "shown_to_police": "shown to police",
    "heard_the_person": "a judgement can rest on it",
    "recorded": "recorded at the time by itself",
    "arrest": "an arrest",
}

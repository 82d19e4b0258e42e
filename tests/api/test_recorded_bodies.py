"""One recorded body of every released form: what a phone of that version sends is stored by every later service.

A directory a release, a file a kind of entry, in the order in which they were sent. Nothing here is ever changed; a new
release adds a directory.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.phones import Crew, Phone

from triage.log.entries import KINDS

RELEASES = sorted(path for path in (Path(__file__).parent / "recorded").iterdir() if path.is_dir())


def bodies(release: Path) -> list[dict[str, Any]]:
    return [msgspec.json.decode(file.read_bytes()) for file in sorted(release.glob("*.json"))]


def sender(crew: Crew, kind: str) -> Phone:
    """Who sends this kind, and may change what the others sent."""
    phones = {"officer": crew.officer, "intent": crew.officer, "nurse": crew.nurse, "paramedic": crew.paramedic}
    return phones.get(kind, crew.clinical_lead)


def plain(content: Any) -> Any:
    """Times as instants: an offset may be written in several ways."""
    if isinstance(content, dict):
        return {name: plain(value) for name, value in content.items()}
    if isinstance(content, str) and content[10:11] == "T":
        return content.removesuffix("Z").removesuffix("+00:00")
    return content


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
async def test_what_a_released_phone_sends_is_stored_and_read_back_whole(crew: Crew, release: Path) -> None:
    sent = bodies(release)
    for body in sent:
        answer = await sender(crew, body["kind"]).put(body)
        assert (answer.status_code, answer.json().get("status")) == (201, "stored"), answer.text
        again = await sender(crew, body["kind"]).put(body)
        assert (again.status_code, again.json()["status"]) == (200, "duplicate"), again.text
    for body in sent:
        reader = crew.sergeant if body["kind"] in ("officer", "intent") else crew.nurse
        listed = {entry["id"]: entry for entry in await reader.entries(body["incident_id"])}
        read = plain(listed[body["id"]])
        assert {name: read.get(name) for name in body} == plain(body), body["kind"]


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
async def test_a_released_phone_syncs_all_of_it(crew: Crew, release: Path) -> None:
    for phone in (crew.officer, crew.nurse, crew.paramedic, crew.clinical_lead):
        own = [body for body in bodies(release) if sender(crew, body["kind"]) is phone]
        assert (await phone.sync(*own))["counts"]["stored"] == len(own)


def test_the_first_release_has_every_kind() -> None:
    assert {body["kind"] for body in bodies(RELEASES[0])} == set(KINDS)

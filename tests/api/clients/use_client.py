"""Use the generated Python client: `use_client.py DEMO_JSON DIRECTORY`. Every answer must survive reading and writing.

The package is made at run time from the document, so that its modules are looked up by name.
"""

import json
import re
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:")
KINDS = {
    "officer", "nurse", "paramedic", "intent", "outcome", "detention", "follow_up", "amendment", "withdrawal",
    "same_incident", "not_same_incident", "person_link", "person_unlink",
}  # fmt: skip


def call(operation: str, client: Any, *path: Any, status: int, body: Any = None, **query: Any) -> Any:
    """The answer as the generated client reads it, which must say again all that was sent."""
    module = import_module(f"python.api.{operation}")
    options = query | ({} if body is None else {"body": body})
    answer = module.sync_detailed(*path, client=client, **options)
    assert answer.status_code == status, (operation, answer.status_code, answer.content[:500])
    assert plain(answer.parsed.to_dict()) == plain(json.loads(answer.content)), operation
    return answer.parsed


def plain(value: Any) -> Any:
    """Times as instants, so that `Z` and `+00:00` are one."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, str) and TIME.match(value):
        return datetime.fromisoformat(value)
    return value


def main(told: Path, directory: Path) -> None:
    sys.path.insert(0, str(directory))
    made, models = import_module("python"), import_module("python.models")
    demo = json.loads(told.read_text())

    def signed_in(token: str) -> Any:
        return made.AuthenticatedClient(base_url=demo["url"], token=token)

    sergeant = signed_in(demo["tokens"]["sergeant"])
    staff = models.EnrolmentRequest(staff_id=UUID(demo["ids"]["staff"]["officer"]))
    code = call("access.access_post_enrolment", sergeant, status=201, body=staff).code
    device = models.DeviceRequest(code=code, name="Python", installation=uuid4())
    enrolled = call("access.access_post_device", made.Client(base_url=demo["url"]), status=201, body=device)
    phone = signed_in(enrolled.token)

    now = datetime.now(UTC)
    entry_id, incident_id = uuid4(), uuid4()
    common = {"id": str(entry_id), "incident_id": str(incident_id), "captured_at": now.isoformat(), "codes_version": 1}
    contact = models.Officer.from_dict(common | {"kind": "officer", "area": "luton_north", "age": 30})
    stored = call("entries.entries_put_entry", phone, entry_id, status=201, body=contact)
    assert stored.status == "stored"
    contact.age = 31
    conflict = call("entries.entries_put_entry", phone, entry_id, status=409, body=contact)
    assert (conflict.code, conflict.errors[0].field) == ("entry_conflict", "age")
    request = models.SyncRequest(cursor=None, sent_at=now, entries=[])
    synced = call("sync.sync_post_sync", phone, status=200, body=request)
    assert incident_id in [incident.id for incident in synced.incidents]
    call("incidents.incidents_get_incident", phone, incident_id, status=200)
    call("access.access_get_me", phone, status=200)

    kinds = set()
    for incident in call("incidents.incidents_list_incidents", sergeant, status=200, limit=200).incidents:
        for entry in call("incidents.incidents_get_entries", sergeant, incident.id, status=200).entries:
            kinds.add(str(entry.kind))
            assert type(entry).__name__ == f"Listed{''.join(map(str.capitalize, entry.kind.split('_')))}"
    assert kinds <= KINDS and len(kinds) >= 7, kinds
    for summary in call("summaries.summaries_list_summaries", sergeant, status=200).summaries:
        call("summaries.summaries_get_summary", sergeant, summary.kind, summary.period, status=200)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

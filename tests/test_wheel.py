"""The wheel, built from the source archive and installed into an empty environment, is the whole program."""

import ensurepip
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PRINT_FILES = """
import triage.resources, sys
def names(folder, path=""):
    for each in folder.iterdir():
        yield from names(each, f"{path}{each.name}/") if each.is_dir() else [path + each.name]
print(triage.resources.__file__)
print(*sorted(names(triage.resources.folder(sys.argv[1]))), sep="\\n")
"""


def run(*command: str | Path, cwd: Path = TOP) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TRIAGE_", "PYTHON"))}
    done = subprocess.run(command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel, and beside it only the dependencies of the running one."""
    dist, unpacked, venv = (tmp_path_factory.mktemp(name) for name in ("dist", "unpacked", "venv"))
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", dist)
    run("tar", "-xzf", next(dist.glob("*.tar.gz")), "-C", unpacked)  # tarfile's filters are missing in Python 3.11.2
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", dist, cwd=next(unpacked.iterdir()))
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    # runs as it is, while installing it takes seconds; Debian has it elsewhere
    bundled = Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels")
    pip = next(wheel for folder in bundled for wheel in folder.glob("pip-*.whl"))
    run(venv / "bin/python", pip / "pip", "install", "--no-index", "--no-deps", "--no-compile", *dist.glob("*.whl"))
    # a path in a .pth file adds the dependencies without the .pth files there, so without this checkout
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return venv / "bin"


def test_it_starts(installed: Path) -> None:
    shown = run(installed / "triage", "--help", cwd=Path("/"))
    assert all(command in shown for command in ("demo", "serve", "migrate"))


@pytest.mark.parametrize("folder", ["sql", "openapi"])
def test_it_carries_the_files_of_the_checkout(installed: Path, folder: str) -> None:
    module, *names = run(installed / "python", "-c", PRINT_FILES, folder, cwd=Path("/")).splitlines()
    assert Path(module).is_relative_to(installed.parent)
    assert names == sorted(str(f.relative_to(TOP / folder)) for f in (TOP / folder).rglob("*") if f.is_file())

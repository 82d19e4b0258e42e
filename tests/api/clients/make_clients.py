"""Lint the OpenAPI document, make a client from it in Python and one in TypeScript, and use both on the running demo.

    uv run --isolated --no-default-groups --group clients tests/api/clients/make_clients.py

A client in whose making anything was dropped is a failure, and so is an answer that a client does not read whole.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[2] / "openapi" / "triage.json"
PROGRAMS = Path(sys.executable).parent
READY_WITHIN_S = 120


def step(title: str, *command: str | Path, cwd: Path, forbidden: str = "") -> None:
    """One command. Ends the run where it fails, or where its output holds what is forbidden."""
    print(f"\n== {title}", flush=True)
    done = subprocess.run(list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode or (forbidden and forbidden in done.stdout):
        raise SystemExit(f"{done.stdout}\n{title}: failed")


@contextmanager
def demo(data_dir: Path) -> Iterator[Path]:
    """The demo on a free port; the file that says where, with tokens."""
    command = [str(PROGRAMS / "triage"), "demo", "--data-dir", str(data_dir), "--port", "0", "--months", "0.1"]
    running = subprocess.Popen(command, env=os.environ | {"TRIAGE_LOG_LEVEL": "error"}, stdout=subprocess.DEVNULL)
    try:
        told, until = data_dir / "demo.json", time.monotonic() + READY_WITHIN_S
        while not told.exists():
            if running.poll() is not None or time.monotonic() > until:
                raise SystemExit("the demo did not start")
            time.sleep(0.2)
        yield told
    finally:
        running.terminate()
        running.wait()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="triage-clients-") as name:
        work = Path(name)
        work.chmod(0o755)  # the embedded database does not run as root
        for file in ("package.json", "client.ts", "tsconfig.json"):
            shutil.copy(HERE / file, work)
        step("Install what makes clients", "npm", "install", "--silent", "--no-audit", "--no-fund", cwd=work)
        tools = work / "node_modules" / ".bin"
        step("Lint the document", tools / "redocly", "lint", DOCUMENT, "--extends", "recommended", cwd=work)
        generate = PROGRAMS / "openapi-python-client"
        step("Make a client in Python", generate, "generate", "--path", DOCUMENT, "--output-path", work / "python",
             "--meta", "none", cwd=work, forbidden="WARNING")  # fmt: skip
        step("Make types for TypeScript", tools / "openapi-typescript", DOCUMENT, "-o", work / "api.d.ts", cwd=work)
        step("Compile a client in TypeScript", tools / "tsc", "--project", work, cwd=work)
        (work / "data").mkdir()
        with demo(work / "data") as told:
            print(json.loads(told.read_text())["url"])
            step("Use the client in Python", sys.executable, HERE / "use_client.py", told, work, cwd=work)
            step("Use the client in TypeScript", "node", work / "client.js", told, cwd=work)
    print("\n== Both clients read everything")


if __name__ == "__main__":
    main()

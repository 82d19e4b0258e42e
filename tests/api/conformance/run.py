"""Hold the running demo to its OpenAPI document, as each role.

    uv run --group conformance tests/api/conformance/run.py [ROLE …]

The exceptions, with their reasons, are in `schemathesis.toml` beside this file. Bodies are read alike for everybody, so
only the sergeant, who may call most, goes through every combination that the document allows or forbids; the others are
asked at random.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = Path(sys.executable).parent
THOROUGH = ("sergeant",)
OTHERS = ("officer", "nurse", "paramedic", "clinical_lead", "partner", "auditor", "admin")
EXAMPLES_EACH = "40"
SEED = "20261123"  # a run that finds something can be repeated
READY_WITHIN_S = 120
RAISED = {
    "TRIAGE_ENROL_ATTEMPTS_PER_HOUR": "1000000000",
    "TRIAGE_SIGN_IN_FAILURES_PER_HOUR": "1000000000",
    "TRIAGE_MATCH_PER_HOUR": "1000000000",
    "TRIAGE_ACTOR_REQUESTS_PER_MINUTE": "1000000000",
    "TRIAGE_QUARANTINE_LIMIT": "1000000000",
    "TRIAGE_METRICS_TOKEN": "metrics-of-the-conformance-run",
    "TRIAGE_LOG_LEVEL": "error",
}
"""Limits would answer 429 to everything after a while. That of an incident stays: ever larger ones take ever longer."""


@contextmanager
def demo(data_dir: Path) -> Iterator[dict[str, dict[str, str]]]:
    """The demo on a free port; what its demo.json says."""
    command = [str(PROGRAMS / "triage"), "demo", "--data-dir", str(data_dir), "--port", "0", "--per-day", "1"]
    running = subprocess.Popen(command, env=os.environ | RAISED, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + READY_WITHIN_S
        while not (data_dir / "demo.json").exists():
            if running.poll() is not None or time.monotonic() > until:
                raise SystemExit("the demo did not start")
            time.sleep(0.2)
        yield json.loads((data_dir / "demo.json").read_bytes())
    finally:
        running.terminate()
        running.wait()


def conforms(url: str, role: str, token: str) -> bool:
    """Whether nothing was found as this role."""
    phases = "examples,coverage,fuzzing" if role in THOROUGH else "examples,fuzzing"
    command = [str(PROGRAMS / "schemathesis"), "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {token}"]
    command += ["--phases", phases, "--max-examples", EXAMPLES_EACH, "--seed", SEED]
    told = subprocess.run(
        command, cwd=tempfile.gettempdir(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(f"\n== as {role}\n{told.stdout}", flush=True)
    return told.returncode == 0


def not_conforming(roles: Iterable[str]) -> list[str]:
    """Those of the roles as which something was found, one after the other on a demo of their own."""
    with tempfile.TemporaryDirectory(prefix="triage-conformance-") as name:
        Path(name).chmod(0o755)  # PostgreSQL does not run as root
        with demo(Path(name)) as started:
            tokens = started["tokens"]
            return [role for role in roles if not conforms(str(started["url"]), role, tokens[role])]


def main(roles: list[str]) -> int:
    with ThreadPoolExecutor() as pool:  # a client keeps one processor busy, so the long run goes beside the others
        found = pool.map(not_conforming, [roles] if roles else [THOROUGH, OTHERS])
        failed = [role for several in found for role in several]
    print(f"\nDid not conform: {', '.join(failed)}" if failed else "\nAll conform.")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

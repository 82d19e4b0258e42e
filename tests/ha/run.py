"""Break a cluster of three machines under ten phones, and say what was lost and how long they waited.

    uv run --group ha python tests/ha/run.py [EVENT …]

As root on Linux, with etcd, nginx and iproute2. Everything happens in namespaces of its own (network, processes,
mounts), which the kernel ends with this program, however it ends. Exit code 1 when a goal is missed.
"""

import argparse
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
NEEDED = {
    "etcd": "etcd-server",
    "nginx": "nginx",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "unshare": "util-linux",
    "openssl": "openssl",
}
"""Programs, and Debian's packages of them."""
ALONE = ("unshare", "--net", "--pid", "--mount", "--mount-proc", "--fork", "--kill-child")
REAPING = ("sh", "-c", '"$@"; exit $?', "sh")
"""The first process of the namespace: it buries the processes that lose their parent."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("events", nargs="*", metavar="EVENT", help="what to break; all of it by default")
    parser.add_argument("--keep", type=Path, help="directory, not yet there, in which everybody's logs are kept")
    chosen = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if lacking := _lacking():
        print(f"lacking: {', '.join(lacking)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="triage-ha-", ignore_cleanup_errors=True) as folder:
        try:
            return _inside(Path(folder), chosen.events)
        finally:
            if chosen.keep:
                _keep_logs(Path(folder), chosen.keep)


def _lacking() -> list[str]:
    lacking = [f"Debian's {package}" for program, package in NEEDED.items() if not shutil.which(program)]
    if not importlib.util.find_spec("patroni"):
        lacking.append("the dependency group `ha`")
    return lacking if os.geteuid() == 0 else ["root", *lacking]


def _keep_logs(folder: Path, kept: Path) -> None:
    kept.mkdir(parents=True)
    for log in (*folder.glob("*.log"), *folder.glob("*/*.log")):
        shutil.copy(log, kept / "-".join(log.relative_to(folder).parts))


def _inside(folder: Path, events: list[str]) -> int:
    folder.chmod(0o755)  # PostgreSQL does not run as root
    environ = os.environ | {"PYTHONPATH": str(TESTS)}
    command = [*ALONE, *REAPING, sys.executable, "-m", "ha.rig", str(folder), *events]
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, lambda number, _: sys.exit(128 + number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells the rig too, which then ends by itself
    process = subprocess.Popen(command, env=environ)
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())

"""What holds for every command: it fails in one line, invents nothing, prints lists for programs too, loads little."""

import asyncio
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from pkgutil import resolve_name

import asyncpg
import click
import pytest
from click.testing import CliRunner, Result
from support.logins import KEYS, SERVICE, as_login

from triage.__main__ import COMMANDS, main
from triage.commands import failures
from triage.errors import OperatorError

ID = "0193a000-0000-7000-8000-0000000000aa"
WORKING = [
    "verify",
    "refold",
    "team list",
    "team add --name x",
    "staff list",
    f"staff disable {ID}",
    f"enrol {ID}",
    "partner list",
    "partner add --name x --body health",
    "release",
    "release verify",
    "publish",
    "summary list",
    "summary show daily 2026-11-22",
    "summary schedule",
    "deliver list",
    "deliver destinations",
    "deliver retry",
    f"subject-access --by x {ID}",
    f"erase --by x --yes --person {ID}",
    f"hold --by x --reason x {ID}",
    f"regime --by x {ID}",
    f"recipients --by x {ID}",
    "retention",
    "backup /nowhere/backup",
    "keys rotate",
    "keys retire --yes",
    "keys forget --yes",
    "serve --port 0",
    "jobs",
]
"""Commands that need a database, with arguments that are in order."""


def run(*args: str, **environ: str) -> Result:
    bare: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TRIAGE_")}
    return CliRunner(env=bare | environ).invoke(main, args)


def installation(db_url: str, data_dir: Path) -> dict[str, str]:
    """The settings of an installation with three logins; the address is the owner's."""
    return {
        "TRIAGE_DATABASE_URL": as_login(db_url, SERVICE),
        "TRIAGE_OWNER_DATABASE_URL": db_url,
        "TRIAGE_KEYS_DATABASE_URL": as_login(db_url, KEYS),
        "TRIAGE_DATA_DIR": str(data_dir),
    }


def failed(result: Result) -> str:
    """The one line with which a command failed."""
    assert result.exit_code != 0 and isinstance(result.exception, SystemExit), (result.output, result.exception)
    [line] = result.stderr.splitlines()
    assert result.stdout == ""
    return line


@pytest.mark.parametrize("command", WORKING)
def test_where_there_is_no_database_none_is_made(command: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mistyped"
    line = failed(run(*command.split(), TRIAGE_DATA_DIR=str(elsewhere)))
    assert "holds no database" in line and "triage migrate --create" in line
    assert not elsewhere.exists()


@pytest.mark.parametrize("command", WORKING)
def test_a_database_out_of_reach_is_said_in_one_line(command: str, tmp_path: Path) -> None:
    url = "postgresql://triage:hunter2@127.0.0.1:1/triage"
    line = failed(run(*command.split(), TRIAGE_DATABASE_URL=url, TRIAGE_DATA_DIR=str(tmp_path)))
    assert "cannot be reached" in line and "hunter2" not in line


@pytest.mark.parametrize("command", ["migrate", *WORKING])
def test_a_wrong_setting_is_named(command: str, tmp_path: Path) -> None:
    line = failed(run(*command.split(), TRIAGE_LOG_LEVEL="loud", TRIAGE_DATA_DIR=str(tmp_path)))
    assert "TRIAGE_LOG_LEVEL" in line


async def test_a_missing_root_secret_is_said_and_not_made(db_url: str, tmp_path: Path) -> None:
    settings = installation(db_url, tmp_path)
    for command in ("serve --port 0", "jobs", "release", "keys rotate"):
        process = subprocess.run(
            [sys.executable, "-m", "triage", *command.split()],
            env=os.environ | settings,
            capture_output=True,
            text=True,
        )
        [line] = process.stderr.splitlines()
        assert process.returncode == 1 and "there is no root secret" in line
    assert list(tmp_path.iterdir()) == []


async def test_a_database_of_another_version_is_named_and_not_migrated(empty_db_url: str, tmp_path: Path) -> None:
    settings = {"TRIAGE_DATABASE_URL": empty_db_url, "TRIAGE_KEYS_DATABASE_URL": empty_db_url}
    environ = os.environ | settings | {"TRIAGE_DATA_DIR": str(tmp_path)}
    process = subprocess.run([sys.executable, "-m", "triage", "verify"], env=environ, capture_output=True, text=True)
    assert process.returncode == 1 and "run `triage migrate`" in process.stderr
    connection = await asyncpg.connect(empty_db_url)
    assert await connection.fetchval("SELECT to_regclass('entry')") is None
    await connection.close()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperatorError("what to do"), "what to do"),
        (ExceptionGroup("", [OperatorError("what to do")]), "what to do"),
        (ConnectionRefusedError(111, "refused"), "cannot be reached"),
        (PermissionError(13, "Permission denied", "/srv/triage"), "/srv/triage: Permission denied"),
        (asyncpg.InvalidPasswordError("for user hunter2"), "refuses the login"),
        (asyncpg.InvalidCatalogNameError("hunter2"), "no database of this name"),
        (asyncpg.UndefinedTableError("hunter2"), "triage migrate"),
        (asyncpg.InsufficientPrivilegeError("hunter2"), "TRIAGE_OWNER_DATABASE_URL"),
        (asyncpg.CheckViolationError("Failing row contains (hunter2)"), "CheckViolationError at "),
    ],
)
def test_whatever_fails_is_one_line_that_quotes_no_row(error: Exception, said: str) -> None:
    try:
        raise error
    except Exception as raised:
        line = failures.describe(raised)
    assert said in line and "\n" not in line and "hunter2" not in line


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("--colour", "No such option '--colour'. See `triage --help`."),
        ("sreve", "No such command 'sreve'. See `triage --help`."),
        ("serve --prot 1", "No such option '--prot'."),
        ("team add", "Missing option '--name'. See `triage team add --help`."),
        ("staff add --name x", "Missing option '--role'."),
        ("partner add --name x", "Missing option '--body'. Choose from: police, health, other."),
        ("deliver add fax x", "'fax' is not one of 'email', 'webhook'. See `triage deliver add --help`."),
        ("release --as-at 2026-01-01T00:00 verify", "expected a time with an offset"),
    ],
)
def test_a_command_that_is_called_wrongly_says_so_in_one_line(command: str, said: str) -> None:
    result = run(*command.split())
    assert result.exit_code == 2 and said in failed(result)


# --- what every command has ---


def commands(group: click.Group = main, names: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command of the tree with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield " ".join((*names, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))


def options(command: click.Command) -> dict[str, click.Option]:
    return {flag: option for option in command.params if isinstance(option, click.Option) for flag in option.opts}


def test_every_command_and_option_says_what_it_is_for() -> None:
    for name, command in commands():
        assert command.help, name
        assert [flag for flag, option in options(command).items() if not option.help and flag != "--help"] == [], name


def test_every_list_is_there_as_json() -> None:
    lists = {name for name, command in commands() if name.endswith((" list", "destinations")) and options(command)}
    assert lists >= {"team list", "staff list", "partner list", "summary list", "deliver list", "deliver destinations"}
    lists |= {"verify", "check", "release verify", "recipients", "retention", "summary diff", "summary schedule"}
    assert [name for name, command in commands() if name in lists and "--json" not in options(command)] == []


def test_what_destroys_asks_first_and_says_in_a_dry_run_what_it_would_do() -> None:
    asking = {name: options(command) for name, command in commands() if "--yes" in options(command)}
    destroying = {"erase", "restore", "adopt", "keys retire", "keys forget", "release withdraw", "partner revoke"}
    assert destroying == {name for name, flags in asking.items() if "--dry-run" in flags}
    assert asking.keys() - destroying == {"retention", "publish"}  # without --apply a dry run; destroys nothing


def test_an_option_has_one_name_and_one_meaning_everywhere() -> None:
    shared = ("--data-dir", "--team", "--json", "--yes", "--as-at", "--by", "--host", "--port")
    for flag in shared:
        texts = {options(command)[flag].help for _, command in commands() if flag in options(command)}
        assert len(texts) == 1 or flag == "--by", (flag, texts)
    names = {flag for _, command in commands() for flag in options(command)}
    assert names & {"--out", "--because", "--why", "--dir", "--file", "--directory"} == set()


def loaded_by(code: str, *args: str) -> set[str]:
    """The modules that a program has loaded when it ends."""
    program = f"import sys\n{code}\nprint(*sys.modules, file=sys.stderr)"
    process = subprocess.run([sys.executable, "-c", program, *args], capture_output=True, text=True, check=True)
    return set(process.stderr.split())


def test_declaring_every_command_loads_none_of_what_they_do() -> None:
    ours = {f"triage{module}" for module in ("", ".__main__", ".cli", ".cli.options", ".cli.work")}
    declared = {f"triage.cli.{module}" for module, _ in COMMANDS.values()}
    loaded = loaded_by("from triage.__main__ import COMMANDS, main\nfor name in COMMANDS: main.get_command(None, name)")
    assert {name for name in loaded if name.partition(".")[0] == "triage"} == ours | declared
    assert loaded & {"asyncio", "asyncpg", "msgspec", "rich"} == set()


def test_the_help_of_every_command_loads_at_most_the_names_that_it_lists() -> None:
    helps = [[*name.split(), "--help"] for name, _ in commands()]
    loaded = loaded_by(
        "import json\nfrom triage.__main__ import main\n"
        "for words in json.loads(sys.argv[1]): main(words, standalone_mode=False)",
        json.dumps(helps),
    )
    assert loaded & {"triage.commands", "triage.app", "triage.http", "triage.pages", "triage.jobs"} == set()
    assert loaded & {"litestar", "httpx", "uvicorn", "apscheduler", "jinja2", "pyarrow", "cryptography"} == set()


@pytest.mark.parametrize(
    ("process", "unneeded"),
    [
        ("triage.commands.database", {"litestar", "uvicorn", "jinja2", "triage.log.incident"}),
        ("triage.commands.serve", {"litestar", "uvicorn", "jinja2", "apscheduler"}),  # loaded while databases open
        ("triage.commands.jobs", {"litestar", "uvicorn", "jinja2"}),
        ("triage.commands.summary", {"jinja2"}),
        ("triage.commands.server", set()),
    ],
)
def test_a_process_loads_libraries_when_it_uses_them(process: str, unneeded: set[str]) -> None:
    seldom = {"httpx", "rich", "jwt", "pyarrow", "xlsxwriter"}
    assert loaded_by(f"import {process}") & (unneeded | seldom) == set()


def test_a_declared_command_and_its_work_take_the_same_options() -> None:
    for name, command in commands():
        if isinstance(command.callback, partial):
            [work] = command.callback.args
            taken = set(inspect.signature(resolve_name(work)).parameters)
            opened = {"databases": "data_dir"}  # where a command works on databases, they are opened for it
            assert {param.name for param in command.params} == {opened.get(option, option) for option in taken}, name
        else:
            assert isinstance(command, click.Group), name


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("triage st", ["staff"]),
        ("triage staff d", ["disable"]),
        ("triage deliver add e", ["email"]),
        ("triage summary list --kind w", ["weekly"]),
        ("triage keys retire --d", ["--dry-run", "--data-dir"]),
    ],
)
def test_the_shell_completes_commands_options_and_names(typed: str, offered: list[str]) -> None:
    word = str(typed.count(" "))
    environ = {"_TRIAGE_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": word}
    printed = CliRunner(env=environ).invoke(main, prog_name="triage").output
    assert printed.splitlines() == [f"plain,{name}" for name in offered]


def test_the_help_lists_every_command_with_the_line_of_the_table() -> None:
    printed = " ".join(run("--help").output.split())
    assert [name for name, (_, line) in COMMANDS.items() if f"{name} {line.split('.')[0][:30]}" not in printed] == []


def test_a_full_disk_behind_the_output_is_no_fault_of_the_database() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-m", "triage", "codes"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: no room is left")


async def test_ending_nobodys_access_is_an_error(db_url: str, tmp_path: Path) -> None:
    settings = installation(db_url, tmp_path)
    assert (await asyncio.to_thread(run, "team", "add", "--name", "x", **settings)).exit_code == 0
    refusal = failed(await asyncio.to_thread(run, "staff", "disable", ID, **settings))
    assert refusal == "Error: there is no such record in this team"


async def test_lists_are_whole_for_people_and_for_programs(db_url: str, tmp_path: Path) -> None:
    settings = installation(db_url, tmp_path)

    def triage(*args: str) -> str:
        command = [sys.executable, "-m", "triage", *args]
        done = subprocess.run(command, env=os.environ | settings | {"COLUMNS": "20"}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    team = triage("team", "add", "--name", "A team with a long name").strip()
    staff = triage("staff", "add", "--name", "Sergeant One", "--role", "sergeant").strip()
    assert team in triage("team", "list")
    assert staff in triage("staff", "list")
    [row] = json.loads(triage("staff", "list", "--json"))
    assert (row["id"], row["role"], row["profession"], row["disabled_at"]) == (staff, "sergeant", "police", None)

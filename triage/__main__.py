"""The command line. A command is declared by a module of its own, which is loaded when the command is asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import Any

import click
from click.shell_completion import CompletionItem

COMMANDS = {
    "migrate": ("migrate", "Bring the databases up to this version of the program."),
    "verify": ("verify", "Recompute the chains and name the first altered entry."),
    "refold": ("refold", "Make what lists and filters are answered from anew, by the rules of this version."),
    "team": ("team", "Teams: add, list."),
    "staff": ("staff", "Staff: add, list, disable."),
    "enrol": ("staff", "Print a one-time code for a phone or the review pages."),
    "partner": ("partner", "Partner organisations: add, agree, token, revoke, list."),
    "release": ("release", "Freeze exports that are due; verify or withdraw what is frozen."),
    "publish": ("publish", "Publish whatever is due, and exit."),
    "summary": ("summary", "Published summaries, when they are due, and reports on demand."),
    "deliver": ("deliver", "Messages: where they go, what waits, retry."),
    "subject-access": ("subject_access", "Gather everything about one person into a page and a JSON file."),
    "erase": ("erasure", "Destroy a person's identifiers, or an incident's notes, for good."),
    "hold": ("erasure", "Put an incident under legal hold, or lift it."),
    "regime": ("erasure", "Show or change under which law an incident is processed."),
    "recipients": ("recipients", "List who got a summary that a wrong link had touched."),
    "retention": ("erasure", "Show, and with --apply do, what the retention table asks for."),
    "backup": ("backup", "Write the database, or the key store, into a file."),
    "check": ("check", "Say what of an installation is wrong, before anything is started."),
    "adopt": ("backup", "Go on with a database that lost its last moments, after a failover or a recovery."),
    "restore": ("backup", "Restore a backup, or rehearse it; what was revoked or erased since stays so."),
    "keys": ("keys", "Rotate the key-encryption key, retire old ones, forget what was erased."),
    "demo": ("demo", "Serve synthetic months of a team, ending today, and print a token for every role."),
    "codes": ("codes", "Print the code lists."),
    "openapi": ("openapi", "Print the OpenAPI document."),
    "serve": ("serve", "Serve until stopped by SIGINT or SIGTERM."),
    "jobs": ("jobs", "Run the jobs beside `triage serve --without-jobs`, and those that destroy: retention."),
}
"""Command → the module of `triage.cli` that declares it, and its line in the help."""


class LazyGroup(click.Group):
    """Finds a command's module only when the command is asked for, and turns whatever fails into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = resolve_name(f"triage.cli.{module}:{cmd_name.replace('-', '_')}")
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        named = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(COMMANDS.items())])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _in_one_line():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _in_one_line():
            return super().invoke(ctx)


class CalledWrongly(click.ClickException):
    """There is no such command, option or value."""

    exit_code = click.UsageError.exit_code


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Whatever fails is said in one line: that of a command which was called wrongly names the help."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        how = f" See `{error.ctx.command_path} --help`." if error.ctx else ""
        raise CalledWrongly(" ".join(error.format_message().split()).rstrip(".") + "." + how) from error
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except Exception as error:
        raise click.ClickException(resolve_name("triage.commands.failures:describe")(error)) from error


@click.group("triage", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="triage")
def main() -> None:
    """Street Triage Log: incident records, graded diversion, scheduled summaries, anonymised exports."""


if __name__ == "__main__":
    main()

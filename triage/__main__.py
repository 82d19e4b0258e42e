"""The command line. Commands are loaded when they are called: importing the whole service takes half a second."""

from importlib import import_module

import rich_click as click

COMMANDS = {
    "migrate": ("checking", "Bring the databases up to this version of the program."),
    "verify": ("checking", "Recompute the chains and name the first altered entry."),
    "staff": ("staff", "Teams and their staff: add, list, disable."),
    "enrol": ("staff", "Print a one-time code for a phone."),
    "partner": ("partners", "Partner organisations: add, agree, token, revoke, list."),
    "release": ("releases", "Freeze exports that are due; verify or withdraw what is frozen."),
    "publish": ("summaries", "Publish whatever is due, and exit."),
    "summary": (
        "summaries",
        "Published summaries, when they are due, and reports on demand.",
    ),
    "deliver": ("deliver", "Messages: where they go, what waits, retry."),
    "subject-access": ("trust", "Gather everything about one person into a page and a JSON file."),
    "erase": ("trust", "Destroy a person's identifiers, or an incident's notes, for good."),
    "hold": ("trust", "Put an incident under legal hold, or lift it."),
    "regime": ("trust", "Show or change under which law an incident is processed."),
    "recipients": ("trust", "List who got a summary that a wrong link had touched."),
    "retention": ("trust", "Show, and with --apply do, what the retention table asks for."),
    "backup": ("backup", "Write the database, or the key store, into a file."),
    "restore": ("backup", "Restore a backup, or rehearse it; what was revoked or erased since stays so."),
    "keys": ("keys", "Rotate the key-encryption key, retire old ones, forget what was erased."),
    "demo": ("serving", "Serve synthetic months of a team, ending today, and print a token for every role."),
    "codes": ("documents", "Print the code lists."),
    "openapi": ("documents", "Print the OpenAPI document."),
    "jobs": ("serving", "Run the jobs beside `triage serve --without-jobs`, and those that destroy: retention."),
    "serve": ("serving", "Serve until stopped by SIGINT or SIGTERM."),
}
"""Command → the module of `triage.commands` that holds it, and its line in the help."""


class LazyGroup(click.RichGroup):
    """Finds a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        command: click.Command = getattr(import_module(f"triage.commands.{module}"), name.replace("-", "_"))
        return command


@click.group(cls=LazyGroup)
@click.version_option(package_name="triage")
def main() -> None:
    """Street Triage Log: incident records, graded diversion, scheduled summaries, anonymised exports."""


if __name__ == "__main__":
    main()

"""`triage summary`: published summaries, when they are due, and reports on demand."""

import click

from triage.cli.options import AS_AT, JSON, OUTPUT, TEAM
from triage.cli.work import Named, runs_on_data

PERIOD_KIND = Named("triage.times:PeriodKind")
COUNTED = Named("triage.summaries.questions:COUNTED")
VARIABLES = Named("triage.summaries.questions:VARIABLES")
KIND = click.argument("kind", type=PERIOD_KIND)


@click.group()
def summary() -> None:
    """Published summaries, when they are due, and reports on demand."""


@summary.command("list")
@TEAM
@JSON
@click.option("--kind", type=PERIOD_KIND, help="One kind only.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@runs_on_data("triage.commands.summary:list_")
def list_() -> None:
    """List the latest edition of each period, newest first."""


@summary.command()
@TEAM
@KIND
@click.argument("period")
@click.option("--edition", type=click.IntRange(1), help="By default the latest.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "csv", "html"]),
    default="text",
    show_default=True,
    help="In which form.",
)
@OUTPUT
@runs_on_data("triage.commands.summary:show")
def show() -> None:
    """Show an edition."""


@summary.command()
@TEAM
@JSON
@KIND
@click.argument("period")
@click.option("--edition", type=click.IntRange(2), help="By default the latest.")
@runs_on_data("triage.commands.summary:diff")
def diff() -> None:
    """Show what an edition changed against the one before it, and why."""


@summary.command()
@TEAM
@KIND
@click.argument("period")
@click.option("--edition", type=click.IntRange(1), help="By default the latest.")
@runs_on_data("triage.commands.summary:recompute")
def recompute() -> None:
    """Compute an edition again from the log alone, under its own rules and code lists. Fails where a number differs."""


@summary.command()
@TEAM
@click.argument("first")
@click.argument("second")
@click.option(
    "--format", "form", type=click.Choice(["csv", "html"]), default="csv", show_default=True, help="In which form."
)
@AS_AT
@OUTPUT
@runs_on_data("triage.commands.summary:compare")
def compare() -> None:
    """Compare two spans of whole months, such as 2025-01..2025-12 2026-01..2026-12."""


@summary.command("home-office")
@TEAM
@click.argument("year")
@click.option(
    "--triage-car", default="other", show_default=True, help="The code of transport that a triage car is counted as."
)
@OUTPUT
@runs_on_data("triage.commands.summary:home_office")
def home_office() -> None:
    """The annual return for a financial year, such as 2025-26, as CSV. Exact: for the force's own use."""


@summary.command()
@TEAM
@click.argument("period")
@click.option("--of", type=COUNTED, default="s136", show_default=True, help="What is counted.")
@click.option("--by", type=VARIABLES, multiple=True, help="By what; several are crossed.")
@click.option("--hours", is_flag=True, help="With the hours of detention: how many are known, median and longest.")
@click.option("--publishable", is_flag=True, help="Only what a protected table of the period answers.")
@OUTPUT
@runs_on_data("triage.commands.summary:question")
def question() -> None:
    """Answer a question about a month, quarter or financial year, such as 2026-10 --of s136 --by month --by area.

    The answer is exact and headed as not for publication. With --publishable it comes from the protected tables, or is
    refused, with the coarser table that would do.
    """


@summary.command("force-total")
@TEAM
@click.argument("period")
@click.argument("s136", type=click.IntRange(0, 1_000_000), required=False)
@click.option("--source", help="Where the number comes from; printed with the rate.")
@JSON
@runs_on_data("triage.commands.summary:force_total")
def force_total() -> None:
    """Enter how often the whole force used s136 in a quarter or financial year, such as 2026-Q3 or 2026.

    The next edition has the rate of the force. A correction is entered as a new version. Without a number, lists what
    was entered.
    """


@summary.command()
@TEAM
@JSON
@click.argument("kind", type=PERIOD_KIND, required=False)
@click.argument("at", type=click.DateTime(["%H:%M"]), required=False)
@click.option(
    "--after-days", type=click.IntRange(1, 120), help="Days after the period's last day; by default as shipped."
)
@runs_on_data("triage.commands.summary:schedule")
def schedule() -> None:
    """Show when summaries are due, or set the local time at which a kind is, such as: daily 09:30."""

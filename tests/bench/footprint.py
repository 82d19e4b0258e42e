"""Memory with one team and with forty-three."""

from lines import Line
from load import run
from serving import resident, scratch, serving
from traffic import puts, puts_of

FORCES = 43


async def bench(seconds: float) -> list[Line]:
    with scratch() as data_dir:
        async with serving(data_dir, other_teams=FORCES - 1) as running:
            await run(running.host, running.port, puts(running, 1, 4000), 8, 120)
            alone = resident(running.pid)
            await run(running.host, running.port, puts_of(running.officers, 2, 100 * len(running.officers)), 8, 120)
            every = resident(running.pid)
    return [
        Line("memory of the service, one team", f"{alone:.0f} MiB", "", "", "", ""),
        Line(f"memory of the service, {FORCES} teams", f"{every:.0f} MiB", "", "", "120 MiB", "80 MiB"),
    ]

"""Three machines on two networks, one for clients and one for replication: namespaces joined by bridges.

A cable is pulled by taking its end at the bridge down. A black hole is a pulled cable that nobody is told of: the
neighbours' addresses are fixed, so that what is sent to the machine is lost without an error, as behind a router.
"""

import subprocess
from enum import IntEnum
from typing import Final

MACHINES: Final = (1, 2, 3)


class Network(IntEnum):
    """What a cable is for; the third number of its addresses."""

    CLIENTS = 0
    REPLICATION = 1


def address(machine: int, network: Network = Network.CLIENTS) -> str:
    """Where a machine is reached; machine 0 is this process."""
    return f"10.88.{network}.{10 + machine}"


def namespace(machine: int) -> str:
    """The file by which the machine's namespace is entered."""
    return f"/run/netns/machine{machine}"


def lay() -> None:
    """Make the networks, in a network namespace without any."""
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)  # names of namespaces are files below it
    for machine in MACHINES:
        subprocess.run(["ip", "netns", "add", f"machine{machine}"], check=True)
        _ip(["link set lo up"], machine)
    _ip(["link set lo up"])
    for network in Network:
        bridge = f"bridge{network}"
        _ip([f"link add {bridge} type bridge", f"address add {address(0, network)}/24 dev {bridge}"])
        _ip([f"link set {bridge} up"])
        for machine in MACHINES:
            _lay_cable(machine, network)


def _lay_cable(machine: int, network: Network) -> None:
    end, plug = _end(machine, network), f"cable{network}"
    _ip(
        [
            f"link add {end} type veth peer name {plug} netns machine{machine}",
            f"link set {end} master bridge{network} up",
        ]
    )
    _ip(
        [
            f"link set {plug} address {_hardware(machine, network)}",
            f"address add {address(machine, network)}/24 dev {plug}",
            f"link set {plug} up",
        ],
        machine,
    )


def pull(machine: int, *networks: Network, silently: bool = False) -> None:
    """Pull the machine's cables; `silently` lets nobody notice by the lack of an answer about its address."""
    for network in networks:
        if silently:
            _fix_addresses(machine, network)
        _ip([f"link set {_end(machine, network)} down"])


def mend(machine: int, *networks: Network) -> None:
    """Put the machine's cables back."""
    for network in networks:
        _ip([f"link set {_end(machine, network)} up"])
        for other in (0, *MACHINES):
            _ip([f"neigh flush dev {_device(other, network)} nud permanent"], other)


def _fix_addresses(machine: int, network: Network) -> None:
    for other in {0, *MACHINES} - {machine}:
        device = _device(other, network)
        hardware = _hardware(machine, network)
        _ip([f"neigh replace {address(machine, network)} lladdr {hardware} nud permanent dev {device}"], other)


def _device(machine: int, network: Network) -> str:
    return f"cable{network}" if machine else f"bridge{network}"


def _end(machine: int, network: Network) -> str:
    return f"end{machine}_{network}"


def _hardware(machine: int, network: Network) -> str:
    return f"02:00:00:88:0{network}:0{machine}"


def _ip(commands: list[str], machine: int = 0) -> None:
    place = ["-n", f"machine{machine}"] if machine else []
    subprocess.run(["ip", *place, "-batch", "-"], input="\n".join(commands), text=True, check=True)

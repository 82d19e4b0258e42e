"""Synthetic months of a street triage team: for the demo, the benches and the tests.

Nobody in it exists. Everything follows from a seed, so a run can be repeated entry for entry; nothing here reads a
clock or writes anywhere. `generate` tells a team's entries in order of receipt, `bulk` copies them by the million.
"""

from triage.demo.bulk import EntryCopy, bulk
from triage.demo.cast import CAST, Callers, Cast, Person, StaffMember
from triage.demo.months import generate
from triage.demo.phone import DemoEntry

__all__ = ["CAST", "Cast", "EntryCopy", "StaffMember", "Callers", "Person", "DemoEntry", "bulk", "generate"]

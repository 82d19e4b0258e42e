"""The work of the commands: one module a family, under the name by which `triage.cli` declares it."""

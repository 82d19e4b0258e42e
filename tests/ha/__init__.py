"""The service on a cluster of three machines, broken in every way. Run by hand, as root: `run.py`."""

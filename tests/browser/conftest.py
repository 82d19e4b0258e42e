"""Tests in a real browser run where one is installed: Debian's chromium, Playwright and npm."""

import shutil
from importlib.util import find_spec

INSTALLED = (
    find_spec("playwright") is not None and shutil.which("chromium") is not None and shutil.which("npm") is not None
)
collect_ignore = [] if INSTALLED else ["test_in_chromium.py"]

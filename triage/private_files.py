"""Files that their owner alone may read, and that are whole under their name or not there."""

import os
import tempfile
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 in place of what has its name; a machine that fails leaves either. Raises OSError."""
    handle, unfinished = tempfile.mkstemp(prefix=path.name, dir=path.parent)  # mode 0600 from the first moment
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
    finally:
        Path(unfinished).unlink(missing_ok=True)  # a full disk leaves no half of a secret
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

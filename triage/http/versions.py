"""The versions by which a phone knows that the service changed, or takes entries of another shape."""

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from typing import Final

import msgspec

from triage.log.entries import AnyEntry

SERVICE: Final = version("triage")


@cache
def entry_schema() -> str:
    """A digest of every kind of entry and its fields: where it is another, a phone offers again what was too new."""
    schema = msgspec.json.encode(msgspec.json.schema(AnyEntry), order="sorted")
    return sha256(schema).hexdigest()[:8]

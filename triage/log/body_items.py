"""The items of a list in a body, each as the bytes that were sent.

Only for bodies that the decoder refuses as a whole although they are JSON: half a surrogate pair in one note must cost
that note alone, not the other entries of a sync.
"""

import json
import re
from collections.abc import Collection, Iterator
from typing import Final

_VALUES: Final = json.JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
_BLANK: Final = re.compile(r"[ \t\n\r]*")


def split_items(body: bytes, names: Collection[str]) -> tuple[bytes, dict[str, list[bytes]]]:
    """The body with the lists of these names emptied, and the items of each.

    Takes the body of an object that Python's JSON reader can read; it is less strict than the decoder. Raises
    ValueError, IndexError or RecursionError for any other.
    """
    text = body.decode(errors="surrogateescape")
    if not isinstance(_VALUES.decode(text), dict):
        raise ValueError("the body is no object")
    members: list[str] = []
    items: dict[str, list[bytes]] = {}
    for key, start, end in _members(text):
        name = _VALUES.decode(key)
        if name in names and text[start] == "[":
            items[name] = [text[a:b].encode(errors="surrogateescape") for a, b in _items(text, start)]
            members.append(f"{key}:[]")
        else:
            members.append(f"{key}:{text[start:end]}")
    return f"{{{','.join(members)}}}".encode(errors="surrogateescape"), items


def _members(text: str) -> Iterator[tuple[str, int, int]]:
    """Each name of the object, as written, and where its value lies."""
    at = _past_blank(text, _past_blank(text, 0) + 1)
    while text[at] != "}":
        _, name_ends = _VALUES.raw_decode(text, at)
        starts = _past_blank(text, _past_blank(text, name_ends) + 1)
        _, ends = _VALUES.raw_decode(text, starts)
        yield text[at:name_ends], starts, ends
        at = _past_comma(text, ends)


def _items(text: str, starts: int) -> Iterator[tuple[int, int]]:
    """Where each item of the list lies that starts here."""
    at = _past_blank(text, starts + 1)
    while text[at] != "]":
        _, ends = _VALUES.raw_decode(text, at)
        yield at, ends
        at = _past_comma(text, ends)


def _past_comma(text: str, at: int) -> int:
    at = _past_blank(text, at)
    return _past_blank(text, at + 1) if text[at] == "," else at


def _past_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at

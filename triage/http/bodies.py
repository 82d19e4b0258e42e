"""Bodies: decompressed, and every fault named at once, where msgspec stops at the first."""

import zlib
from codecs import BOM_UTF8
from functools import partial
from typing import Any, Final

import zstandard
from litestar.dto import AbstractDTO
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from triage.http.access_control import AnyConnection
from triage.http.parameters import AnyRequest, sent_header
from triage.log.decode import decode_as
from triage.problems import INVALID_PARAMETER, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Refused

_PIECE: Final = 256
"""Bytes decompressed at a time: of zstd they become 8 MiB at most, of gzip far less."""
_LARGEST_WINDOW: Final = 2**27


class EveryFault(AbstractDTO[Any]):
    """Reads `data` of any handler as the Struct it is annotated with. Raises Faults with every fault of it."""

    def decode_bytes(self, value: bytes) -> Any:
        handler = self.asgi_connection.route_handler
        return decode_as(handler.parsed_data_field.annotation, plain_json(self.asgi_connection, value))

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """There is no second model to make."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        """The schema of the Struct itself."""
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    generate_field_definitions = detect_nested_field = None  # type: ignore[assignment]


async def read_json(request: AnyRequest) -> bytes:
    """The JSON body, for handlers that keep what they refuse. Raises Refused: 415, 413, 400.

    It reads what the server received itself, which costs a fifth of Litestar's way.
    """
    most = request.app.state.service.settings.max_body_bytes
    message: Any = await request.receive()
    body = bytes(message.get("body", b""))
    while message.get("more_body") and len(body) <= most:
        message = await request.receive()
        body += message.get("body", b"")
    if len(body) > most:
        raise Refused(TOO_LARGE)
    return plain_json(request, body)


def plain_json(connection: AnyConnection, body: bytes) -> bytes:
    """The JSON that was sent, decompressed. Raises Refused: 415, 413, 400."""
    if sent_header(connection.scope, b"content-type").split(";")[0].strip().lower() != "application/json":
        raise Refused(UNSUPPORTED_MEDIA_TYPE)
    coding = sent_header(connection.scope, b"content-encoding").strip().lower() or "identity"
    most = connection.app.state.service.settings.max_decoded_bytes
    plain = body if coding in ("identity", "") or not body else decompress(body, coding, most)
    return plain.removeprefix(BOM_UTF8)


def decompress(body: bytes, coding: str, most: int) -> bytes:
    """Undo a content coding, of several members or frames too. Raises Refused: 415, 413, or 400.

    Never holds much more than `most` bytes: what a piece becomes is at most 8 MiB.
    """
    match coding:
        case "gzip" | "x-gzip":
            start: Any = partial(zlib.decompressobj, 16 + zlib.MAX_WBITS)
        case "zstd":
            start = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj
        case _:
            raise Refused(UNSUPPORTED_MEDIA_TYPE, "Bodies may be coded with gzip or zstd.")
    try:
        return _decompress(start, body, most)
    except (zlib.error, zstandard.ZstdError) as error:
        raise Refused(INVALID_PARAMETER, "The body is not what Content-Encoding says.") from error


def _decompress(start: Any, body: bytes, most: int) -> bytes:
    decoded, place, decoder = bytearray(), 0, start()
    while place < len(body):
        if decoder.eof:
            decoder = start()
        piece = body[place : place + _PIECE]
        decoded += decoder.decompress(piece)
        if len(decoded) > most:
            raise Refused(TOO_LARGE)
        place += len(piece) - len(decoder.unused_data)
    if not decoder.eof:
        raise Refused(INVALID_PARAMETER, "The compressed body ends early.")
    return bytes(decoded)

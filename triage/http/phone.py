"""The phone app under `/app`: the static files of `triage/phone`, one release named by their names and bytes."""

import re
import zlib
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import msgspec
from litestar import Response, Router, get
from litestar.params import FromPath
from msgspec import Struct

from triage.http.negotiation import is_held
from triage.http.parameters import AnyRequest
from triage.problems import NOT_FOUND, Refused

MEDIA_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
HEADERS: Final = {
    "cache-control": "no-cache",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types app"
    ),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(), microphone=()",
    "x-robots-tag": "noindex",
    "vary": "accept-encoding",
}
PAGE: Final = "index.html"
WORKER: Final = "sw.js"
ENTRY_POINT: Final = "main.js"
_COMMENTS: Final = re.compile(
    rb"^[ \t]*(?://[^\n]*|/\*\*(?:(?!\*/).)*\*/)?[ \t]*\n|/\*\* @type [^\n]*?\*/ ?", re.DOTALL | re.MULTILINE
)
_LAYOUT: Final = re.compile(rb"(?<=[,;(\[{])\n[ \t]*|,?\n[ \t]*(?=[)\]}])|^[ \t]+", re.MULTILINE)


class AppFile(Struct, frozen=True):
    """One file as served. `etag` without its quotes; `gzipped` is None where compressing saves nothing."""

    media_type: str
    body: bytes
    gzipped: bytes | None
    etag: str


class AppRelease(Struct, frozen=True):
    """Every file by its name, and the name of all of them together."""

    version: str
    files: dict[str, AppFile]


def read_release() -> AppRelease:
    """The files of the package, with the version and the list of files put into the page and the service worker."""
    folder = files("triage") / "phone"
    contents = {file.name: file.read_bytes() for file in folder.iterdir() if _suffix(file.name) in MEDIA_TYPES}
    version = version_of(contents)
    cached = ["/app", *(f"/app/{name}" for name in sorted(contents) if name not in (PAGE, WORKER))]
    modules = (
        name for name in sorted(contents) if name.endswith(".js") and name not in (WORKER, "boot.js", ENTRY_POINT)
    )
    preload = "\n".join(f'<link rel="modulepreload" href="/app/{name}">' for name in modules)
    for name in (PAGE, WORKER):
        text = contents[name].replace(b"%VERSION%", version.encode()).replace(b"%PRELOAD%", preload.encode())
        contents[name] = text.replace(b'["%FILES%"]', msgspec.json.encode(cached))
    return AppRelease(version, {name: _file(name, body) for name, body in contents.items()})


def without_layout(text: bytes) -> bytes:
    """A script or style without types, comments and most of the space between its lines: two thirds of its bytes."""
    return _LAYOUT.sub(b"", _COMMENTS.sub(b"", text))


def version_of(contents: dict[str, bytes]) -> str:
    """SHA-256 over names and bytes, shortened: a byte changes, the version changes."""
    digest = sha256()
    for name in sorted(contents):
        digest.update(f"{name}\0{len(contents[name])}\0".encode() + contents[name])
    return digest.hexdigest()[:16]


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _file(name: str, content: bytes) -> AppFile:
    body = without_layout(content) if name.endswith((".js", ".css")) else content
    compressor = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    gzipped = compressor.compress(body) + compressor.flush()
    smaller = gzipped if len(gzipped) < 0.9 * len(body) else None
    return AppFile(MEDIA_TYPES[_suffix(name)], body, smaller, sha256(body).hexdigest()[:32])


release = cache(read_release)


@get("/", sign_in="nobody", any_query=True, forms=())
async def get_app(request: AnyRequest) -> Response[bytes]:
    """The app's page."""
    return _answer(request, PAGE)


@get("/{name:str}", sign_in="nobody", any_query=True, forms=())
async def get_app_file(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """One file of the app."""
    return _answer(request, name)


def _answer(request: AnyRequest, name: str) -> Response[bytes]:
    """Raises Refused (404) for a name that the release does not have."""
    file = release().files.get(name)
    if file is None:
        raise Refused(NOT_FOUND)
    compressed = file.gzipped is not None and "gzip" in request.headers.get("accept-encoding", "")
    tags = {True: f'"{file.etag}-gzip"', False: f'"{file.etag}"'}
    headers = HEADERS | {"etag": tags[compressed], "x-app-version": release().version}
    if name == WORKER:
        headers["service-worker-allowed"] = "/app"
    if any(is_held(request, tag) for tag in tags.values()):
        return Response(b"", status_code=304, headers=headers)
    if compressed and file.gzipped is not None:
        return Response(file.gzipped, media_type=file.media_type, headers=headers | {"content-encoding": "gzip"})
    return Response(file.body, media_type=file.media_type, headers=headers)


router = Router("/app", route_handlers=[get_app, get_app_file], include_in_schema=False)

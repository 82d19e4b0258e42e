"""Settings: the environment variables `TRIAGE_*`, read once into one frozen struct.

A setting is one field below: name, type, default, meaning. `load` and `table` know no setting by name.
"""

import os
from collections.abc import Mapping
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields, force_setattr

from triage.errors import OperatorError

PREFIX = "TRIAGE_"
FILE_SUFFIX = "_FILE"
TESTS_PREFIX = "TRIAGE_TEST_"  # read by the tests only
READ_ELSEWHERE = {
    "TRIAGE_PG_BIN": "Directory of the PostgreSQL programs for the embedded database, in place of the wheel's."
}

_DERIVED: Any = None  # the default follows from other settings, see __post_init__


class SettingsError(OperatorError):
    """Settings that are wrong or unknown, each named, one a line; the message holds no secret."""


class Secret(str):
    """Text that does not show itself in a repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class DatabaseUrl(Secret):
    """The address of a PostgreSQL database, which may hold a password. Raises ValueError for another scheme."""

    __slots__ = ()

    def __new__(cls, url: str) -> "DatabaseUrl":
        if urlsplit(url).scheme not in ("postgresql", "postgres"):
            raise ValueError("Expected an address that starts with postgresql://")
        return super().__new__(cls, url)

    def beside(self, suffix: str) -> "DatabaseUrl":
        """The address of the database on the same server whose name has `suffix` appended."""
        parts = urlsplit(self)
        return DatabaseUrl(parts._replace(path=parts.path + suffix).geturl())


class Networks:
    """Addresses and networks, separated by commas. Raises ValueError for what is neither."""

    __slots__ = ("_networks",)

    def __init__(self, text: str = "") -> None:
        names = [name.strip() for name in text.split(",")] if text else []
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, names))

    def __contains__(self, address: str) -> bool:
        """Whether the address, written as a socket has it, lies in one of them; what is no address does not."""
        try:
            return any(ip_address(address) in network for network in self._networks)
        except ValueError:
            return False

    def __str__(self) -> str:
        return ",".join(map(str, self._networks))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


def default_data_dir() -> Path:
    """`/var/lib/triage` for root, else `triage` in the XDG data directory of the user."""
    if os.geteuid() == 0:
        return Path("/var/lib/triage")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share", "triage")


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting of the service. Units are in the names."""

    database_url: Annotated[
        DatabaseUrl | None,
        Meta(
            description="The service's own login to its database. Several hosts may be named.",
            extra={"default": "the embedded database, for development and demos"},
        ),
    ] = None
    owner_database_url: Annotated[
        DatabaseUrl | None,
        Meta(
            description="The login that owns the tables: migrations, erasure, key rotation, restore.",
            extra={"default": "as `TRIAGE_DATABASE_URL`"},
        ),
    ] = _DERIVED
    keys_database_url: Annotated[
        DatabaseUrl | None,
        Meta(
            description="The key store: in production another cluster, with backups of its own kept 14 days at most.",
            extra={"default": "`TRIAGE_DATABASE_URL` with `_keys` appended to the database's name"},
        ),
    ] = _DERIVED
    read_url: Annotated[
        DatabaseUrl | None,
        Meta(
            description="A replica for what may be a little behind: summaries, files of exports, the audit, and what "
            "commands compute or verify. While it does not answer, the database does.",
            extra={"default": "none: the database"},
        ),
    ] = None
    data_dir: Annotated[
        Path,
        Meta(
            description="Directory of the embedded database and of files that have no setting of their own.",
            extra={"default": "`/var/lib/triage` for root, else `~/.local/share/triage`"},
        ),
    ] = msgspec.field(default_factory=default_data_dir)
    root_key_file: Annotated[
        Path,
        Meta(
            description="File of the root secret, from which all keys derive. Keep a copy, away from backups.",
            extra={"default": "`root.key` in the data directory"},
        ),
    ] = _DERIVED
    journal: Annotated[
        Path,
        Meta(
            description="File that the journal is exported to each hour, beside the key store's backups, so that what "
            "it knows outlives a restore of the key store.",
            extra={"default": "`journal` in the data directory"},
        ),
    ] = _DERIVED

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="TCP port to listen on; 0 takes a free one.")] = 8000
    trusted_proxies: Annotated[
        Networks,
        Meta(
            description="Addresses or networks of the proxies whose `X-Forwarded-For` is believed, with commas; "
            "limits count by the address that it names.",
            extra={"default": "none: the address of the connection counts"},
        ),
    ] = Networks()
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least level that is logged.")
    ] = "info"
    metrics_token: Annotated[
        Secret | None,
        Meta(description="Bearer token for `/metrics`.", extra={"default": "none: `/metrics` is not served"}),
    ] = None

    pool_size: Annotated[
        int,
        Meta(
            ge=2,
            description="Database connections of one process, beside four that append and four for pulls.",
        ),
    ] = 10
    command_timeout_s: Annotated[float, Meta(gt=0, description="Seconds until a statement is given up.")] = 5.0
    require_synchronous: Annotated[
        bool,
        Meta(
            description="Whether a process is ready only while the database replicates synchronously: what it tells a "
            "phone is stored is then on two machines."
        ),
    ] = False
    queue_limit: Annotated[
        int, Meta(ge=1, description="Entries that may wait for the log in one process; more are asked to come later.")
    ] = 5000

    client_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Seconds a client may be silent: before a request, inside a body, or without reading an "
            "answer. A body gets as long in all, and a second more for each 4 KiB.",
        ),
    ] = 30.0
    header_timeout_s: Annotated[
        float, Meta(gt=0, description="Seconds until the headers of a request must be there.")
    ] = 10.0
    max_header_bytes: Annotated[int, Meta(ge=1024, description="Longest address and headers of a request.")] = 32 * 1024
    max_body_bytes: Annotated[int, Meta(ge=1024, description="Longest request body, as sent.")] = 2 * 1024**2
    max_decoded_bytes: Annotated[int, Meta(ge=1024, description="Longest request body, decompressed.")] = 16 * 1024**2
    sync_limit: Annotated[int, Meta(ge=1, description="Entries in one sync.")] = 500
    sync_at_once: Annotated[
        int, Meta(ge=1, description="Syncs taken at once by one process; more are asked to come later.")
    ] = 64
    held_limit: Annotated[int, Meta(ge=1, description="Entry ids in one question about what is held.")] = 5000
    incident_entries_limit: Annotated[int, Meta(ge=1, description="Entries of one incident.")] = 500
    quarantine_limit: Annotated[int, Meta(ge=0, description="Entries of one device held in quarantine.")] = 2000
    quarantine_days: Annotated[int, Meta(ge=1, description="Days an entry stays in quarantine.")] = 30
    retention_applied: Annotated[
        bool,
        Meta(
            description="Whether the daily job destroys what the retention table has switched on; otherwise it records "
            "what it would do. It needs the owner's login."
        ),
    ] = False
    code_lists: Annotated[
        Path | None,
        Meta(
            description="Code lists in place of those shipped (`triage/codes.toml` shows the form): every shipped code "
            "must still be in them. The same on every process.",
            extra={"default": "those shipped"},
        ),
    ] = None
    police_station_allowed_until: Annotated[
        date | None,
        Meta(
            description="Last day on which a police station is a place of safety for anybody (Mental Health Act 2025 "
            "s48). Incidents are flagged by it as they change: set it before that day.",
            extra={"default": "none: no order has commenced it"},
        ),
    ] = None

    enrol_attempts_per_hour: Annotated[
        int, Meta(ge=1, description="Attempts to enrol an hour, for one address and for one code.")
    ] = 10
    match_per_hour: Annotated[int, Meta(ge=1, description="Searches for a person an hour, for one actor.")] = 30
    sign_in_failures_per_hour: Annotated[
        int, Meta(ge=1, description="Failed sign-ins an hour from one address that are looked into and recorded.")
    ] = 6000
    actor_requests_per_minute: Annotated[
        int, Meta(ge=1, description="Requests a minute of one device or partner, in one process; more come later.")
    ] = 6000
    oidc_issuers: Annotated[
        Path | None,
        Meta(
            description="TOML file of the issuers whose access tokens are accepted, one `[[issuer]]` table each.",
            extra={"default": "none: only tokens of this service"},
        ),
    ] = None
    token_idle_days: Annotated[int, Meta(ge=1, description="Days without use after which a token expires.")] = 30

    public_url: Annotated[
        str, Meta(description="Address under which people reach the service; messages link to it. No slash at the end.")
    ] = "http://127.0.0.1:8000"
    smtp_host: Annotated[
        str | None, Meta(description="Mail server for messages.", extra={"default": "none: no e-mail is sent"})
    ] = None
    smtp_port: Annotated[int, Meta(ge=1, le=65535, description="Port of the mail server.")] = 587
    smtp_security: Annotated[
        Literal["starttls", "tls", "none"], Meta(description="How the connection to the mail server is encrypted.")
    ] = "starttls"
    smtp_user: Annotated[
        str | None, Meta(description="Login at the mail server.", extra={"default": "none: no sign-in"})
    ] = None
    smtp_password: Annotated[
        Secret | None, Meta(description="Password at the mail server.", extra={"default": "none"})
    ] = None
    smtp_from: Annotated[str, Meta(description="Sender of e-mails.")] = "street-triage@localhost"
    webhook_private_addresses: Annotated[
        bool, Meta(description="Whether webhooks may go to private networks and to this machine.")
    ] = False
    delivery_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="Seconds until an attempt to deliver a message is given up.")
    ] = 15.0

    def __post_init__(self) -> None:
        if self.owner_database_url is None:
            force_setattr(self, "owner_database_url", self.database_url)
        if self.keys_database_url is None and self.database_url is not None:
            force_setattr(self, "keys_database_url", self.database_url.beside("_keys"))
        if self.root_key_file is None:
            force_setattr(self, "root_key_file", self.data_dir / "root.key")
        if self.journal is None:
            force_setattr(self, "journal", self.data_dir / "journal")


def load(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`. Raises SettingsError naming every wrong and every unknown setting.

    A secret may stand in a file instead, named by the same variable with `_FILE` appended.
    """
    by_name = {variable(field): field for field in fields(Settings)}
    values: dict[str, Any] = {}
    faults = []
    for name, text in sorted(environ.items()):
        if not name.startswith(PREFIX) or name.startswith(TESTS_PREFIX) or name in READ_ELSEWHERE:
            continue
        try:
            named, text = (name, text) if name in by_name else _from_file(name, text, by_name, environ)
            if not text:
                raise SettingsError("is empty; give it a value or remove it")
            field = by_name[named]
            values[field.name] = msgspec.convert(text, field.type, strict=False, dec_hook=_decode)
        except (SettingsError, msgspec.ValidationError) as error:
            faults.append(f"{name}: {error}")
    if faults:
        raise SettingsError("\n".join(faults))
    return Settings(**values)


def _from_file(name: str, path: str, by_name: Mapping[str, FieldInfo], environ: Mapping[str, str]) -> tuple[str, str]:
    """The setting that is meant by a variable of a file, and the file's content. Raises SettingsError."""
    named = name.removesuffix(FILE_SUFFIX)
    if named == name or named not in by_name or not is_secret(by_name[named]):
        raise SettingsError("there is no such setting")
    if named in environ:
        raise SettingsError(f"{named} is set, too: give one of them")
    try:
        return named, Path(path).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no text"
        raise SettingsError(f"the file cannot be read: {reason}") from error


def is_secret(field: FieldInfo) -> bool:
    """Whether the setting's value must not be shown; a database's address may hold a password."""
    return get_args(field.type)[0] in (Secret | None, DatabaseUrl | None)


def _decode(kind: type, text: str) -> object:
    return kind(text)


def variable(field: FieldInfo) -> str:
    """The variable of the environment that holds a setting."""
    return PREFIX + field.name.upper()

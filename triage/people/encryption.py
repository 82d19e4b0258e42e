"""Keys, and the sealing of what could name somebody: notes, identifiers, quarantined entries.

Three layers, so that erasing is destroying one small row and nothing has to be searched for in backups:

- the *root secret*, a file outside every database: key-encryption keys by id, and one derivation secret;
- a *data key* of its own for every note and every person. It is stored only wrapped by the newest key-encryption key,
  in the key store, a database with backups of its own. Deleting that row is the erasure;
- *sealed bytes* in the main database, beside the reference of their data key.

Rotating the root secret wraps the data keys anew and touches nothing that is sealed. It leaves the derivation secret
alone, because what is derived from it (indexes, disclosure keys) has to give the same answer for years.

This is the one module of the package that reads a file and draws random numbers.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, unique
from pathlib import Path
from typing import Final, Literal
from uuid import UUID, uuid4

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from triage import private_files
from triage.errors import OperatorError

KEY_BYTES: Final = 32
"""Every key here is an AES-256 key or as long as one."""

_FORMAT: Final = b"\x01"
_NONCE: Final = 12
"""96 bits, drawn at random: safe for 2³² values under one key (NIST SP 800-38D section 8.3)."""
_KEK: Final = 4
_WRAPPED_HEAD: Final = len(_FORMAT) + _KEK
_TAG: Final = 16


@unique
class Purpose(bytes, Enum):
    """Everything that is derived from the root secret, in one place. A value, once used, never changes."""

    FINGERPRINT = b"triage/1/fingerprint"
    """Not a secret: stored in the database, so that a start with another root secret is noticed before it writes."""
    INDEX_NHS_NUMBER = b"triage/1/index/nhs-number"
    INDEX_POLICE_REF = b"triage/1/index/police-ref"
    INDEX_NAME_AND_BIRTH = b"triage/1/index/name-and-birth"
    DISCLOSURE_TABLES = b"triage/1/disclosure/tables"
    """Record keys and rounding of protected tables. Changing it would change published numbers."""
    DISCLOSURE_RECORDS = b"triage/1/disclosure/records"
    """Keyed choices, decoys, shuffles and orders of record files."""
    DISCLOSURE_REFERENCES = b"triage/1/disclosure/references"
    """Row references, one key for each partner and release below it."""
    SESSIONS = b"triage/1/sessions"
    """Cookies of the review pages."""
    WEBHOOKS = b"triage/1/webhooks"
    """Secrets of webhooks, one below it for each receiver."""
    LIMITS = b"triage/1/limits"
    """Addresses counted for attempt limits are stored only as a keyed digest."""


class RootFault(OperatorError):
    """The root secret file cannot be used; the message names the file and what to do, never its content."""


class Undecryptable(Exception):
    """Sealed or wrapped bytes do not open: altered, moved to another row, or another key."""


class KeyUnknown(Undecryptable):
    """Wrapped under a key-encryption key that this process does not hold: the file is newer, or the wrong one."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key in memory: `key` opens what is stored beside `ref`. It shows no key when printed."""

    ref: UUID
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class Root:
    """The root secret as one process holds it. It shows no key when printed."""

    derivation: bytes
    wrapping: dict[int, AESGCM]

    @property
    def newest(self) -> int:
        """The id of the key-encryption key that new data keys are wrapped with."""
        return max(self.wrapping)

    def derive(self, purpose: Purpose) -> bytes:
        """32 bytes for one purpose (HKDF-SHA-256, RFC 5869), the same for the life of the root secret."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=purpose.value).derive(self.derivation)

    def wrap(self, data_key: bytes, key_ref: UUID) -> bytes:
        """Encrypt a data key for the key store: format ‖ key-encryption key id ‖ nonce ‖ ciphertext.

        The reference is authenticated with it, so that a wrapped key moved to another row does not open.
        """
        head = _FORMAT + self.newest.to_bytes(_KEK, "big")
        nonce = os.urandom(_NONCE)
        return head + nonce + self.wrapping[self.newest].encrypt(nonce, data_key, head + key_ref.bytes)

    def unwrap(self, wrapped: bytes, key_ref: UUID) -> bytes:
        """The data key that `wrap` was given. Raises KeyUnknown, or Undecryptable."""
        kek = self.wrapping.get(wrapped_under(wrapped))
        if kek is None:
            raise KeyUnknown("no key-encryption key of this id")
        head, nonce, body = _split(wrapped, _WRAPPED_HEAD)
        return _decrypt(kek, nonce, body, head + key_ref.bytes)

    def rewrap(self, wrapped: bytes, key_ref: UUID) -> bytes:
        """The same data key under the newest key-encryption key. Raises as `unwrap`."""
        return self.wrap(self.unwrap(wrapped, key_ref), key_ref)


def new_data_key() -> DataKey:
    """A random data key under a random reference, which says nothing of when or for what it was made."""
    return DataKey(uuid4(), os.urandom(KEY_BYTES))


def wrapped_under(wrapped: bytes) -> int:
    """The id of the key-encryption key a data key is wrapped under: bytes 2 to 5. Raises Undecryptable."""
    head, _, _ = _split(wrapped, _WRAPPED_HEAD)
    return int.from_bytes(head[len(_FORMAT) :], "big")


def encrypt(data_key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Encrypt with AES-256-GCM: format ‖ nonce ‖ ciphertext.

    `aad` says where the bytes belong (table and row); they open only with the same. Ciphers are not cached: a cache
    would keep a key alive after its erasure, and making one costs less than a microsecond.
    """
    nonce = os.urandom(_NONCE)
    return _FORMAT + nonce + AESGCM(data_key).encrypt(nonce, plaintext, _FORMAT + aad)


def decrypt(data_key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """The content given to `encrypt`. Raises Undecryptable."""
    head, nonce, body = _split(sealed, len(_FORMAT))
    return _decrypt(AESGCM(data_key), nonce, body, head + aad)


def _split(data: bytes, head: int) -> tuple[bytes, bytes, bytes]:
    if len(data) < head + _NONCE + _TAG or not data.startswith(_FORMAT):
        raise Undecryptable("not of a format this version writes")
    return data[:head], data[head : head + _NONCE], data[head + _NONCE :]


def _decrypt(cipher: AESGCM, nonce: bytes, body: bytes, aad: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce, body, aad)
    except InvalidTag:
        raise Undecryptable("altered, moved, or another key") from None


class _RootFile(msgspec.Struct, forbid_unknown_fields=True):
    """The file: JSON, keys in base64, key-encryption keys by ascending id."""

    format: Literal["triage-root-1"]
    derivation: bytes
    wrapping: dict[int, bytes]


def load_or_create_root(path: Path) -> Root:
    """Read the root secret, or make one (mode 0600) where there is none yet.

    Processes that start at once agree: the file appears complete, under its name, exactly once.
    Raises RootFault when the file is readable by others than its owner, damaged, or its directory is missing.
    """
    with _alone(path):
        if not path.exists():
            _replace(path, _RootFile("triage-root-1", os.urandom(KEY_BYTES), {1: os.urandom(KEY_BYTES)}))
    return load_root(path)


def load_root(path: Path) -> Root:
    """Read the root secret. Raises RootFault, also where there is none."""
    ring = _read(path)
    return Root(ring.derivation, {kek: AESGCM(key) for kek, key in ring.wrapping.items()})


def add_wrapping_key(path: Path) -> Root:
    """Begin a rotation: add a key-encryption key, with which data keys are wrapped from now on. Raises RootFault.

    Every process has to read the file again before it can open what was wrapped since.
    """
    with _alone(path):
        ring = _read(path)
        ring.wrapping[max(ring.wrapping) + 1] = os.urandom(KEY_BYTES)
        _replace(path, ring)
    return load_root(path)


def drop_wrapping_keys(path: Path, still_used: Collection[int]) -> Root:
    """End a rotation: remove the key-encryption keys under which no data key is wrapped any more.

    The newest stays, used or not. Raises RootFault.
    """
    with _alone(path):
        ring = _read(path)
        newest = max(ring.wrapping)
        ring.wrapping = {kek: key for kek, key in ring.wrapping.items() if kek == newest or kek in still_used}
        _replace(path, ring)
    return load_root(path)


def _read(path: Path) -> _RootFile:
    try:
        with path.open("rb") as file:
            kept = os.fstat(file.fileno())
            data = file.read()
    except FileNotFoundError:
        raise RootFault(
            f"{path}: there is no root secret; restore it from its own backup, or, for a new installation, make one "
            "with triage migrate --create"
        ) from None
    except OSError as fault:
        raise RootFault(f"{path}: {fault.strerror}") from None
    mounted = kept.st_uid == 0 != os.geteuid()  # Kubernetes lets an account read a secret by a group of its own alone
    if kept.st_mode & (0o037 if mounted else 0o077):
        raise RootFault(f"{path}: others than its owner may read or write it; run chmod 600 on it")
    try:
        ring = msgspec.json.decode(data, type=_RootFile)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RootFault(f"{path}: not a root secret file, or damaged; restore it from its own backup") from None
    keys = [ring.derivation, *ring.wrapping.values()]
    if not ring.wrapping or not all(0 < kek < 2**32 for kek in ring.wrapping) or {len(k) for k in keys} != {KEY_BYTES}:
        raise RootFault(f"{path}: needs a derivation secret and at least one wrapping key, of {KEY_BYTES} bytes each")
    return ring


def _replace(path: Path, ring: _RootFile) -> None:
    try:
        private_files.replace(path, msgspec.json.format(msgspec.json.encode(ring), indent=1) + b"\n")
    except OSError as fault:
        raise RootFault(f"{path}: cannot write in its directory: {fault.strerror}") from None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of the directory: the file itself is replaced, so a lock on it would hold nobody off."""
    try:
        directory = os.open(path.parent, os.O_RDONLY)
    except OSError as fault:
        raise RootFault(f"{path}: its directory cannot be opened: {fault.strerror}") from None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)

"""What is sealed opens only with its own key, in its own place; the root secret is shared, kept private and rotated."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.people import encryption
from triage.people.encryption import KeyUnknown, Purpose, RootFault, Undecryptable

REF = UUID("0193a000-0000-7000-8000-0000000000f1")
KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.json"


# --- sealed bytes


@pytest.mark.parametrize("at", [0, 1, 12, 13, -1], ids=["format", "nonce", "nonce end", "text", "tag"])
def test_altered_bytes_do_not_open(at: int) -> None:
    sealed = bytearray(encryption.encrypt(KEY, b"calm after talking", b"note"))
    sealed[at] ^= 1
    with pytest.raises(Undecryptable):
        encryption.decrypt(KEY, bytes(sealed), b"note")


def test_bytes_moved_to_another_place_do_not_open() -> None:
    with pytest.raises(Undecryptable):
        encryption.decrypt(KEY, encryption.encrypt(KEY, b"calm", b"note 1"), b"note 2")


def test_another_key_does_not_open() -> None:
    with pytest.raises(Undecryptable):
        encryption.decrypt(bytes(32), encryption.encrypt(KEY, b"calm", b""), b"")


@given(st.binary(max_size=40))
def test_rubbish_is_unreadable_and_nothing_worse(rubbish: bytes) -> None:
    with pytest.raises(Undecryptable):
        encryption.decrypt(KEY, rubbish, b"")


@given(st.binary(max_size=2000), st.binary(max_size=40))
def test_what_was_sealed_opens(text: bytes, aad: bytes) -> None:
    assert encryption.decrypt(KEY, encryption.encrypt(KEY, text, aad), aad) == text


def test_the_same_text_never_looks_the_same() -> None:
    assert len({encryption.encrypt(KEY, b"calm", b"") for _ in range(50)}) == 50


# --- data keys


def test_a_wrapped_key_moved_to_another_row_does_not_open(path: Path) -> None:
    root = encryption.load_or_create_root(path)
    with pytest.raises(Undecryptable):
        root.unwrap(root.wrap(KEY, REF), uuid4())


def test_another_installation_cannot_unwrap(path: Path, tmp_path: Path) -> None:
    wrapped = encryption.load_or_create_root(path).wrap(KEY, REF)
    with pytest.raises(Undecryptable):
        encryption.load_or_create_root(tmp_path / "other.json").unwrap(wrapped, REF)


def test_the_key_encryption_key_id_cannot_be_exchanged(path: Path) -> None:
    encryption.load_or_create_root(path)
    root = encryption.add_wrapping_key(path)
    wrapped = bytearray(root.wrap(KEY, REF))
    wrapped[4] = 1
    with pytest.raises(Undecryptable):
        root.unwrap(bytes(wrapped), REF)


@pytest.mark.parametrize("rubbish", [b"", b"\x01", b"\x01\x00\x00\x00\x01", b"\x02" + bytes(60)])
def test_a_wrapped_key_that_is_none_is_unreadable(path: Path, rubbish: bytes) -> None:
    with pytest.raises(Undecryptable):
        encryption.load_or_create_root(path).unwrap(rubbish, REF)


def test_a_data_key_is_its_own_and_shows_nothing_when_printed(path: Path) -> None:
    root = encryption.load_or_create_root(path)
    first, two = encryption.new_data_key(), encryption.new_data_key()
    assert first.key != two.key and first.ref != two.ref
    assert root.unwrap(root.wrap(first.key, first.ref), first.ref) == first.key
    assert str(first.key) not in repr(first)
    assert str(root.derivation) not in repr(root)


# --- rotation


def test_rotation_opens_old_and_new_and_derives_the_same(path: Path) -> None:
    before = encryption.load_or_create_root(path)
    old = before.wrap(KEY, REF)

    after = encryption.add_wrapping_key(path)
    new = after.rewrap(old, REF)

    assert (encryption.wrapped_under(old), encryption.wrapped_under(new)) == (1, 2)
    assert after.unwrap(old, REF) == after.unwrap(new, REF) == KEY
    assert [before.derive(purpose) for purpose in Purpose] == [after.derive(purpose) for purpose in Purpose]


def test_a_process_with_the_file_as_it_was_says_that_the_key_is_unknown(path: Path) -> None:
    before = encryption.load_or_create_root(path)
    with pytest.raises(KeyUnknown):
        before.unwrap(encryption.add_wrapping_key(path).wrap(KEY, REF), REF)


def test_a_dropped_key_opens_nothing_and_a_used_or_newest_one_is_never_dropped(path: Path) -> None:
    old = encryption.load_or_create_root(path).wrap(KEY, REF)
    encryption.add_wrapping_key(path)
    assert set(encryption.drop_wrapping_keys(path, still_used=[1]).wrapping) == {1, 2}
    ended = encryption.drop_wrapping_keys(path, still_used=[])
    assert set(ended.wrapping) == {2}
    with pytest.raises(KeyUnknown):
        ended.unwrap(old, REF)


# --- derived keys


def test_every_purpose_has_a_key_of_its_own(path: Path) -> None:
    root = encryption.load_or_create_root(path)
    assert len({root.derive(purpose) for purpose in Purpose}) == len(Purpose)
    assert {len(root.derive(purpose)) for purpose in Purpose} == {32}


# --- the file


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o602])
def test_a_file_others_may_read_or_write_is_refused(path: Path, mode: int) -> None:
    encryption.load_or_create_root(path)
    path.chmod(mode)
    with pytest.raises(RootFault, match="chmod 600"):
        encryption.load_or_create_root(path)


def test_what_root_keeps_for_our_group_may_be_read_by_it_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So Kubernetes mounts a secret."""
    encryption.load_or_create_root(path)
    kept = path.stat()
    ours = os.geteuid() + 1

    def as_mounted(mode: int) -> None:
        stat = os.stat_result((0o100000 | mode, *kept[1:4], 0, *kept[5:]))
        monkeypatch.setattr(os, "fstat", lambda _: stat)
        monkeypatch.setattr(os, "geteuid", lambda: ours)

    for mode in (0o460, 0o444, 0o442):
        as_mounted(mode)
        with pytest.raises(RootFault, match="chmod 600"):
            encryption.load_root(path)
    as_mounted(0o440)
    assert encryption.load_root(path)


KEY_TEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"format": "triage-root-2", "derivation": "%s", "wrapping": {"1": "%s"}}',
        b'{"format": "triage-root-1", "derivation": "%s", "wrapping": {}}',
        b'{"format": "triage-root-1", "derivation": "AAEC", "wrapping": {"1": "%s"}}',
        b'{"format": "triage-root-1", "derivation": "%s", "wrapping": {"1": "AAEC"}}',
        b'{"format": "triage-root-1", "derivation": "%s", "wrapping": {"0": "%s"}}',
        b'{"format": "triage-root-1", "derivation": "%s", "wrapping": {"4294967296": "%s"}}',
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    content = content.replace(b"%s", KEY_TEXT.encode())
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(RootFault) as fault:
        encryption.load_or_create_root(path)
    assert str(path) in str(fault.value) and KEY_TEXT not in str(fault.value)
    assert path.read_bytes() == content


def test_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RootFault, match="directory"):
        encryption.load_or_create_root(tmp_path / "absent" / "root.json")


def test_loading_without_creating_leaves_nothing_behind(path: Path) -> None:
    with pytest.raises(RootFault, match="there is no root secret"):
        encryption.load_root(path)
    assert not path.exists()


def test_a_new_file_is_private_and_says_the_same_again(path: Path) -> None:
    first = encryption.load_or_create_root(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    again = encryption.load_or_create_root(path)
    assert again.derivation == first.derivation
    assert again.unwrap(first.wrap(KEY, REF), REF) == KEY


def test_all_who_start_at_once_agree(tmp_path: Path) -> None:
    start = Barrier(8)

    def load(path: Path) -> bytes:
        start.wait()
        return encryption.load_or_create_root(
            path
        ).derivation  # the lock belongs to the open file, as between processes

    with ThreadPoolExecutor(8) as threads:
        for turn in range(10):
            path = tmp_path / f"{turn}.json"
            assert set(threads.map(load, [path] * 8)) == {encryption.load_root(path).derivation}


def test_rotations_at_once_each_add_a_key(path: Path) -> None:
    encryption.load_or_create_root(path)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(encryption.add_wrapping_key, [path] * 20))
    assert set(encryption.load_root(path).wrapping) == set(range(1, 22))


def test_the_file_is_plain_json_with_keys_by_id(path: Path) -> None:
    encryption.load_or_create_root(path)
    encryption.add_wrapping_key(path)
    content = msgspec.json.decode(path.read_bytes())
    assert set(content) == {"format", "derivation", "wrapping"}
    assert set(content["wrapping"]) == {"1", "2"}


DERIVED = {
    Purpose.FINGERPRINT: "885521d78929ceee",
    Purpose.INDEX_NHS_NUMBER: "e1ae1aa1ded49878",
    Purpose.INDEX_POLICE_REF: "e5e9f8ed45925687",
    Purpose.INDEX_NAME_AND_BIRTH: "10ad155a5b787d38",
    Purpose.DISCLOSURE_TABLES: "1088f41711007b8e",
    Purpose.DISCLOSURE_RECORDS: "ed0fe654178c533e",
    Purpose.DISCLOSURE_REFERENCES: "d2c7e11008ca63b1",
    Purpose.SESSIONS: "cbd5e6663e933265",
    Purpose.WEBHOOKS: "f39824fa10ba3133",
    Purpose.LIMITS: "5512b6437a0e4172",
}


def test_a_new_version_derives_what_the_old_one_did(path: Path) -> None:
    # A changed purpose would unmatch every index and change published numbers, and nothing else would notice.
    path.write_text(
        '{"format": "triage-root-1", "derivation": "KEY", "wrapping": {"1": "KEY"}}'.replace("KEY", KEY_TEXT)
    )
    path.chmod(0o600)
    root = encryption.load_root(path)
    assert {purpose: root.derive(purpose).hex()[:16] for purpose in Purpose} == DERIVED

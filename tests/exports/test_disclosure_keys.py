"""Three secrets from one root secret, which show nothing."""

from pathlib import Path

from triage.exports.keys import derive
from triage.exports.tree import KeyedChoice
from triage.people.encryption import load_or_create_root


def test_three_different_keys_the_same_for_ever(tmp_path: Path) -> None:
    root = load_or_create_root(tmp_path / "root.json")
    keys = derive(root)
    assert len({keys.tables, keys.records, keys.references}) == 3
    assert {len(keys.tables), len(keys.records), len(keys.references)} == {32}
    assert keys == derive(load_or_create_root(tmp_path / "root.json"))


def test_a_key_is_not_printed(tmp_path: Path) -> None:
    keys = derive(load_or_create_root(tmp_path / "root.json"))
    assert repr(keys) == "Keys()"
    assert repr(KeyedChoice(keys.records, "records/2025-Q1")) == "KeyedChoice(period='records/2025-Q1')"

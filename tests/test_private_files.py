"""A file of secrets is its owner's alone from the first moment, and whole."""

from pathlib import Path

import pytest

from triage import private_files


def test_what_could_not_take_its_place_leaves_nothing_behind(tmp_path: Path) -> None:
    directory = tmp_path / "secret.json"
    directory.mkdir()
    with pytest.raises(OSError):
        private_files.replace(directory, b"the owner's")
    assert list(tmp_path.iterdir()) == [directory]


def test_what_takes_the_place_of_an_open_file_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "secret.json"
    file.touch(mode=0o644)
    private_files.replace(file, b"the owner's")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_bytes() == b"the owner's"
    assert list(tmp_path.iterdir()) == [file]

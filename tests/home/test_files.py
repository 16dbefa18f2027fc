"""Small files are read and removed as what they are expected to be, and as nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.home import files


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return str(path)


def test_a_file_is_read_up_to_the_limit_and_not_beyond(path: str) -> None:
    assert files.read(path, limit=7) == b"content"
    with pytest.raises(files.TooLarge, match="larger than 6 bytes"):
        files.read(path, limit=6)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_regular_files_are_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "other")
    with pytest.raises(files.NotARegularFile):
        files.read(str(tmp_path / "other"), limit=7)
    assert not list(files.regular_files(str(tmp_path), lambda name: True))


def test_a_symlink_is_followed_only_where_that_is_wanted(path: str) -> None:
    os.symlink(path, path + "-link")
    assert files.read(path + "-link", limit=7, follow=True) == b"content"
    with pytest.raises(OSError, match="symbolic links"):
        files.read(path + "-link", limit=7)


@pytest.mark.parametrize("change", ["touch", "replace"])
def test_another_version_than_the_expected_one_is_neither_read_nor_removed(path: str, change: str) -> None:
    expected = files.version(path)
    assert files.read(path, limit=7, expected=expected) == b"content"
    if change == "touch":
        os.utime(path, (1, 1))
    else:
        files.replace(path, b"content", modified=expected[1] / 1e9)
    with pytest.raises(files.Changed):
        files.read(path, limit=7, expected=expected)
    assert not files.remove(path, expected=expected)
    assert files.remove(path, expected=files.version(path))
    assert not os.path.exists(path)

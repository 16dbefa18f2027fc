"""Small files are read, changed and removed as what they are expected to be, and as nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.home import files
from launcher.home.files import Directory


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "file").write_bytes(b"content")
    return Directory("here", Directory(str(tmp_path)))


def test_a_file_is_read_up_to_the_limit_and_not_beyond(directory: Directory) -> None:
    assert directory.read("file", limit=7) == b"content"
    with pytest.raises(files.TooLarge, match="larger than 6 bytes"):
        directory.read("file", limit=6)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_only_regular_files_are_read(directory: Directory, make: Callable[[str], None]) -> None:
    make(os.path.join(directory.path, "other"))
    with pytest.raises(files.NotARegularFile):
        directory.read("other", limit=7)
    with pytest.raises(files.NotARegularFile):
        files.read(os.path.join(directory.path, "other"), limit=7)
    assert list(directory.regular_files(lambda name: True)) == ["file"]


def test_a_symlink_is_followed_only_where_that_is_wanted(directory: Directory) -> None:
    link = os.path.join(directory.path, "link")
    os.symlink("file", link)
    assert files.read(link, limit=7) == b"content"
    with pytest.raises(files.NotARegularFile):
        directory.read("link", limit=7)
    for change in (
        lambda: directory.append("link", b"x"),
        lambda: directory.open_ours("link", os.O_RDWR),
        lambda: directory.create("link", b"x"),
    ):
        with pytest.raises(OSError):
            change()
    assert Path(directory.path, "file").read_bytes() == b"content"


def test_a_file_with_a_second_name_is_not_changed_where_it_is(directory: Directory, tmp_path: Path) -> None:
    """It may be anybody's, anywhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    elsewhere.chmod(0o644)
    os.link(elsewhere, tmp_path / "here" / "receipts.jsonl")
    with pytest.raises(PermissionError, match="another name"):
        directory.append("receipts.jsonl", b"x")
    assert (elsewhere.read_text(), elsewhere.stat().st_mode & 0o777) == ("mine", 0o644)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file to somebody else")
def test_root_changes_no_file_and_opens_no_directory_of_another(directory: Directory, tmp_path: Path) -> None:
    os.chown(tmp_path / "here" / "file", 1234, 1234)
    with pytest.raises(files.OfAnother):
        directory.append("file", b"x")
    directory.close()
    os.chown(directory.path, 1234, 1234)
    with pytest.raises(files.OfAnother):
        directory.read("file", limit=7)
    assert list(directory.regular_files(lambda name: True)) == []


def test_what_was_opened_is_worked_in_whatever_takes_its_name(directory: Directory, tmp_path: Path) -> None:
    directory.open()
    (tmp_path / "here").rename(tmp_path / "moved")
    (tmp_path / "there").mkdir()
    (tmp_path / "here").symlink_to(tmp_path / "there")
    directory.create("new", b"x")
    directory.replace("new", b"y")
    directory.append("new", b"z")
    assert directory.create_once("once", b"x")
    assert directory.remove("file")
    assert {path.name: path.read_bytes() for path in (tmp_path / "moved").iterdir()} == {"new": b"yz", "once": b"x"}
    assert list((tmp_path / "there").iterdir()) == []
    directory.close()
    with pytest.raises(NotADirectoryError):
        directory.create("another", b"x")


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_a_new_directory_has_its_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    made = Directory("made", Directory(str(tmp_path)))
    before = os.umask(umask)
    try:
        made.make()
    finally:
        assert os.umask(before) == umask
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700


def test_of_a_crowd_only_the_first_names_are_looked_at(directory: Directory) -> None:
    for number in range(5):
        directory.create(f"other-{number}", b"")
    names, is_all = directory.first_files(lambda name: name.startswith("other"), at_most=6)
    assert (sorted(names), is_all) == ([f"other-{number}" for number in range(5)], True)
    names, is_all = directory.first_files(lambda name: name.startswith("other"), at_most=5)
    assert len(names) >= 4
    assert not is_all


@pytest.mark.parametrize("change", ["touch", "replace"])
def test_a_file_of_another_version_is_not_read_or_removed(directory: Directory, change: str) -> None:
    expected = directory.version("file")
    assert directory.read("file", limit=7, expected=expected) == b"content"
    if change == "touch":
        os.utime(os.path.join(directory.path, "file"), (1, 1))
    else:
        directory.replace("file", b"content", modified=expected[1] / 1e9)
    with pytest.raises(files.Changed):
        directory.read("file", limit=7, expected=expected)
    assert not directory.remove("file", expected=expected)
    assert directory.remove("file", expected=directory.version("file"))
    assert not directory.has("file")

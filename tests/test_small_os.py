"""What a run takes for os says what os says."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import posix
import posixpath
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher import small_os


def alone() -> Any:
    """What the module is where os has not been loaded."""
    spec = importlib.util.spec_from_file_location("small_os_alone", small_os.__file__)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    loaded = sys.modules.pop("os")
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules["os"] = loaded
    return module.os


SMALL = alone()
PATHS = st.text("/.ab", max_size=9)


def test_it_is_os_where_that_has_been_loaded() -> None:
    assert small_os.os is os
    assert SMALL is not os


@settings(max_examples=2000, deadline=None)
@given(st.lists(PATHS, min_size=1, max_size=3))
def test_paths_are_put_together_and_taken_apart_in_the_same_way(paths: list[str]) -> None:
    assert SMALL.path.join(*paths) == posixpath.join(*paths)
    for name in ("isabs", "split", "dirname", "basename", "normpath"):
        assert getattr(SMALL.path, name)(paths[0]) == getattr(posixpath, name)(paths[0])


def test_places_are_seen_in_the_same_way(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "folder" / "file"
    folder.mkdir()
    file.touch()
    (tmp_path / "link").symlink_to(folder)
    (folder / "link").symlink_to(file)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "round").symlink_to("round")
    os.mkfifo(folder / "fifo")
    ways = [
        str(tmp_path),
        f"{tmp_path}/folder",
        f"{tmp_path}/link",
        f"{tmp_path}/folder/..",
        f"{tmp_path}//folder",
        "/",
        "",
    ]
    names = ["", "/", ".", "..", "file", "link", "dangling", "round", "fifo", "nothing", "file/nothing", "a\0b"]
    places = [SMALL.path.join(way, name) for way, name in itertools.product(ways, names)]
    for name in ("exists", "lexists", "isdir", "isfile", "islink"):
        for place in places:
            assert getattr(SMALL.path, name)(place) == getattr(os.path, name)(place), (name, place)
    for place in places:
        if "\0" not in place:
            assert SMALL.path.realpath(place) == os.path.realpath(place)
    there = [place for place in places if os.path.exists(place)]
    for one, other in itertools.product(there, there):
        assert SMALL.path.samefile(one, other) == os.path.samefile(one, other)


@given(st.binary(max_size=9), st.text(max_size=9))
def test_names_are_encoded_in_the_same_way(name: bytes, text: str) -> None:
    assert SMALL.fsdecode(name) == os.fsdecode(name)
    assert SMALL.fsencode(SMALL.fsdecode(name)) == name == SMALL.fsencode(name)
    assert SMALL.fsdecode(text) == text
    if text < "\ud800":
        assert SMALL.fsencode(text) == os.fsencode(text)


def test_the_rest_is_that_of_the_system_and_of_os() -> None:
    for name in vars(posix):
        if name not in ("environ", "__name__", "__doc__", "__loader__", "__spec__", "__package__"):
            assert getattr(SMALL, name) is getattr(posix, name)
    for name in ("sep", "pathsep", "defpath", "devnull"):
        assert getattr(SMALL, name) == getattr(os, name)
    assert SMALL.SEEK_SET == os.SEEK_SET
    assert SMALL.path.expanduser is os.path.expanduser
    with pytest.raises(AttributeError):
        SMALL.no_such_thing  # noqa: B018


def test_the_environment_is_the_same() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from launcher.small_os import os; assert 'os' not in sys.modules;"
        "small = os.environ; import os, json; print(json.dumps([small, dict(os.environ)]))"
    )
    env = {b"A": b"1", b"B\xff": b"\xfe=", b"LANG": b"C", b"EMPTY": b""}
    command = [sys.executable, "-I", "-S", "-c", code, str(Path(small_os.__file__).parents[1])]
    small, whole = json.loads(subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout)
    assert small == whole
    assert small["EMPTY"] == ""

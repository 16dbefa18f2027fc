"""config.toml, the system policy and the distribution profile are read as TOML, whichever way is taken."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from launcher.consent import config, toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOKENS = [
    *("telemetry", "enabled", "a-b_c", "-", "é", "[", "]", "[[x]]", "=", '"', "'", '"x"', "'y'", '"""', "#", "\\", ","),
    *(".", "true", "false", "True", "0", "01", "42", "-1", "1.5", "1_0", "[1]", "[]", "[,]", "['a','b']", "['a',]"),
    *("['a'\x01'b']", "['a#b']#c", "[telemetry]", '["]"]', "x=1"),
]
words = st.sampled_from(
    [*TOKENS, "", " ", "\t", "\n", "\r\n", "\r", "\x00", "\x7f", "\x85", " = ", "['a', \"b\"]", "x = 1\n"]
)


def the_library(text: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return toml.TOMLError


def ours(text: str) -> object:
    try:
        return toml.parse(text.encode())
    except toml.TOMLError:
        return toml.TOMLError


@settings(max_examples=3000, deadline=None)
@given(st.lists(words, max_size=12).map("".join))
@example("[telemetry]\nenabled = false # why\n")
@example("x = 1\n[x]\n")
@example("[x]\n[x]\n")
@example("a = ''''\n")
@example("a = [']']")
@example("a = ['x', 'y#', \"z\"] # c")
def test_every_text_means_what_the_toml_library_says_it_means(text: str) -> None:
    assert ours(text) == the_library(text)


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=80).map(lambda value: f"[telemetry]\nendpoint = '{value}'\n"))
def test_every_string_means_what_the_toml_library_says_it_means(text: str) -> None:
    assert ours(text) == the_library(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n# nothing\n",
        "[telemetry]\nenabled = false\n",
        '[telemetry]\r\ndev = true # comment\r\nendpoint = "https://x.example"\r\n',
        'product = "chef-workstation"\nchef_run = [\'../a\', "/b"]\n',
    ],
)
def test_files_as_people_write_them_need_no_library(text: str) -> None:
    assert toml.plain(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "data",
    [b"password = hunter2 hunter2", b"[hunter2", b'x = "hunter2', b"\xff hunter2", b"x = " + b"[" * 9999],
)
def test_the_message_about_a_broken_file_quotes_nothing_of_it(data: bytes) -> None:
    with pytest.raises(toml.TOMLError) as raised:
        toml.parse(data)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[telemetry]\nenabled = false\n", 2),
        ("# enabled\n[log]\nenabled = 1\n\n[ telemetry ] # us\n  enabled=false", 6),
        ("\n'telemetry'.enabled = false\n", 2),
        ("[log]\n[telemetry.more]\nenabled = 1\n", None),
        ("telemetry = { enabled = false }\n", 1),
        ("", None),
    ],
)
def test_the_line_of_a_key_is_found_where_it_is_plain_to_see(text: str, line: int | None) -> None:
    assert toml.line_of(text, "telemetry", "enabled") == line


HOSTILE = {
    "a long key of quoted parts": lambda size: '"=".' * (size // 4 - 2) + "a = 1",
    "a long key of escaped parts": lambda size: '"\\"=".' * (size // 6 - 2) + "a = 1",
    "a long key in single quotes": lambda size: "'#'." * (size // 4 - 2) + "a = 1",
    "a dotted key": lambda size: ".".join(["a"] * (size // 2)) + " = 1",
    "one with spaces": lambda size: " . ".join(["a"] * (size // 4)) + " = 1",
    "one of quoted parts": lambda size: ".".join(["'ä b'"] * (size // 7)) + " = 1",
    "a header": lambda size: "[" + ".".join(["a"] * (size // 2)) + "]",
    "an inline table": lambda size: "x = {" + ".".join(["a"] * (size // 2)) + " = 1}",
    "many keys of a hundred parts": lambda size: (".".join(["a"] * 99) + ".%d = 1\n") * (size // 210),
    "nested arrays": lambda size: "x = " + "[" * size,
    "a long number": lambda size: "x = " + "1" * size,
    "a long array": lambda size: "x = [\n" + "1," * (size // 2) + "]",
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE)
def test_no_file_holds_up_a_run(make: Callable[[int], str], tmp_path: Path) -> None:
    """A dotted key of 80 kB took 22 s, before chef-run was even started."""
    path = tmp_path / "config.toml"
    path.write_text(make(config.MAX_CONFIG_SIZE))
    started = time.process_time()
    config.load(str(path))
    assert time.process_time() - started < 3


def test_a_number_that_python_does_not_read_is_a_broken_file(tmp_path: Path) -> None:
    """And no missing one: it may say that telemetry is off."""
    path = tmp_path / "config.toml"
    path.write_text(f"[telemetry]\nenabled = false\n[other]\nnumber = {'1' * 5000}\n")
    read = config.load(str(path))
    assert read.exists
    assert read.problem or read.get("telemetry", "enabled") is False


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xef\xbb\xbf[telemetry]\n", "begins with a byte order mark; save it as UTF-8 without one"),
        ("[telemetry]\n".encode("utf-16"), "saved as UTF-16; save it as UTF-8"),
        ("[telemetry]\n".encode("utf-16-be"), "saved as UTF-16; save it as UTF-8"),
        (b"x = '\xff'", "byte 5 is not UTF-8"),
        (b'[x]\ny = "C:\\certs"\n', "in double quotes, a backslash starts an escape"),
        (b'[x]\ny = """\nC:\\certs"""\n', "in triple double quotes, a backslash starts an escape"),
        (b"[x\n", "not valid TOML, at line 1, column 3"),
    ],
)
def test_an_error_is_named_by_what_people_can_mend(content: bytes, says: str) -> None:
    with pytest.raises(toml.TOMLError) as caught:
        toml.parse(content)
    assert says in str(caught.value)

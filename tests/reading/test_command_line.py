"""chef-run's grammar, case by case."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.consent.config_option import config_files, loaded_config
from launcher.reading.command_line import MAX_TARGETS, Target, targets
from tests.support.hashes import sha1, sha256
from tests.support.recordings import grammar_cases

RESOURCE = ["directory", "/tmp/foo"]


def read(*arguments: str, **how: Any) -> list[tuple[str, str]]:
    return [(target.sha256, target.transport) for target in targets(arguments, **how)]


def hosts(*names: str, transport: str = "ssh") -> list[tuple[str, str]]:
    return [(sha256(name), transport) for name in names]


@pytest.mark.parametrize("case", grammar_cases())
def test_a_command_line_means_what_the_real_parser_made_of_it(case: Any, tmp_path: Path) -> None:
    files = {"%KEY%": tmp_path / "key", "%CFG%": tmp_path / "config.toml", "%PATH%": tmp_path / "path"}
    configuration = case.get("config_toml") or ""
    files["%KEY%"].write_text("")
    files["%CFG%"].write_text(configuration)
    arguments = case["argv"]
    for name, path in files.items():
        arguments = [word.replace(name, str(path)) for word in arguments]
    default = re.search('default_protocol="(.*)"', configuration)
    loads = "%CFG%" not in "".join(case["argv"]) or loaded_config(arguments) is not None

    found = read(
        *arguments,
        default_protocol=default[1] if default and loads else "ssh",
        posixly_correct="POSIXLY_CORRECT" in case.get("env", {}),
    )

    assert found == [(sha256(target["hostname"].lower()), target["transport"]) for target in case["targets"]]


def test_a_host_is_hashed_as_printf_and_sha256sum_would() -> None:
    (target,) = targets(["web01", *RESOURCE])
    assert target.sha256 == "1f94fe445ba97e785acb7ea6f44b8fcb451ba5ddfa72c603380bd96c9158ed0d"


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("WEB01", ["web01"]),
        ("a,b,a,A", ["a", "b"]),
        ("a,", ["a"]),
        ("web[3:1]", ["web1", "web2", "web3"]),
        ("web[0x9:0xb]", ["web9", "web10", "web11"]),
        ("web[010:011]", ["web8", "web9"]),
        ("web[08:09]", ["web08", "web09"]),
        ("web[0b1:0b11]", ["web1", "web2", "web3"]),
        ("web[ay:bb]", ["webay", "webaz", "webba", "webbb"]),
        ("web[a8:b1]", ["weba8", "weba9", "webb0", "webb1"]),
        ("x[1:2][a:b]", ["x1a", "x2a", "x1b", "x2b"]),
        ("x[1:[2:3]]", ["x1", "x2", "x3"]),
        ("user:pa@ss@web01:22", ["web01"]),
        ("ssh://web01/path?x=1#f", ["web01"]),
        ("ssh://web01?host=web02", ["web02"]),
        ("ssh://web01?host=a&host=b&host=a", ["a"]),
        ("ssh://web01?host=a&%68ost=%62", ["b"]),
        ("[::1]:22", ["::1"]),
        ("web01:%32%32", ["web01"]),
        ("w\u00c9b01", ["w\u00e9b01"]),
        ("\u0391\u03a3", ["\u03b1\u03c3"]),
        ("u\nv@web01\nw", ["web01"]),
    ],
)
def test_a_target_stands_for_the_hosts_that_chef_run_resolves(given: str, names: list[str]) -> None:
    assert read(given, *RESOURCE) == hosts(*names)


@pytest.mark.parametrize(
    "given",
    [
        *("web[a:3]", "web[08:10]", "web[1:25]", "web[a:z]", "web[z:aa]", "a[1:2]b[1:2]c[1:2]"),
        *(",a", "a,,b", "web 01", "web01\n", "a<b", "[a%]", "web01:port", "web01:2%", "web01:22\n"),
        *(
            "ftp://web01",
            "winrms://web01",
            "ssh://",
            "user@",
            "web01?backend=docker",
            "web[1:" + "9" * 5000 + "]",
        ),
        "web\udcff01",
    ],
)
def test_a_target_that_chef_run_refuses_gives_no_targets_at_all(given: str) -> None:
    assert read(given, *RESOURCE) == []
    assert read(f"web02,{given}", *RESOURCE) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["-p", "winrm"],
        ["-pwinrm"],
        ["--protocol=winrm"],
        ["--PROT", "winrm"],
        ["--pr=winrm"],
        ["-p", "ssh", "--proto=winrm"],
        ["--no-s-v", "--i-f=/k", "-p", "winrm"],
        ["--cookbook_repo_paths", "--sudo", "-p", "winrm"],
        ["-ubob", "-u", "-v", "-p", "winrm"],
        ["--password", "--", "-p", "winrm"],
    ],
)
def test_an_option_may_be_spelled_in_every_way_the_parser_takes(arguments: list[str]) -> None:
    assert read(*arguments, "web01", *RESOURCE, access=lambda path, mode: True) == hosts("web01", transport="winrm")


@pytest.mark.parametrize(
    "arguments",
    [
        *(["-h"], ["-v"], ["--he"], ["--vers"], ["-vpwinrm"], ["-v-h"]),
        *(
            ["--p", "x"],
            ["--s"],
            ["--no-s"],
            ["--c"],
            ["-s"],
            ["-n"],
            ["-U", "x"],
            ["-P"],
            ["-x"],
            ["-1"],
            ["-v=x"],
        ),
        *(["--sudo=false"], ["--ssl-no-verify"], ["--version="], ["--=x"], ["---"], ["--*-completion-zsh"]),
        *(["-p", "mock"], ["-p", "SSH"], ["-p="], ["-p", "=winrm"], ["--protocol="]),
    ],
)
def test_an_option_that_stops_chef_run_leaves_no_targets(arguments: list[str]) -> None:
    assert read(*arguments, "web01", *RESOURCE) == []
    assert read("web01", *RESOURCE, *arguments) == []


def test_no_arguments_and_a_target_alone_leave_no_targets() -> None:
    assert read() == read("--") == read("web01") == read("web01", "a/b/c") == []


def test_options_end_at_two_dashes_or_at_the_first_positional() -> None:
    """The latter with POSIXLY_CORRECT."""
    late = ["web01", "service", "nginx", "-p", "winrm"]
    assert read(*late) == hosts("web01", transport="winrm")
    assert read(*late, posixly_correct=True) == []
    assert read("--", "web01", "service", "-p") == hosts("web01")
    assert read("-p", "winrm", "web01", "service", "-h", posixly_correct=True) == hosts("web01", transport="winrm")


def test_the_protocol_is_the_urls_or_the_options_or_the_configs() -> None:
    """In this order."""
    assert read("ssh://a,b", *RESOURCE, default_protocol="winrm") == [
        *hosts("a"),
        *hosts("b", transport="winrm"),
    ]
    assert read("-p", "ssh", "a", *RESOURCE, default_protocol="winrm") == hosts("a")
    assert read("a?backend=winrm", *RESOURCE) == hosts("a", transport="winrm")
    assert read("a", *RESOURCE, default_protocol="telnet") == []
    assert read("a?backend=winrm", *RESOURCE, default_protocol="9") == []


@pytest.mark.parametrize("option", ["-i", "--config", "-c"])
def test_a_file_that_an_option_names_has_to_be_there(tmp_path: Path, option: str) -> None:
    (tmp_path / "there").touch()
    assert read(option, str(tmp_path / "there"), "web01", *RESOURCE) == hosts("web01")
    assert read(option, str(tmp_path / "missing"), "web01", *RESOURCE) == []
    assert read(option, "\0", "web01", *RESOURCE) == []


def test_files_that_chef_run_needs_decide_whether_it_runs(tmp_path: Path) -> None:
    there, missing = tmp_path / "there", str(tmp_path / "missing")
    there.write_text("")
    # A directory is readable, and there; only what is loaded has to be a file.
    assert read("-i", str(tmp_path), "--config", str(tmp_path), "web01", *RESOURCE) == hosts("web01")
    assert read("-c", str(tmp_path), "web01", *RESOURCE) == []
    assert read("web01", *RESOURCE, "-c") == []
    assert read("web01", str(there)) == hosts("web01")
    assert read("web01", missing) == []


def test_the_loaded_file_is_the_word_after_the_first_c() -> None:
    """Wherever that stands."""
    assert loaded_config(["--user", "-c", "a", "-c", "b"]) == "a"
    assert loaded_config(["--", "--config-path", "a"]) == "a"
    assert loaded_config(["-ca", "--config", "b", "--config-path=c"]) is None
    assert loaded_config(["web01", "-c"]) is None


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["-c", "f"], ["f"]),
        (["-cf"], ["f"]),
        (["-c=f"], ["=f", "f"]),
        (["-vhcf"], ["f"]),
        (["-v-hc", "f"], ["f"]),
        (["--config", "f"], ["f"]),
        (["--config=f"], ["f"]),
        (["--CONF=f"], ["f"]),
        (["--c", "f"], ["f"]),
        (["--config-path", "f"], ["f"]),
        (["--config_path=f"], ["f"]),
        (["--con-p=f"], ["f"]),
        (["--", "-c", "f"], ["f"]),
        (["--user", "-c", "f"], ["f"]),
        (["-c", "--config=f"], ["--config=f", "f"]),
        (["-c", "f", "--config", "f", "--conf", "g"], ["f", "g"]),
        (["web01", "-c"], []),
        (["-c", ""], []),
        (["-icf", "--chef-license", "x", "--cookbook-repo-paths=y", "-", "--", "c"], []),
    ],
)
def test_every_file_that_may_be_meant_as_configuration_is_found(arguments: list[str], files: list[str]) -> None:
    assert config_files(arguments) == files


def test_a_target_keeps_two_hashes_and_a_transport_and_no_more() -> None:
    (target,) = targets(["ssh://user:secret@Web01:22/path", *RESOURCE])
    assert Target._fields == ("sha256", "sha1", "transport")
    assert (target.sha256, target.sha1, target.transport) == (sha256("web01"), sha1("web01"), "ssh")


WORDS = st.one_of(
    st.text(),
    st.binary().map(os.fsdecode),
    st.lists(
        st.sampled_from([*"-=cvhip[]:,@/%?#\n\0", "--", "config", "no-", "[1:3]", "[a:c]", "ssh://", "web", "\udcff"])
    ).map("".join),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(WORDS), st.booleans(), WORDS)
def test_no_command_line_whatever_raises(arguments: list[str], posixly_correct: bool, protocol: str) -> None:
    found = targets(arguments, posixly_correct=posixly_correct, default_protocol=protocol)
    assert all(target.transport in ("ssh", "winrm") for target in found)
    config_files(arguments)
    loaded_config(arguments)


def long_list(name: str) -> str:
    """A comma list of this name with other numbers in it, as long as a system takes in one argument."""
    names, size = [], 0
    for number in range(130_000):
        names.append(name.replace("#", str(number)))
        size += len(names[-1]) + 1
        if size > 130_000:
            break
    return ",".join(names)


HOSTILE = {
    "single names": long_list("#"),
    "ranges": long_list("web#[1:4]x[1:6]"),
    "ranges of the same names": long_list("web[1:4]x[1:6]"),
    "ranges for other users": long_list("#@web[1:4]x[1:6]"),
    "ranges of no hosts": long_list("winrm://?#[1:4][1:6]"),
    "ranges in other spellings": ",".join(f"web[{'0' * (n % 90)}1:{'0' * (n // 90)}4]x[1:6]" for n in range(1100)),
    "ranges with other brackets": long_list("[#@web[1:4]x[1:6]"),
    "long ranges of words": long_list("web[#" + "a" * 240 + ":#" + "a" * 239 + "w]"),
    "query": "web[1:4]x[1:6]?" + "&" * 130_000,
    "encoded query": "web[1:4]x[1:6]?" + long_list("%41#").replace(",", "&"),
    "encoded port": "web[1:4]x[1:6]:" + "%31" * 43_000,
    "lines": "web[1:4]x[1:6]" + "\n" * 130_000,
    "digits": "web[1:4]x[1:6]" + "1" * 130_000,
    "range end": "web[" + "1" * 130_000 + ":1]",
    **{
        text: text * (130_000 // len(text))
        for text in ("[", "]", "[1:", "[1:1", "[1:1]", "@", "a@", "\n", "a://", ":", "%")
    },
}


@pytest.mark.parametrize("word", HOSTILE.values(), ids=HOSTILE)
def test_the_longest_of_targets_is_read_in_bounded_time(word: str) -> None:
    start = time.process_time()
    found = targets([word, *RESOURCE])
    assert time.process_time() - start < 5
    assert len(found) <= MAX_TARGETS


@pytest.mark.parametrize(
    "arguments",
    [
        ["-" + "v" * 130_000] * 16,
        ["-" + "c" * 130_000],
        ["--" + "c-" * 65_000],
        ["web01"] * 100_000,
        ["web01", "a::" * 43_000],
        ["web01", *RESOURCE, *["a" * 130_000] * 16],
    ],
    ids=lambda arguments: f"{len(arguments)} words of {arguments[-1][:8]!r}",
)
def test_the_longest_of_command_lines_is_read_in_bounded_time(arguments: list[str]) -> None:
    """As long as a system takes them."""
    start = time.process_time()
    targets(arguments)
    config_files(arguments)
    assert time.process_time() - start < 5


def test_targets_are_counted_as_far_as_a_record_has_room() -> None:
    names = [f"web{number}" for number in range(MAX_TARGETS)]
    assert read(",".join(names), *RESOURCE) == hosts(*names)
    assert read(",".join([*names, "web"]), *RESOURCE) == hosts(*names)
    ranges = ",".join(f"web{number}x[1:24]" for number in range(MAX_TARGETS))
    assert read(ranges, *RESOURCE) == hosts(*(f"web{n // 24}x{n % 24 + 1}" for n in range(MAX_TARGETS)))


def test_the_targets_of_a_long_word_take_little_memory() -> None:
    word = HOSTILE["ranges"]
    tracemalloc.start()
    targets([word, *RESOURCE])
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_what_is_called_before_the_spawn_imports_nothing_heavy() -> None:
    code = (
        "import os, sys; before = set(sys.modules); from launcher.consent import config_option;"
        "config_option.config_files(['-c', 'f', '--conf=g']); config_option.loaded_config(['-c', 'f']);"
        "print(*sorted(set(sys.modules) - before))"
    )
    root = str(Path(__file__).resolve().parents[2])
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=root, capture_output=True, text=True, check=True
    ).stdout.split()
    assert [name for name in loaded if not name.startswith("launcher")] == ["__future__"]

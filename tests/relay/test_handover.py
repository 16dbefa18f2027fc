"""What the caller gave is what the child gets, byte for byte."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from .harness import PATIENCE, RELAY, assert_same, child, outcome


def surroundings(way: list[str], **options: Any) -> bytes:
    with subprocess.Popen(way + child("surroundings"), stdout=subprocess.PIPE, **options) as process:
        facts: bytes = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0
    return facts


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {b"LANG": b"C"},
        {b"LC_ALL": b"C"},
        {b"LANG": b"C", b"LC_CTYPE": b"C"},
        {b"LANG": b"C.UTF-8", b"Z": b"\xff\xfe=\n", b"A": b"", b"\xe9": b"\xe9"},
        {b"PYTHONINSPECT": b"1", b"PYTHONPATH": b"/nowhere", b"PYTHONWARNINGS": b"error"},
    ],
    ids=["empty", "lang-c", "all-c", "ctype-c", "bytes", "python"],
)
def test_the_environment_is_the_callers(environment: dict[bytes, bytes]) -> None:
    assert_same(lambda way: outcome([*way, "/usr/bin/env", "-0"], env=environment))


def test_a_variable_given_twice_arrives_twice(tmp_path: Path) -> None:
    """execve takes what it is given; Python's own os.environ would keep one of the two."""
    twice = """if True:
        import os, sys
        class Twice(dict):
            def __len__(self):
                return 3
            def keys(self):
                return [b"B", b"A", b"B"]
            def values(self):
                return [b"1", b"2", b"3"]
        os.execve(sys.argv[1], sys.argv[1:], Twice())
    """
    give = [sys.executable, "-I", "-c", twice]
    show = ["/bin/cat", "/proc/self/environ"]
    assert assert_same(lambda way: outcome(give + way + show)) == (0, b"B=1\0A=2\0B=3\0", b"")


@pytest.mark.parametrize("environment", [{b"LANG": b"C"}, {b"LC_ALL": b"POSIX"}, {b"LANG": b"C.UTF-8"}], ids=str)
def test_arguments_arrive_byte_for_byte(environment: dict[bytes, bytes]) -> None:
    words = [b"", b"\xff\xfe", b"two words", b"line\nline", b"x" * 100_000, b"-c", b"\xc3\xa9", b""]

    def scenario(way: list[str]) -> tuple[int, bytes, bytes]:
        command = [os.fsencode(word) for word in way + child("arguments")]
        done = subprocess.run([*command, *words], capture_output=True, env=environment, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    assert assert_same(scenario)[1].endswith(b"\0".join([b"arguments", *words, b""]))


def test_limits_priority_mask_session_and_files_are_the_callers(tmp_path: Path) -> None:
    def narrow() -> None:
        os.umask(0o027)
        os.nice(3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 50))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        os.setpgid(0, 0)

    def scenario(way: list[str]) -> list[bytes]:
        with (tmp_path / "extra").open("w") as extra:
            facts = surroundings(way, preexec_fn=narrow, pass_fds=[extra.fileno()], cwd=tmp_path)
        return facts.splitlines()

    assert_same(scenario)


def test_a_deleted_folder_is_no_hindrance(tmp_path: Path) -> None:
    gone = tmp_path / "gone"

    def enter_and_delete() -> None:
        os.chdir(gone)
        gone.rmdir()

    def scenario(way: list[str]) -> bytes:
        gone.mkdir()
        facts = surroundings(way, preexec_fn=enter_and_delete)
        return b"\n".join(line for line in facts.splitlines() if line.startswith(b"cwd"))

    assert assert_same(scenario) == b"cwd No such file or directory"


def test_nothing_of_ours_is_open_in_the_child() -> None:
    show = ["/bin/ls", "/proc/self/fd"]
    assert assert_same(lambda way: outcome([*way, *show], stdin=subprocess.DEVNULL))[1] == b"0\n1\n2\n3\n"


def test_an_extra_descriptor_is_held_by_the_child_alone() -> None:
    """A jobserver waits for the end of such a pipe."""
    reading, writing = os.pipe()
    script = f"exec {writing}>&-; read line"
    command = [*RELAY, "/bin/bash", "-c", script]
    with subprocess.Popen(command, pass_fds=[writing], stdin=subprocess.PIPE) as process:
        os.close(writing)
        assert os.read(reading, 1) == b""
        assert process.stdin is not None
        process.stdin.close()
        process.wait(PATIENCE)
    os.close(reading)


def test_become_takes_our_place_with_all_that_the_caller_gave(tmp_path: Path) -> None:
    """The way of the opt-out: the process is the same, and the program is another."""
    script = f"""if True:
        import os, sys
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from launcher.relay import handover
        from launcher.relay.handover import exec_in_place
        words = handover.caller_arguments(sys.argv[1:])
        environment = handover.caller_environment().plus(b"EXTRA", b"1")
        assert environment.get(b"EXTRA") == b"1" and environment.get(b"NONE") is None
        exec_in_place(handover.Command(words[0], words, environment, handover.caller_signals()))
    """
    command = ["/bin/sh", "-c", "echo $$ $EXTRA; grep Sig.*: /proc/self/status"]
    direct = subprocess.Popen(command, stdout=subprocess.PIPE, env={"EXTRA": "1"})
    wrapped = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", script, *command], stdout=subprocess.PIPE, env={"LANG": "C"}
    )
    expected, got = direct.communicate()[0].split(b"\n"), wrapped.communicate()[0].split(b"\n")
    assert got[0] == b"%d 1" % wrapped.pid
    assert [line for line in got[1:] if b"SigQ" not in line] == [line for line in expected[1:] if b"SigQ" not in line]


def test_what_is_imported_before_the_child_runs_is_little() -> None:
    script = f"""if True:
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        import launcher.relay.posix
        heavy = "typing re json signal subprocess dataclasses enum collections threading pathlib functools"
        print(*sorted(set(heavy.split()) & set(sys.modules)))
    """
    assert outcome([sys.executable, "-I", "-S", "-c", script]) == (0, b"\n", b"")

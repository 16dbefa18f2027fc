"""Bytes, their order, and who is told when one side goes."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from tests.support.processes import descriptors, group, has_ended, proc_status
from tests.support.waiting import wait_until

from .harness import DIRECT, INHERIT, PATIENCE, RELAY, Terminal, assert_same, child, outcome, sh, started

AWKWARD = (
    bytes(range(256))
    + b"\xc3"
    + b"\r\n\r\r\n\n\r"
    + b"\x1b[31m\x1b]0;title\x07"
    + b"x" * 3_000_000
    + b"no final newline"
)
KINDS = ("terminal", "pipe", "socket", "file", "null", "closed")


def test_every_byte_passes_unchanged(tmp_path: Path) -> None:
    (tmp_path / "awkward").write_bytes(AWKWARD)
    command = sh(f"cat '{tmp_path}/awkward'; cat '{tmp_path}/awkward' >&2; exit 3")
    assert assert_same(lambda way: outcome(way + command)) == (3, AWKWARD, AWKWARD)


def test_every_byte_passes_unchanged_to_a_terminal(tmp_path: Path) -> None:
    text = AWKWARD.replace(b"x" * 3_000_000, b"line\n" * 20_000 + b"\r" * 9000 + b"\r\n" * 9000)
    (tmp_path / "awkward").write_bytes(text)

    def shown(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            process = subprocess.Popen([*way, "/bin/cat", str(tmp_path / "awkward")], stdout=terminal.theirs)
            terminal.close_theirs()
            return len(terminal.read_to_end()) and process.wait(PATIENCE), terminal.text

    assert assert_same(shown) == (0, text.replace(b"\n", b"\r\n"))


def test_two_descriptors_on_one_pipe_keep_their_order() -> None:
    def scenario(way: list[str]) -> bytes:
        return subprocess.run(
            way + child("take_turns"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE
        ).stdout

    assert assert_same(scenario).split() == [b"%d" % number for number in range(2000)]


def test_two_descriptors_on_one_terminal_keep_their_order() -> None:
    def scenario(way: list[str]) -> bytes:
        with Terminal() as terminal:
            process = subprocess.Popen(way + child("take_turns"), stdout=terminal.theirs, stderr=terminal.theirs)
            terminal.close_theirs()
            terminal.read_to_end()
            process.wait(PATIENCE)
            return terminal.text

    assert assert_same(scenario).split() == [b"%d" % number for number in range(2000)]


def _open(kind: str, number: int, folder: Path) -> tuple[int, int]:
    """The child's end and ours of a file of that kind; -1 for an end that does not exist."""
    if kind == "pipe":
        reading, writing = os.pipe()
        return (reading, writing) if number == 0 else (writing, reading)
    if kind == "socket":
        ours, theirs = socket.socketpair()
        return theirs.detach(), ours.detach()
    if kind == "terminal":
        ours_too, theirs_too = os.openpty()
        return theirs_too, ours_too
    if kind == "file":
        return os.open(folder / f"file{number}", os.O_RDWR | os.O_CREAT), -1
    if kind == "null":
        return os.open("/dev/null", os.O_RDWR), -1
    return -1, -1


def _try_kinds(way: list[str], kinds: tuple[str, ...], folder: Path) -> list[object]:
    """What the child found on its three descriptors, and what arrived at our ends."""
    for number in (0, 1, 2):
        (folder / f"file{number}").write_bytes(b"in the file\n" if number == 0 else b"")
    ends = [_open(kind, number, folder) for number, kind in enumerate(kinds)]
    given = ends[0][1]
    if given >= 0:
        os.write(given, b"typed\n")
    redirections = " ".join(
        f"{number}{'<' if number == 0 else '>'}&{'-' if theirs < 0 else theirs}"
        for number, (theirs, _) in enumerate(ends)
    )
    open_ends = [theirs for theirs, _ in ends if theirs >= 0]
    # The shell places the ends and closes its own copies of them.
    closing = " ".join(f"{theirs}>&-" for theirs in open_ends if theirs > 2)
    command = [
        "/bin/bash",
        "-c",
        f'exec "$@" {redirections} {closing}',
        "-",
        *way,
        *child("kinds", folder / "facts"),
    ]
    process = subprocess.Popen(command, pass_fds=open_ends)
    for theirs in open_ends:
        os.close(theirs)
    arrived = []
    for number in (1, 2):
        ours = ends[number][1]
        text = b""
        try:
            while ours >= 0 and (piece := os.read(ours, 1000)):
                text += piece
        except OSError:
            pass  # EIO: nobody holds the terminal any more
        arrived.append(text)
    status = process.wait(PATIENCE)
    for _, ours in ends:
        if ours >= 0:
            os.close(ours)
    return [
        status,
        arrived,
        (folder / "facts").read_text(),
        *[(folder / f"file{n}").read_bytes() for n in (0, 1, 2)],
    ]


@pytest.mark.parametrize("kinds", list(itertools.product(KINDS, repeat=3)), ids="-".join)
def test_each_kind_of_descriptor_is_what_it_was(kinds: tuple[str, str, str], tmp_path: Path) -> None:
    direct = _try_kinds(DIRECT, kinds, tmp_path)
    assert direct[0] == 7
    assert _try_kinds(RELAY, kinds, tmp_path) == direct
    if "terminal" in kinds[1:] and kinds[0] in ("terminal", "null"):
        assert _try_kinds(INHERIT, kinds, tmp_path) == direct


def test_a_full_device_says_so_to_the_child() -> None:
    def scenario(way: list[str]) -> tuple[int, bytes]:
        with open("/dev/full", "wb") as full:
            command = [*way, "/bin/echo", "lost"]
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
        return done.returncode, done.stderr

    assert assert_same(scenario)[0] == 1


def test_a_gigabyte_passes_in_bounded_memory() -> None:
    chunks = 16_384
    with started([*RELAY, *child("write_chunks", str(chunks))], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        passed = 0
        largest = 0
        while piece := process.stdout.read(1 << 20):
            assert piece[:16] == b"%015d\n" % (passed >> 16)
            passed += len(piece)
            if passed % (1 << 28) == 0:
                largest = max([largest, *(int(proc_status(pid, "VmRSS")) for pid in group(process.pid))])
        assert process.wait(PATIENCE) == 0
    assert passed == chunks << 16
    assert 0 < largest < 40_000  # KiB


def test_a_reader_that_goes_ends_the_child_as_it_would_have() -> None:
    def scenario(way: list[str]) -> tuple[int, bytes]:
        with started([*way, "/usr/bin/yes"], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.stdout.close()
            return process.wait(PATIENCE), line

    assert assert_same(scenario) == (-13, b"y\n")


def test_a_child_learns_at_its_next_write_that_the_reader_left(tmp_path: Path) -> None:
    """Not one write later, when the relay had passed on a first one in vain."""
    wait = f"while [ ! -e '{tmp_path}/gone' ]; do :; done"
    script = f"echo first; {wait}; echo next; echo survived >'{tmp_path}/after'"

    def scenario(way: list[str]) -> tuple[int, bool]:
        (tmp_path / "gone").unlink(missing_ok=True)
        with started([*way, *sh(script)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            pipe = f"pipe:[{os.fstat(process.stdout.fileno()).st_ino}]"
            process.stdout.close()
            wait_until(lambda: not way or not is_open(pipe, process.pid), "the relay notices")
            (tmp_path / "gone").touch()
            return process.wait(PATIENCE), (tmp_path / "after").exists()

    assert_same(scenario)


def is_open(name: str, leader: int) -> bool:
    """Whether a process of the group has it open."""
    return any(name in descriptors(pid).values() for pid in group(leader))


def test_a_writer_gets_sigpipe_when_the_child_closes_its_input() -> None:
    def scenario(way: list[str]) -> list[str]:
        reading, writing = os.pipe()
        command = [*way, *sh("exec 0<&-; echo closed; exec sleep 60")]
        with started(command, stdin=reading, stdout=subprocess.PIPE) as process:
            os.close(reading)
            assert process.stdout is not None
            process.stdout.readline()
            try:
                os.write(writing, b"anyone?")
            except BrokenPipeError:
                return ["EPIPE"]
            finally:
                os.close(writing)
            return ["taken"]

    assert assert_same(scenario) == ["EPIPE"]


def test_a_reader_sees_the_end_when_the_child_closes_its_output() -> None:
    def scenario(way: list[str]) -> bytes:
        script = "echo bye; exec 1>&- 2>&-; exec sleep 60"
        with started([*way, *sh(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stderr is not None
            return process.stdout.read() + process.stderr.read()

    assert assert_same(scenario) == b"bye\n"


def test_a_reader_of_one_stream_is_not_held_up_by_the_other() -> None:
    script = "(head -c 1000000 /dev/zero)& echo here >&2; wait"
    with started([*RELAY, *sh(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stderr.readline() == b"here\n"
        assert len(process.stdout.read()) == 1_000_000


def test_a_grandchild_holds_up_no_end_and_loses_no_output(tmp_path: Path) -> None:
    script = f"(while [ ! -e '{tmp_path}/go' ]; do sleep 0.01; done; echo late)& echo now; exit 5"

    def scenario(way: list[str]) -> tuple[int, bytes]:
        (tmp_path / "go").unlink(missing_ok=True)
        with started([*way, *sh(script)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            status = process.wait(PATIENCE)
            (tmp_path / "go").touch()
            return status, process.stdout.read()

    assert assert_same(scenario) == (5, b"now\nlate\n")


def test_a_grandchild_that_writes_on_and_on_holds_up_no_end() -> None:
    with started([*RELAY, *sh("yes & echo $! >&2")], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        grandchild = int(process.stderr.readline())
        while process.poll() is None:
            process.stdout.read(1 << 16)
        assert process.returncode == 0
        process.stdout.close()
        wait_until(lambda: has_ended(grandchild), "the grandchild dies of SIGPIPE")


def test_a_callers_non_blocking_pipe_gets_all_and_stays_as_it_is() -> None:
    def scenario(way: list[str]) -> tuple[bool, bytes]:
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with started([*way, *sh("echo a; echo b")], stdout=writing) as process:
            process.wait(PATIENCE)
        blocking = os.get_blocking(writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            return blocking, stream.read()

    assert assert_same(scenario) == (False, b"a\nb\n")


def test_the_callers_files_are_never_made_non_blocking() -> None:
    with Terminal() as terminal:
        process = subprocess.Popen([*RELAY, *sh("echo shown")], stdin=terminal.theirs, stdout=terminal.theirs)
        terminal.read_until(b"shown")
        assert os.get_blocking(terminal.theirs)
        process.wait(PATIENCE)
        assert os.get_blocking(terminal.theirs)


def test_input_is_left_to_the_child() -> None:
    script = 'while read -r line; do "$@"; printf "%s\\n" "$line"; done'

    def scenario(way: list[str]) -> bytes:
        return outcome(["/bin/bash", "-c", script, "-", *way, "/bin/true"], input=b"1\n2\n3\n")[1]

    assert assert_same(scenario) == b"1\n2\n3\n"


def test_the_observer_sees_all_of_both_streams(tmp_path: Path) -> None:
    report = tmp_path / "report"
    status, out, err = outcome(RELAY + sh("echo out; echo error >&2"), env={"DRIVER_REPORT": str(report)})
    assert (status, out, err) == (0, b"out\n", b"error\n")
    count, _, last = report.read_bytes().partition(b"\0")
    assert count == b"10"
    assert sorted(last.split()) == [b"error", b"out"]


@pytest.mark.parametrize("fault", ["broken", "failing"])
def test_an_observer_that_fails_changes_nothing(fault: str, tmp_path: Path) -> None:
    report = tmp_path / "report"
    environment = {"DRIVER_REPORT": str(report), "DRIVER_OBSERVER": fault}
    command = sh("echo out; sleep 0.01; echo more; exit 3")
    assert outcome(RELAY + command, env=environment) == (3, b"out\nmore\n", b"")
    assert report.read_bytes() == b""


def test_what_is_done_meanwhile_may_fail_and_is_done_by_the_end(tmp_path: Path) -> None:
    thought = tmp_path / "thought"
    assert outcome([*RELAY, "/bin/true"], env={"DRIVER_MEANWHILE": str(thought)}) == (0, b"", b"")
    assert thought.read_text() == "thought, ended"


def test_where_nothing_could_be_run_there_is_no_end_to_look_at(tmp_path: Path) -> None:
    thought, program = tmp_path / "thought", tmp_path / "program"
    program.write_text("#!/nonexistent\n")
    program.chmod(0o755)
    assert outcome([*RELAY, str(program)], env={"DRIVER_MEANWHILE": str(thought)})[0] == 127
    assert thought.read_text() == "thought, "


def test_standard_error_can_be_kept_for_last_words() -> None:
    done = outcome(RELAY + sh("echo child >&2"), env={"DRIVER_LAST_WORDS": ""})
    assert done == (0, b"", b"child\nlast words\n")

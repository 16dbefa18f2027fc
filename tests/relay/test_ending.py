"""How a run ends: as the child did, leaving nothing behind."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from tests.support.preloaded import preloaded
from tests.support.processes import children, group, has_ended, program_of, state
from tests.support.waiting import wait_until

from .harness import (
    PATIENCE,
    RELAY,
    THROUGH_US,
    Log,
    Terminal,
    assert_same,
    child,
    failing,
    on_terminal,
    outcome,
    sh,
    started,
)


def test_every_exit_code_is_the_childs() -> None:
    loop = """for code in {0..255}; do "$@" /bin/sh -c "exit $code"; [ $? = $code ] || echo $code; done"""
    done = subprocess.run(["/bin/bash", "-c", loop, "-", *RELAY], capture_output=True, timeout=3 * PATIENCE)
    assert (done.stdout, done.stderr) == (b"", b"")


DEADLY = ["HUP", "INT", "QUIT", "TRAP", "ABRT", "USR1", "KILL", "SEGV", "PIPE", "ALRM", "TERM", "XFSZ", "RTMIN"]


@pytest.mark.parametrize("name", DEADLY)
def test_the_launcher_dies_by_the_signal_that_its_child_died_by(name: str, tmp_path: Path) -> None:
    number = getattr(signal, "SIG" + name)
    command = sh(f"ulimit -c 0; kill -{number} $$")
    assert assert_same(lambda way: outcome(way + command, cwd=tmp_path)) == (-number, b"", b"")


def test_a_core_is_not_dumped_twice(tmp_path: Path) -> None:
    script = 'ulimit -c unlimited 2>/dev/null; exec "$@"'
    dump = ["/bin/bash", "-c", script, "-", *RELAY, *sh("ulimit -c 0; kill -ABRT $$")]
    assert outcome(dump, cwd=tmp_path)[0] == -signal.SIGABRT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["exit 3", "kill -SEGV $$", "kill -TERM $$", "kill -INT $$", "kill -PIPE $$"])
def test_a_shell_sees_the_same_end(end: str, tmp_path: Path) -> None:
    """The words of bash about death by a signal included."""

    def scenario(way: list[str]) -> tuple[int, bytes, bytes]:
        loop = 'ulimit -c 0; "$@"; echo "$?"'
        status, out, err = outcome(["/bin/bash", "-c", loop, "bash", *way, *sh(end)], cwd=tmp_path)
        return status, out, re.sub(rb"[0-9]{2,}", b"PID", err)

    assert_same(scenario)


def test_a_program_that_cannot_be_executed_is_named_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    assert outcome([*RELAY, str(tmp_path / "missing")]) == (
        127,
        b"",
        b"chef-run-launcher: cannot run %s: No such file or directory\n" % bytes(tmp_path / "missing"),
    )
    assert outcome([*RELAY, str(text)]) == (
        126,
        b"",
        b"chef-run-launcher: cannot run %s: Permission denied\n" % bytes(text),
    )


def test_a_script_without_an_interpreter_line_is_the_shells(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text('echo "$0 $1"; exit 4\n')
    script.chmod(0o755)
    assert outcome([*RELAY, str(script), "word"]) == (4, b"%s word\n" % bytes(script), b"")


@THROUGH_US
def test_a_launcher_that_is_killed_leaves_no_orphan(way: list[str], tmp_path: Path) -> None:
    with started(way + child("note_signals", tmp_path / "log", "SIGTERM", "SIGHUP"), stdout=subprocess.PIPE) as process:
        Log(tmp_path / "log")  # the child is ready
        process.kill()
        process.wait(PATIENCE)
        wait_until(lambda: not group(process.pid), "all of the group are gone")


def test_a_killed_launcher_ends_a_child_that_nobody_reads_from() -> None:
    """Blocked in a write, the child would notice nothing by itself."""
    with started([*RELAY, "/usr/bin/yes"], stdout=subprocess.PIPE) as process:
        wait_until(lambda: sorted(map(state, group(process.pid))) == ["S", "S", "S"], "all are blocked")
        (yes,) = [pid for pid in group(process.pid) if program_of(pid) == "yes"]
        process.kill()
        process.wait(PATIENCE)
        wait_until(lambda: has_ended(yes), "the child has ended")


@THROUGH_US
def test_nothing_is_left_after_a_run(way: list[str], tmp_path: Path) -> None:
    for _ in range(20):
        with started(way + sh("echo done"), stdout=subprocess.PIPE, cwd=tmp_path) as process:
            process.wait(PATIENCE)
            assert group(process.pid) == []
    assert list(tmp_path.iterdir()) == []


def folders_of(pids: list[int]) -> list[str]:
    """The working directories of those that are still there."""
    found = []
    for pid in pids:
        with suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/{pid}/cwd"))
    return found


def test_a_relay_stays_for_a_grandchild_and_keeps_no_folder_busy(tmp_path: Path) -> None:
    script = f"(while [ ! -e '{tmp_path}/go' ]; do sleep 0.01; done)& exit 0"
    with started(RELAY + sh(script), stdout=subprocess.PIPE, cwd=tmp_path) as process:
        process.wait(PATIENCE)
        assert "/" in folders_of(group(process.pid))
        (tmp_path / "go").touch()
        wait_until(lambda: not group(process.pid), "the relay goes with the grandchild")


FAULTS = [
    "clone:error=ENOMEM:when=1",  # no child
    "clone:error=EAGAIN:when=2",  # no relay process
    "clone3:error=EAGAIN",  # no thread, neither here nor in the relay process
    "clone3:error=EAGAIN:when=2",  # one of two
    "chdir:error=EACCES",
    "pipe2:error=EMFILE:when=1",
    "pipe2:error=EMFILE:when=2",
    "pipe2:error=EMFILE:when=3+",
    "pipe2:error=ENFILE:when=5+",
    "socketpair:error=ENOBUFS",
]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_fails_before_the_child_runs_is_not_its_misfortune(fault: str) -> None:
    much = sh("seq 30000; seq 30000 >&2; seq 30000; exit 9")
    assert outcome(failing(fault) + RELAY + much) == outcome(much)


THREADS_OF_NO_USE = """
void *dlsym(void *library, const char *name);
static void *nothing(void *argument) { return 0; }
int pthread_create(void *thread, const void *attributes, void *(*run)(void *), void *argument) {
    int (*next)(void *, const void *, void *(*)(void *), void *) = dlsym((void *) -1, "pthread_create");
    return next(thread, attributes, nothing, argument);
}
"""


def test_threads_that_never_begin_are_not_waited_for(tmp_path: Path) -> None:
    """As where memory is short: they are made, and end before their first line."""
    much = sh("seq 30000; seq 30000 >&2; seq 30000; exit 9")
    env = {**os.environ, **preloaded(THREADS_OF_NO_USE, tmp_path)}
    assert outcome(RELAY + much, env=env) == outcome(much)


@pytest.mark.parametrize("fault", ["clone:error=EAGAIN:when=1", "clone:error=EAGAIN:when=2"])
def test_where_there_can_be_no_relay_the_program_takes_our_place(fault: str) -> None:
    """Without one, nobody could tell which signals the group has had; and who waited for it leaves no trace."""
    look = sh(
        """read -r parent </proc/$PPID/comm; read -r children </proc/$$/task/$$/children; echo "$parent, $children"
        while read -r name value; do
            case $name in SigPnd: | ShdPnd: | SigBlk: | SigIgn: | SigCgt:) echo "$name $value" ;; esac
        done </proc/$$/status; exit 9"""
    )
    assert outcome(failing(fault) + RELAY + look) == outcome(failing("clone:delay_enter=1") + look)


# What takes a second before the program may begin, and how many processes the launcher has made by then.
LATE = {
    "the child": ("clone:delay_exit=1000000:when=1", 1),
    "the relay process": ("clone:delay_enter=1000000:when=2", 1),
}


@contextmanager
def before_the_program_begins(late: str, program: list[str]) -> Iterator[tuple[subprocess.Popen[bytes], list[int]]]:
    """What was started, and the whole group: the launcher first, and those that it has made so far."""
    fault, made = LATE[late]
    with started([*failing(fault), *RELAY, *program], stdout=subprocess.PIPE) as process:
        yield process, members_once_there(process, made)


def members_once_there(process: subprocess.Popen[bytes], made: int) -> list[int]:
    """The group, once it is whole, below the process that delays it."""
    return wait_until(
        lambda: next(([pid, *children(pid)] for pid in children(process.pid) if len(children(pid)) == made), []),
        f"there are {made} processes",
    )


@pytest.mark.parametrize("late", LATE)
def test_killed_before_the_program_begins_it_takes_all_along(late: str, tmp_path: Path) -> None:
    with before_the_program_begins(late, ["/bin/sh", "-c", f"touch {tmp_path}/begun"]) as (_, (launcher, *others)):
        os.kill(launcher, signal.SIGKILL)
        wait_until(lambda: all(has_ended(pid) for pid in others), "the others have ended")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("late", LATE)
def test_a_group_signal_before_the_program_begins_is_one_signal(late: str, tmp_path: Path) -> None:
    """As without us, it comes before the program could know what to do with it."""
    note = f"trap 'echo got' USR1; echo begun >{tmp_path}/begun; read line"
    with before_the_program_begins(late, ["/bin/sh", "-c", note]) as (process, members):
        for pid in reversed(members):
            os.kill(pid, signal.SIGUSR1)
        assert process.wait(PATIENCE) == -signal.SIGUSR1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("late", LATE)
def test_a_resize_before_the_program_begins_is_not_lost(late: str) -> None:
    script = "exec 3>&1; until [ \"$(stty size <&3)\" = '40 109' ]; do sleep 0.01; done; echo followed"
    fault, made = LATE[late]
    with Terminal() as terminal:
        process = on_terminal([*failing(fault), *RELAY, *sh(script)], terminal)
        members_once_there(process, made)
        fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 109, 0, 0))
        terminal.read_until(b"followed")
        assert process.wait(PATIENCE) == 0


def test_without_a_second_terminal_the_first_is_inherited() -> None:
    with Terminal() as terminal:
        command = [*failing("openat:error=ENOENT", path="/dev/ptmx"), *RELAY, *sh("echo shown; exit 9")]
        process = on_terminal(command, terminal)
        terminal.close_theirs()
        assert b"shown" in terminal.read_to_end()
        assert process.wait(PATIENCE) == 9


@pytest.mark.parametrize("files", range(3, 24))
def test_few_descriptors_still_run_the_program(files: int) -> None:
    limited = ["/bin/bash", "-c", f'ulimit -n {files}; exec "$@"', "-"]
    command = ["/bin/bash", "-c", "echo out; echo error >&2; exit 9"]
    direct = outcome(limited + command)
    # Where Python itself cannot start, there is nothing to be done.
    if outcome([*limited, sys.executable, "-I", "-S", "-c", "import os, fcntl, select, termios"])[0] == 0:
        assert outcome(limited + RELAY + command) == direct


def test_a_child_survives_the_loss_of_the_relay() -> None:
    """Killed by somebody, it takes the output with it, and nothing else."""
    with started(RELAY + sh("read line; exit 6"), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        wait_until(lambda: programs(process.pid).count("sh") == 1, "the child is there")
        (relay,) = [pid for pid in group(process.pid) if pid != process.pid and program_of(pid) != "sh"]
        os.kill(relay, signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
        assert process.wait(PATIENCE) == 6


def programs(leader: int) -> list[str]:
    return [program_of(pid) for pid in group(leader)]

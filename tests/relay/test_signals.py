"""Signals: each process gets each one once, wherever it was sent."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from tests.support.processes import group, proc_status, state
from tests.support.waiting import wait_until

from .harness import (
    PATIENCE,
    RELAY,
    THROUGH_US,
    Log,
    assert_same,
    child,
    held_up,
    outcome,
    pending,
    sh,
    started,
    stop_signal,
)

CATCHABLE = ["HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "WINCH", "URG", "IO", "RTMIN", "TSTP"]


@THROUGH_US
@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["to-the-pid", "to-the-group"])
def test_each_signal_arrives_once(way: list[str], send: Callable[[int, int], None], tmp_path: Path) -> None:
    names = ["SIG" + name for name in CATCHABLE]
    fence = "SIGRTMIN+1"
    with started(way + child("note_signals", tmp_path / "log", *names, fence)) as process:
        log = Log(tmp_path / "log")
        for times, name in enumerate(names, 1):
            send(process.pid, getattr(signal, name))
            log.wait_for(name)
            # The launcher takes one after the other: it is done with this one when the fence is here.
            process.send_signal(signal.SIGRTMIN + 1)
            log.wait_for(fence, times)
        assert [name for name in log.signals() if name != fence] == names
        process.send_signal(signal.SIGRTMAX)
        assert process.wait(PATIENCE) == 3


@THROUGH_US
def test_many_signals_in_a_row_are_told_apart(way: list[str], tmp_path: Path) -> None:
    """Sent in turns to the process and to its group, without a pause: real-time signals, which queue."""
    alone, together = "SIGRTMIN", "SIGTERM"
    with started(way + child("note_signals", tmp_path / "log", alone, together)) as process:
        log = Log(tmp_path / "log")
        for times in range(1, 31):
            process.send_signal(signal.SIGRTMIN)
            os.killpg(process.pid, signal.SIGTERM)
            log.wait_for(alone, times)
            log.wait_for(together, times)
        assert sorted(log.signals()) == sorted([alone, together] * 30)


@THROUGH_US
def test_a_signal_to_a_child_in_a_group_of_its_own_is_passed_on(way: list[str], tmp_path: Path) -> None:
    lead = "import os, sys; os.setpgid(0, 0); os.execv(sys.argv[1], sys.argv[1:])"
    alone = [sys.executable, "-I", "-S", "-c", lead]
    with started(way + alone + child("note_signals", tmp_path / "log", "SIGTERM")) as process:
        log = Log(tmp_path / "log")
        os.killpg(process.pid, signal.SIGTERM)
        log.wait_for("SIGTERM")
        os.kill(log.child, signal.SIGRTMAX)
        assert process.wait(PATIENCE) == 3
        assert log.signals() == ["SIGTERM"]


@pytest.mark.parametrize("name", ["TERM", "HUP", "QUIT", "USR1"])
def test_a_signal_ends_the_run_by_it_at_whatever_moment_it_comes(name: str) -> None:
    number = getattr(signal, "SIG" + name)
    for milliseconds in range(20):
        with started([*RELAY, "/bin/sleep", "60"], stderr=subprocess.PIPE) as process:
            time.sleep(milliseconds / 1000)
            process.send_signal(number)
            assert process.wait(PATIENCE) == -number
            assert process.stderr is not None and process.stderr.read() == b""


def test_signals_that_the_caller_ignores_stay_ignored() -> None:
    script = 'trap "" HUP INT QUIT TERM PIPE CHLD USR1; "$@"; echo "$?"'

    def scenario(way: list[str]) -> bytes:
        show = ["/bin/grep", "-E", "Sig(Ign|Blk|Cgt)", "/proc/self/status"]
        return outcome(["/bin/bash", "-c", script, "-", *way, *show])[1]

    assert int(assert_same(scenario).split()[3], 16) >> (signal.SIGHUP - 1) & 1


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
@pytest.mark.parametrize(("trap", "ignored"), [("''", 1), ("-", 0), ("'echo lost'", 0)])
def test_sigpipe_is_as_the_calling_shell_has_it(shell: str, trap: str, ignored: int) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    script = f'trap {trap} PIPE; "$@"; true'
    show = ["/bin/grep", "SigIgn", "/proc/self/status"]
    shown = assert_same(lambda way: outcome([shell, "-c", script, "-", *way, *show])[1])
    assert int(shown.split()[1], 16) >> (signal.SIGPIPE - 1) & 1 == ignored


def test_a_caller_that_ignores_sigchld_learns_the_exit_code() -> None:
    def scenario(way: list[str]) -> tuple[int, bytes]:
        command = [*way, *sh("grep SigIgn /proc/self/status; exit 42")]
        with started_ignoring_sigchld(command) as process:
            out = process.stdout.read()  # type: ignore[union-attr]
            return process.wait(PATIENCE), out

    assert assert_same(scenario)[0] == 42


def started_ignoring_sigchld(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN) and None,
    )


def test_blocked_signals_stay_blocked() -> None:
    def block() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD})

    def scenario(way: list[str]) -> bytes:
        command = [*way, "/bin/grep", "-E", "(Sig|Shd)(Blk|Ign|Cgt|Pnd)", "/proc/self/status"]
        return subprocess.run(command, stdout=subprocess.PIPE, preexec_fn=block, timeout=PATIENCE).stdout

    assert_same(scenario)


@THROUGH_US
def test_a_child_that_stops_stops_the_launcher_and_both_go_on(way: list[str]) -> None:
    script = "for name in TSTP STOP TTIN TTOU TSTP; do kill -$name $$; done; exit 7"
    with started(way + sh(script)) as process:
        for expected in (signal.SIGTSTP, signal.SIGSTOP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGTSTP):
            assert stop_signal(process.pid) == expected
            os.kill(process.pid, signal.SIGCONT)
        assert process.wait(PATIENCE) == 7


@THROUGH_US
def test_stop_and_continue_of_the_launcher_alone_reach_the_child(way: list[str], tmp_path: Path) -> None:
    with started(way + child("note_signals", tmp_path / "log", "SIGCONT", "SIGUSR1")) as process:
        log = Log(tmp_path / "log")
        for times in range(1, 6):
            process.send_signal(signal.SIGTSTP)
            assert stop_signal(process.pid) == signal.SIGTSTP
            assert state(log.child) == "T"
            process.send_signal(signal.SIGCONT)
            log.wait_for("SIGCONT", times)
        process.send_signal(signal.SIGUSR1)
        log.wait_for("SIGUSR1")
        assert log.signals() == ["SIGCONT"] * 5 + ["SIGUSR1"]


@THROUGH_US
def test_a_group_that_was_stopped_whole_goes_on_whole(way: list[str]) -> None:
    with started([*way, "/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"before\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"before\n"
        for continue_it in (os.killpg, os.kill):
            os.killpg(process.pid, signal.SIGSTOP)
            assert stop_signal(process.pid) == signal.SIGSTOP
            continue_it(process.pid, signal.SIGCONT)
            process.stdin.write(b"after\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"after\n"
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


@THROUGH_US
def test_a_stop_right_after_a_continue_stops_the_child(way: list[str], tmp_path: Path) -> None:
    """As by Ctrl-Z right after fg: it takes back the SIGCONT of those who have not taken it yet."""
    with started(way + child("note_signals", tmp_path / "log", "SIGCONT")) as process:
        log = Log(tmp_path / "log")
        with held_up(relay_process(process.pid, log.child)):
            send_to_both(process.pid, log, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGTSTP)
            wait_until(lambda: state(log.child) == "T", "the child stops")
        assert stop_signal(process.pid) == signal.SIGTSTP
        assert state(log.child) == "T"
        os.killpg(process.pid, signal.SIGCONT)
        log.wait_for("SIGCONT", 2)
        os.kill(log.child, signal.SIGRTMAX)
        assert process.wait(PATIENCE) == 3
        assert log.signals() == ["SIGCONT"] * 2


@THROUGH_US
@pytest.mark.parametrize("name", ["TSTP", "STOP"])
def test_a_child_that_stops_right_after_a_continue_stays_stopped(way: list[str], name: str) -> None:
    script = f"echo $$; kill -{name} $$; echo between; kill -{name} $$; exit 7"
    with started(way + sh(script), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        number = getattr(signal, "SIG" + name)
        its_child = int(process.stdout.readline())
        assert stop_signal(process.pid) == number
        with held_up(process.pid):
            os.killpg(process.pid, signal.SIGCONT)
            assert process.stdout.readline() == b"between\n"
            wait_until(lambda: state(its_child) == "T", "the child stops again")
        assert stop_signal(process.pid) == number
        assert state(its_child) == "T"
        os.killpg(process.pid, signal.SIGCONT)
        assert process.wait(PATIENCE) == 7


@THROUGH_US
@pytest.mark.parametrize("name", ["TSTP", "STOP"])
def test_a_continue_before_the_stop_is_noticed_reaches_the_child(way: list[str], tmp_path: Path, name: str) -> None:
    """As by `kill -TSTP` and `kill -CONT` of the launcher, at once one after the other."""
    with started(way + child("note_signals", tmp_path / "log", "SIGCONT")) as process:
        log = Log(tmp_path / "log")
        with held_up(process.pid):
            os.kill(log.child, getattr(signal, "SIG" + name))
            wait_until(lambda: state(log.child) == "T", "the child stops")
            process.send_signal(signal.SIGCONT)
        log.wait_for("SIGCONT")
        os.kill(log.child, signal.SIGRTMAX)
        assert process.wait(PATIENCE) == 3
        assert log.signals() == ["SIGCONT"]


@THROUGH_US
def test_a_continue_right_after_a_stop_continues_the_child(way: list[str], tmp_path: Path) -> None:
    with started(way + child("note_signals", tmp_path / "log", "SIGTSTP", "SIGCONT", "SIGUSR1")) as process:
        log = Log(tmp_path / "log")
        with held_up(relay_process(process.pid, log.child)):
            send_to_both(process.pid, log, signal.SIGTSTP)
            os.killpg(process.pid, signal.SIGCONT)
            log.wait_for("SIGCONT")
        process.send_signal(signal.SIGUSR1)
        log.wait_for("SIGUSR1")
        assert log.signals() == ["SIGTSTP", "SIGCONT", "SIGUSR1"]


MOMENTS = {
    "TSTP alone": (signal.SIGTSTP, os.kill, os.kill),
    "TTIN alone": (signal.SIGTTIN, os.kill, os.kill),
    "TSTP to the group": (signal.SIGTSTP, os.killpg, os.killpg),
    "TSTP to the group, continued alone": (signal.SIGTSTP, os.killpg, os.kill),
    "TSTP alone, continued with the group": (signal.SIGTSTP, os.kill, os.killpg),
}


@THROUGH_US
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_continue_at_any_moment_of_a_stop_has_both_go_on(way: list[str], moment: str, tmp_path: Path) -> None:
    """As by cpulimit, supervisors, administrators: before each system call of the launcher, until it has stopped."""
    number, stop, go_on = MOMENTS[moment]
    with started(way + child("note_signals", tmp_path / "log", "SIGCONT", "SIGUSR1")) as process:
        log = Log(tmp_path / "log")
        wait_until(lambda: state(process.pid) == "S", "the launcher waits for signals")
        for steps in itertools.count():
            with held_up(process.pid) as go:
                stop(process.pid, number)
                has_stopped = go(steps)
                go_on(process.pid, signal.SIGCONT)
            log.wait_for("SIGCONT", steps + 1)
            serves(process, log, steps + 1)
            if has_stopped:
                break
        assert steps > 10
        if (stop, go_on) != (os.kill, os.killpg):  # there it may come twice, as it may have been before the stop
            assert log.signals().count("SIGCONT") == steps + 1


@THROUGH_US
def test_a_continue_beside_the_childs_own_is_no_trap(way: list[str], tmp_path: Path) -> None:
    """The kernel drops the launcher's own copy of the stop right when it would be taken, as there is no need of it."""
    with started(way + child("note_signals", tmp_path / "log", "SIGCONT", "SIGUSR1")) as process:
        log = Log(tmp_path / "log")
        for steps in itertools.count():
            with held_up(process.pid) as go:
                os.killpg(process.pid, signal.SIGTSTP)
                wait_until(lambda: state(log.child) == "T", "the child stops")
                has_stopped = go(steps)
                os.kill(log.child, signal.SIGCONT)
                has_stopped = has_stopped or go(4)
                process.send_signal(signal.SIGCONT)
            serves(process, log, steps + 1)
            if has_stopped:
                break
        assert steps > 10


def serves(process: subprocess.Popen[bytes], log: Log, times: int) -> None:
    """Have the launcher pass on a SIGUSR1, which it does only if it hangs nowhere."""
    process.send_signal(signal.SIGUSR1)
    log.wait_for("SIGUSR1", times)


@THROUGH_US
def test_two_signals_that_the_relay_process_gets_as_one_are_two(way: list[str], tmp_path: Path) -> None:
    """As by Ctrl-Z, and by an editor that then stops its group, on a machine that has much else to do."""
    with started(way + child("note_signals", tmp_path / "log", "SIGTERM", "SIGUSR1")) as process:
        log = Log(tmp_path / "log")
        relay = relay_process(process.pid, log.child)
        holding_the_launcher_up = ExitStack()
        with held_up(relay):
            send_to_both(process.pid, log, signal.SIGTERM)
            os.killpg(process.pid, signal.SIGTERM)
            log.wait_for("SIGTERM", 2)
            holding_the_launcher_up.enter_context(held_up(process.pid))
        wait_until(lambda: not pending(relay) and state(relay) == "S", "the relay process answers")
        with held_up(relay):
            holding_the_launcher_up.close()
            wait_until(lambda: signal.SIGTERM not in pending(process.pid), "the launcher takes the second")
            time.sleep(0.05)  # longer than it takes a signal to reach all of a group
        process.send_signal(signal.SIGUSR1)
        log.wait_for("SIGUSR1")
        assert log.signals() == ["SIGTERM", "SIGTERM", "SIGUSR1"]


def send_to_both(launcher: int, log: Log, number: signal.Signals) -> None:
    """Send a signal to the group, and wait until the child and the launcher have taken it, whatever others do."""
    os.killpg(launcher, number)
    log.wait_for(number.name)
    wait_until(lambda: number not in pending(launcher), "the launcher takes it")


def relay_process(launcher: int, its_child: int) -> int:
    (relay,) = wait_until(lambda: set(group(launcher)) - {launcher, its_child}, "the relay process is there")
    return relay


def test_a_child_that_signals_its_parent_signals_ours() -> None:
    script = 'trap "echo heard; exit 5" USR1; "$@" & wait; wait'

    def scenario(way: list[str]) -> tuple[int, bytes, bytes]:
        return outcome(["/bin/bash", "-c", script, "-", *way, *sh("kill -USR1 $PPID; sleep 0.2")])

    assert assert_same(scenario) == (5, b"heard\n", b"")


def test_an_alarm_that_the_caller_set_reaches_the_child() -> None:
    """setitimer survives exec, but not fork: the launcher gets it."""

    def scenario(way: list[str]) -> int:
        command = [*way, "/bin/sleep", "60"]
        with subprocess.Popen(command, preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 0.2)) as process:
            return process.wait(PATIENCE)

    assert assert_same(scenario) == -signal.SIGALRM


def test_while_unread_output_drains_a_signal_ends_the_launcher() -> None:
    """As it would have ended the child, which would still be writing."""
    script = "head -c 100000 /dev/zero"
    with started(RELAY + sh(script), stdout=subprocess.PIPE) as process:
        wait_until(lambda: len(group(process.pid)) == 2, "the child has ended")
        terminate_until_ended(process)


def test_what_the_relay_process_heard_is_not_taken_for_drained(tmp_path: Path) -> None:
    """A signal's number that nobody has asked for comes before its word that all has gone on."""
    with started(RELAY + child("note_signals", tmp_path / "log"), stdout=subprocess.PIPE) as process:
        log = Log(tmp_path / "log")
        relay = relay_process(process.pid, log.child)
        wait_until(lambda: catches(relay, signal.SIGWINCH), "the relay process listens")
        os.kill(relay, signal.SIGWINCH)
        wait_until(lambda: signal.SIGWINCH not in pending(relay), "the relay process has heard it")
        os.kill(relay, signal.SIGSTOP)  # it has not drained when the child ends
        os.kill(log.child, signal.SIGKILL)
        terminate_until_ended(process)


def catches(pid: int, number: int) -> bool:
    return bool(int(proc_status(pid, "SigCgt"), 16) >> number - 1 & 1)


def terminate_until_ended(process: subprocess.Popen[bytes]) -> None:
    def terminate() -> int | None:
        process.terminate()
        return process.poll()

    assert wait_until(terminate, "the launcher has ended") == -signal.SIGTERM

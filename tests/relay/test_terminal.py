"""Real terminals: what the child sees of them, job control in a real bash, prompts, sizes, spinners."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from tests.support.processes import children, group, has_ended, state
from tests.support.waiting import wait_until

from .harness import ELSEWHERE, INHERIT, PATIENCE, RELAY, THROUGH_US, Log, Terminal, assert_same, child, on_terminal, sh

WAYS = pytest.mark.parametrize("way", [[], INHERIT, RELAY, ELSEWHERE], ids=["direct", "inherit", "relay", "elsewhere"])


def shown_by(command: list[str], terminal: Terminal) -> tuple[int, bytes]:
    """Exit status, and everything on the terminal, of a command that has it for its own."""
    process = on_terminal(command, terminal)
    terminal.close_theirs()
    text = terminal.read_to_end()
    return process.wait(PATIENCE), text


def python(script: str) -> list[str]:
    return [sys.executable, "-I", "-c", script]


def test_each_descriptor_has_the_terminals_settings_and_size() -> None:
    """And is a terminal: a program may ask any of the three."""
    script = "for n in 0 1 2; do stty -a <&$n; stty size <&$n; test -t $n; echo $?; done"

    def scenario(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            size = struct.pack("HHHH", 33, 121, 1210, 660)
            fcntl.ioctl(terminal.theirs, termios.TIOCSWINSZ, size)
            settings = termios.tcgetattr(terminal.theirs)
            settings[0] |= termios.IXANY
            settings[6][termios.VINTR] = b"\x18"
            termios.tcsetattr(terminal.theirs, termios.TCSANOW, settings)
            return shown_by(way + sh(script), terminal)

    assert b"33 121" in assert_same(scenario)[1]


def test_two_names_of_one_terminal_keep_their_order() -> None:
    def scenario(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            return shown_by(["/bin/sh", "-c", 'exec "$@" 2>/dev/tty', "-", *way, *child("take_turns")], terminal)

    assert assert_same(scenario)[1].split() == [b"%d" % number for number in range(2000)]


def test_pixels_are_part_of_the_size() -> None:
    script = "import fcntl, os, termios; os.write(1, fcntl.ioctl(1, termios.TIOCGWINSZ, bytes(8)).hex().encode())"

    def scenario(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            fcntl.ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 121, 1210, 660))
            return shown_by(way + python(script), terminal)

    assert_same(scenario)


# In raw mode by way of 0 a bare newline does get a carriage return: it may be from before.
@pytest.mark.parametrize("descriptor, raw", [(0, b"raw\r\n"), (1, b"raw\n"), (2, b"raw\n")])
def test_modes_set_on_any_descriptor_act_on_the_terminal(descriptor: int, raw: bytes) -> None:
    """Raw output, no echo, and back again: as curses does it on 1, and getpass on 0."""
    script = f"""if True:
        import os, sys, termios, tty
        before = termios.tcgetattr({descriptor})
        os.write(1, b"cooked")
        os.read(0, 1)
        tty.setraw({descriptor}, termios.TCSADRAIN)
        os.write(1, {raw!r})
        key = os.read(0, 1)
        termios.tcsetattr({descriptor}, termios.TCSADRAIN, before)
        os.write(1, b"got " + key + b"\\n")
        sys.exit(3)
    """

    def scenario(way: list[str]) -> tuple[int, bytes, bool]:
        with Terminal() as terminal:
            before = termios.tcgetattr(terminal.theirs)
            process = on_terminal(way + python(script), terminal)
            # The echo of a key does not wait for what is on its way to 1: a known limit of the second pty.
            terminal.read_until(b"cooked")
            terminal.type(b"\n")
            terminal.read_until(raw)
            terminal.type(b"k")
            terminal.read_until(b"got k\r\n")
            status = process.wait(PATIENCE)
            return status, terminal.text, termios.tcgetattr(terminal.theirs) == before

    # No echo of the key, and no carriage return added while raw.
    assert assert_same(scenario) == (3, b"cooked\r\n" + raw + b"got k\r\n", True)


def test_settings_that_the_child_leaves_behind_are_left_behind() -> None:
    def scenario(way: list[str]) -> tuple[int, object]:
        with Terminal() as terminal:
            process = on_terminal(way + sh("stty -echo intr ^X <&1; kill -9 $$"), terminal)
            status = process.wait(PATIENCE)
            return status, termios.tcgetattr(terminal.theirs)

    assert assert_same(scenario)[0] == -signal.SIGKILL


@THROUGH_US
def test_a_launcher_that_is_killed_leaves_the_terminal_sane(way: list[str]) -> None:
    with Terminal() as terminal:
        before = termios.tcgetattr(terminal.theirs)
        process = on_terminal(way + sh("echo here; exec sleep 60"), terminal)
        terminal.read_until(b"here")
        process.kill()
        process.wait(PATIENCE)
        wait_until(lambda: not group(process.pid), "all are gone")
        assert termios.tcgetattr(terminal.theirs) == before


@pytest.mark.parametrize("key, number", [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
def test_a_key_sends_each_process_one_signal(key: bytes, number: int, tmp_path: Path) -> None:
    name = signal.Signals(number).name

    def scenario(way: list[str]) -> tuple[int, list[str]]:
        (tmp_path / "log").unlink(missing_ok=True)
        with Terminal() as terminal:
            process = on_terminal(way + child("note_signals", tmp_path / "log", name, "SIGUSR1"), terminal)
            log = Log(tmp_path / "log")
            for times in (1, 2, 3):
                terminal.type(key)
                log.wait_for(name, times)
            return end_behind_a_fence(process, log)

    assert assert_same(scenario) == (3, [name] * 3 + ["SIGUSR1"])


@THROUGH_US
def test_after_a_resize_the_size_is_right_and_stays_right(way: list[str], tmp_path: Path) -> None:
    script = f"""if True:
        import os, signal, termios, fcntl
        signal.signal(signal.SIGWINCH, lambda *_: None)
        woken, waking = os.pipe()  # not signal.pause, which misses one that comes right before it
        os.set_blocking(waking, False)
        signal.set_wakeup_fd(waking)
        os.write(1, b"ready\\n")
        while os.read(woken, 1):
            # Not in the handler: a second signal would interrupt it, and what it saw earlier be written later.
            with open({str(tmp_path / "sizes")!r}, "a") as file:
                file.write("%d %d " % os.get_terminal_size(0) + "%d %d\\n" % os.get_terminal_size(1))
    """
    sizes = tmp_path / "sizes"
    sizes.touch()
    with Terminal() as terminal:
        process = on_terminal(way + python(script), terminal)
        terminal.read_until(b"ready")

        def resize_to(columns: int) -> None:
            fcntl.ioctl(terminal.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            last = f"{columns} 40 {columns} 40\n"
            wait_until(lambda: sizes.read_text().endswith(last), last)

        for columns in range(100, 110):
            resize_to(columns)
        process.kill()
        process.wait(PATIENCE)


def test_a_terminal_that_is_hung_up_ends_the_child(tmp_path: Path) -> None:
    def scenario(way: list[str]) -> tuple[int, list[str]]:
        (tmp_path / "log").unlink(missing_ok=True)
        terminal = Terminal()
        process = on_terminal(way + child("note_signals", tmp_path / "log", "SIGHUP", "SIGUSR1"), terminal)
        log = Log(tmp_path / "log")
        terminal.__exit__()
        log.wait_for("SIGHUP")
        return end_behind_a_fence(process, log)

    assert assert_same(scenario) == (3, ["SIGHUP", "SIGUSR1"])


def end_behind_a_fence(process: subprocess.Popen[bytes], log: Log) -> tuple[int, list[str]]:
    """Send SIGUSR1, behind which no other comes any more, and end the child: how it ended, and all that it got."""
    process.send_signal(signal.SIGUSR1)
    log.wait_for("SIGUSR1")
    process.send_signal(signal.SIGRTMAX)
    return process.wait(PATIENCE), log.signals()


def test_a_password_is_asked_for_without_echo() -> None:
    script = "import getpass; print('got', getpass.getpass('Secret: '))"

    def scenario(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            process = on_terminal(way + python(script), terminal)
            terminal.read_until(b"Secret: ")
            wait_until(lambda: not termios.tcgetattr(terminal.theirs)[3] & termios.ECHO, "there is no echo")
            terminal.type(b"xyzzy\n")
            terminal.read_until(b"got xyzzy\r\n")
            return process.wait(PATIENCE), terminal.text

    assert assert_same(scenario) == (0, b"Secret: \r\ngot xyzzy\r\n")


def test_what_is_typed_ahead_is_there_for_the_next_reader() -> None:
    def scenario(way: list[str]) -> bytes:
        with Terminal() as terminal:
            process = on_terminal(way + sh("echo one"), terminal)
            terminal.type(b"typed ahead\n")
            process.wait(PATIENCE)
            terminal.read_until(b"ahead")
            return os.read(terminal.theirs, 100)

    assert assert_same(scenario) == b"typed ahead\n"


def test_there_may_be_no_controlling_terminal_at_all() -> None:
    def scenario(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            script = "exec 2>/dev/null; (: </dev/tty) || echo none; test -t 1 && echo terminal"
            process = subprocess.Popen(
                way + sh(script), stdout=terminal.theirs, stdin=subprocess.DEVNULL, start_new_session=True
            )
            terminal.close_theirs()
            return len(terminal.read_to_end()) and process.wait(PATIENCE), terminal.text

    assert assert_same(scenario) == (0, b"none\r\nterminal\r\n")


def test_tab_expansion_is_left_to_the_terminal() -> None:
    """What has been expanded cannot be undone any more."""

    def scenario(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            settings = termios.tcgetattr(terminal.theirs)
            settings[1] |= termios.XTABS if hasattr(termios, "XTABS") else termios.TAB3
            termios.tcsetattr(terminal.theirs, termios.TCSANOW, settings)
            return shown_by(way + sh(r"printf 'a\tb\nlong word\tc\r\n'"), terminal)

    assert_same(scenario)


PROMPT = "ready> "


@contextmanager
def bash() -> Iterator[pexpect.spawn[str]]:
    """A real interactive bash on a terminal of its own."""
    shell = pexpect.spawn("/bin/bash --norc --noprofile -i", timeout=PATIENCE, encoding="utf-8", echo=False)
    shell.delaybeforesend = None
    shell.sendline(f"PS1='{PROMPT[:3]}''{PROMPT[3:]}'; bind 'set enable-bracketed-paste off'; ulimit -c 0")
    shell.expect_exact(PROMPT)
    try:
        yield shell
    finally:
        shell.close(force=True)


def typed(way: list[str], folder: Path, script: str, interpreter: str = "/bin/sh") -> str:
    """A line for the shell. The script is in a file: bash shows what is typed, and fg what it continues."""
    (folder / "deed").write_text(script)
    return shlex.join([*way, interpreter, str(folder / "deed")])


@WAYS
def test_ctrl_z_stops_and_fg_and_bg_go_on(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        script = "echo started; while read -r line; do echo got $line; done; echo over; exit 4"
        shell.sendline(typed(way, tmp_path, script))
        shell.expect_exact("started")
        for turn in ("first", "second", "third"):
            shell.send("\x1a")
            shell.expect("Stopped")
            shell.expect_exact(PROMPT)
            shell.sendline("fg")
            shell.expect_exact("deed")
            shell.sendline(turn)
            shell.expect_exact(f"got {turn}")
        shell.send("\x1a")
        shell.expect("Stopped")
        shell.expect_exact(PROMPT)
        shell.sendline("bg")
        shell.expect_exact("deed")
        # It reads in the background, and is stopped for it; not before the shell has seen that is it time for fg.
        shell.expect_exact(PROMPT)
        shell.sendline("until jobs -s | grep -q .; do sleep 0.01; done; echo stop''ped")
        shell.expect_exact("stopped")
        shell.expect_exact(PROMPT)
        shell.sendline("fg")
        shell.expect_exact("deed")
        shell.sendline("last")
        shell.expect_exact("got last")
        shell.send("\x04")
        shell.expect_exact("over")
        shell.expect_exact(PROMPT)
        shell.sendline("echo status $?")
        shell.expect_exact("status 4")


@WAYS
def test_a_child_that_ignores_ctrl_z_is_not_taken_for_stopped(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        shell.sendline(typed(way, tmp_path, "trap '' TSTP; echo started; read line; echo got $line; exit 6"))
        shell.expect_exact("started")
        shell.send("\x1a")
        shell.sendline("word")
        shell.expect_exact("got word")
        shell.expect_exact(PROMPT)
        shell.sendline("echo status $?")
        shell.expect_exact("status 6")


@WAYS
def test_a_child_cleans_up_the_terminal_before_it_stops(way: list[str], tmp_path: Path) -> None:
    """As editors do: their handler restores, and stops them only then."""
    script = """if True:
        import os, signal
        def stop(*_):
            os.write(1, b"cleaned up\\n")
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            os.kill(0, signal.SIGTSTP)
            signal.signal(signal.SIGTSTP, stop)
            os.write(1, b"back again\\n")
        signal.signal(signal.SIGTSTP, stop)
        os.write(1, b"started\\n")
        while os.read(0, 100) != b"end\\n":
            pass
    """
    with bash() as shell:
        assert shell.pid
        its_id: int = shell.pid
        shell.sendline(typed(way, tmp_path, script, sys.executable))
        shell.expect_exact("started")
        for _ in range(3):
            shell.send("\x1a")
            shell.expect_exact("cleaned up")
            shell.expect("Stopped")
            shell.expect_exact(PROMPT)
            shell.sendline("fg")
            shell.expect_exact("back again")
            # Until a continued process has had a processor, Ctrl-Z stops it again at once: the shell is first then.
            wait_until(lambda: [state(each) for each in children(its_id)] == ["S"], "its child has gone on")
        shell.sendline("end")
        shell.expect_exact(PROMPT)


@WAYS
def test_a_loop_stops_at_ctrl_c_when_the_child_died_of_it(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        shell.sendline("for i in 1 2 3; do " + typed(way, tmp_path, "echo turn; exec sleep 60") + "; done")
        shell.expect_exact("turn")
        shell.send("\x03")
        shell.expect_exact(PROMPT)
        assert "turn" not in str(shell.before)
        shell.sendline("echo status $?")
        shell.expect_exact("status 130")


@WAYS
def test_a_loop_goes_on_at_ctrl_c_when_the_child_handled_it(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        line = typed(way, tmp_path, "trap 'exit 64' INT; echo turn; while :; do sleep 0.02; done")
        shell.sendline("for i in 1 2; do " + line + "; echo after $?; done")
        for _ in range(2):
            shell.expect_exact("turn")
            shell.send("\x03")
            shell.expect_exact("after 64")
        shell.expect_exact(PROMPT)


@WAYS
def test_in_the_background_it_prints_and_ends_as_a_job(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        shell.sendline(typed(way, tmp_path, "echo from the background; exit 3") + " & wait $!; echo status $?")
        shell.expect_exact("from the background")
        shell.expect_exact("status 3")


@WAYS
def test_output_in_the_background_stops_the_job_with_tostop(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        shell.sendline("stty tostop")
        shell.expect_exact(PROMPT)
        shell.sendline(typed(way, tmp_path, "echo at last; exit 3") + " &")
        shell.sendline("until jobs -s | grep -q .; do sleep 0.01; done; echo stop''ped")
        shell.expect_exact("stopped")
        assert "at last" not in str(shell.before)
        shell.sendline("fg; echo status $?")
        shell.expect_exact("at last\r\n")
        shell.expect_exact("status 3")


@WAYS
def test_kill_ends_a_job(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        shell.sendline(typed(way, tmp_path, "echo started; exec sleep 60") + " &")
        shell.expect_exact("started")
        shell.sendline("kill %1; wait %1; echo status $?")
        shell.expect_exact("status 143")


@WAYS
def test_a_hang_up_of_the_shell_ends_the_run(way: list[str], tmp_path: Path) -> None:
    with bash() as shell:
        shell.sendline(typed(way, tmp_path, f"echo $$ >'{tmp_path}/pid'; echo started; exec sleep 60"))
        shell.expect_exact("started")
        pid = int((tmp_path / "pid").read_text())
        shell.kill(signal.SIGHUP)
        wait_until(lambda: has_ended(pid), "the child has ended")


def test_the_real_spinner_turns_as_it_does_without_us() -> None:
    ruby = shutil.which("ruby")
    if ruby is None or subprocess.run([ruby, "-e", "require 'tty-spinner'"], capture_output=True).returncode:
        pytest.skip("needs ruby with tty-spinner (scripts/install-test-tools)")
    script = """
        require "tty-spinner"
        spinner = TTY::Spinner.new("[:spinner] :title", format: :dots, hide_cursor: true, output: $stdout)
        spinner.update(title: "Connecting as root...")
        8.times { spinner.spin }
        spinner.update(title: "Connected.")
        spinner.success("done!")
        puts $stdout.winsize.inspect rescue require("io/console") && puts($stdout.winsize.inspect)
    """

    def scenario(way: list[str]) -> tuple[int, bytes]:
        with Terminal() as terminal:
            fcntl.ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            return shown_by([*way, ruby, "-e", script], terminal)

    status, text = assert_same(scenario)
    assert status == 0 and b"\x1b[?25l" in text and b"done!" in text and b"[24, 80]" in text


def test_a_terminal_hung_up_at_the_end_keeps_the_exit_code() -> None:
    """The launcher is still at work when the output has ended; the child that it stands for is not."""
    with Terminal() as terminal:
        process = on_terminal(RELAY + sh("echo done; exit 7"), terminal, env={**os.environ, "DRIVER_OBSERVER": "slow"})
        terminal.close_theirs()
        assert terminal.read_to_end() == b"done\r\n"
    assert process.wait(PATIENCE) == 7

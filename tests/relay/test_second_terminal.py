"""The second pty by itself: what comes out of it is what the child wrote, and what is made of that for the real one."""

from __future__ import annotations

import os
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from launcher.relay.second_terminal import SecondTerminal

from .harness import PATIENCE, RELAY, Terminal, on_terminal, sh


class Between:
    """A second pty between a child's end and a real terminal, both of them ours."""

    def __init__(self, real: int) -> None:
        self.real = real
        self.source, self.child_end = os.openpty()
        self.second = SecondTerminal(self.source, real)

    def written(self, size: int) -> bytes:
        """What has arrived, read with room for so much."""
        return self.second.as_written(os.read(self.source, size))


@pytest.fixture
def between() -> Iterator[Between]:
    with Terminal() as terminal:
        made = Between(terminal.theirs)
        yield made
        os.close(made.source)
        os.close(made.child_end)


@pytest.mark.parametrize("size", range(1, 20))
def test_a_carriage_return_parted_from_its_newline_waits_for_it(size: int, between: Between) -> None:
    text = b"one\n\r\n\r\r\n\n\rtwo\r"
    os.write(between.child_end, text)
    arrived = b""
    while len(arrived) < len(text):
        arrived += between.written(size)
    assert arrived == text


def test_a_carriage_return_at_the_very_end_is_not_held_back(between: Between) -> None:
    os.write(between.child_end, b"42%\r")
    assert between.written(100) == b"42%\r"


def test_a_sea_of_carriage_returns_passes_as_fast_as_other_bytes(tmp_path: Path) -> None:
    def seconds(byte: bytes) -> float:
        """Of the processor's time, for a MiB: others use the processors too."""
        sea = byte * (1 << 20)
        (tmp_path / "sea").write_bytes(sea)
        with Terminal() as terminal:
            process = subprocess.Popen([*RELAY, "/bin/cat", str(tmp_path / "sea")], stdout=terminal.theirs)
            terminal.close_theirs()
            assert terminal.read_to_end() == sea
            _, process.returncode, used = os.wait4(process.pid, 0)
            assert process.returncode == 0
            return used.ru_utime + used.ru_stime

    assert seconds(b"\r") < 5 * seconds(b"x")


def test_lines_from_before_a_change_end_as_they_would_have(between: Between) -> None:
    steps = between.second.steps_to_show(b"one\ntwo\r\nthree\nfour")
    assert next(steps) == b"one\n"
    tty.setraw(between.real)
    # Perhaps before "one" was written, perhaps after: the \r serves for both.
    assert list(steps) == [b"\r", b"two\r\nthree\r\nfour"]


def test_a_flood_goes_on_in_one_piece(between: Between) -> None:
    flood = b"line\n" * 800
    assert list(between.second.steps_to_show(flood)) == [flood]
    tty.setraw(between.real)
    assert list(between.second.steps_to_show(flood)) == [b"line\r\n" * 800]


def test_a_child_that_changed_its_own_output_gets_what_it_wrote(between: Between) -> None:
    tty.setraw(between.child_end)
    between.second.pass_on_settings()
    assert list(between.second.steps_to_show(b"one\ntwo\n")) == [b"one\ntwo\n"]


def test_in_raw_mode_the_observer_sees_what_the_child_wrote(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "DRIVER_REPORT": str(tmp_path / "report")}
    with Terminal() as terminal:
        process = on_terminal(RELAY + sh("stty -onlcr; echo one; echo two"), terminal, env=environment)
        terminal.close_theirs()
        # A difference that remains: without us, these lines would have no return at their end.
        assert terminal.read_to_end() == b"one\r\ntwo\r\n"
        assert process.wait(PATIENCE) == 0
    assert (tmp_path / "report").read_bytes() == b"8\0one\ntwo\n"

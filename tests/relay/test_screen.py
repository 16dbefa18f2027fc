"""What is on the screen when the child changes the terminal by another way than its output, as prompts do.

Its output goes through a second pty, and what it does to standard input or /dev/tty does not: that this overtakes its
lines must not be seen. Each child does the same thing ROUNDS times, beside a busy loop.
"""

from __future__ import annotations

import fcntl
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pyte
import pytest

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from tests.support.waiting import wait_until

from .harness import DIRECT, PATIENCE, RELAY, Terminal, on_terminal, sh, started

ROUNDS = 30
COLUMNS, LINES = 80, 1000  # nothing scrolls away


@pytest.fixture(scope="module", autouse=True)
def busy_loop() -> Iterator[None]:
    """Whoever is woken waits for a processor longer than usual, or is taken off it at any point."""
    with started(sh("ulimit -t 120; while :; do :; done")):
        yield


def assert_same_screen(command: list[str], *keys: tuple[str, str]) -> None:
    """The screen is the same without and with the relay. `keys`: of a round, what is shown before each, and the key."""
    assert screen_of(RELAY, command, keys) == screen_of(DIRECT, command, keys)


def screen_of(way: list[str], command: list[str], keys: tuple[tuple[str, str], ...]) -> list[str]:
    """The lines that are on the screen when the command has ended, and the place of the cursor."""
    with Terminal() as terminal:
        fcntl.ioctl(terminal.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        process = on_terminal([*way, *command], terminal)
        text = b""
        for shown, key in keys * ROUNDS:
            text += terminal.read_until(shown.encode())
            terminal.text = b""
            wait_until(lambda: not termios.tcgetattr(terminal.theirs)[3] & termios.ECHO, "it reads a key unseen")
            terminal.type(key.encode())
        terminal.close_theirs()
        text += terminal.read_to_end()
        assert process.wait(PATIENCE) == 0
    screen = pyte.Screen(COLUMNS, LINES)
    pyte.ByteStream(screen).feed(text)
    return [*(line.rstrip() for line in screen.display), f"{screen.cursor.y}, {screen.cursor.x}"]


def ruby(library: str, script: str) -> list[str]:
    """The command line of a round in Ruby."""
    found = shutil.which("ruby")
    if found is None or subprocess.run([found, "-r", library, "-e", ""], capture_output=True).returncode:
        pytest.skip(f"needs ruby with {library} (scripts/install-test-tools)")
    return [found, "-r", library, "-e", f"{ROUNDS}.times do |round|\nputs 'round', round\n{script}\nend"]


def test_a_menu_of_tty_prompt() -> None:
    script = """
        puts TTY::Prompt.new.select("Which?", %w[one two three])
    """
    assert_same_screen(ruby("tty-prompt", script), ("  three", "\x1b[B"), ("  three", "\r"))


def test_questions_of_tty_prompt() -> None:
    script = """
        prompt = TTY::Prompt.new
        puts prompt.ask("Who?")
        puts prompt.mask("Secret?")
        puts prompt.yes?("Sure?")
    """
    assert_same_screen(
        ruby("tty-prompt", script),
        *(("Who? ", "a"), ("Who? a", "\r")),
        *(("Secret? ", "b"), ("Secret? •", "\r")),
        *(("(Y/n)", "n"), (" n", "\r")),
    )


def test_keys_and_lines_of_tty_reader() -> None:
    script = """
        reader = TTY::Reader.new
        puts "key"
        puts reader.read_keypress
        puts reader.read_line("> ")
    """
    assert_same_screen(ruby("tty-reader", script), ("key", "k"), ("> ", "l"), ("> l", "\r"))


def test_passwords_of_highline() -> None:
    script = """
        shown = HighLine.new.ask("Password: ") { |question| question.echo = "*" }
        hidden = HighLine.new.ask("Again: ") { |question| question.echo = false }
        puts shown, hidden
    """
    assert_same_screen(ruby("highline", script), ("Password: ", "a"), ("*", "\r"), ("Again: ", "b\r"))


def test_keys_of_io_console() -> None:
    script = """
        puts "one"
        puts $stdin.getch
        puts "two"
        puts $stdin.raw { |input| input.getc }
        puts "three"
        puts $stdin.noecho { |input| input.gets }
    """
    assert_same_screen(ruby("io/console", script), ("one", "a"), ("two", "b"), ("three", "c\r"))


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/tty"])
def test_raw_mode_by_another_way_than_the_output(name: str) -> None:
    script = f"""if True:
        import os, termios, tty
        terminal = os.open("{name}", os.O_RDWR)
        before = termios.tcgetattr(terminal)
        for round in range({ROUNDS}):
            os.write(1, b"round\\n%d\\nkey? " % round)
            tty.setraw(terminal, termios.TCSADRAIN)
            key = os.read(terminal, 1)
            os.write(1, key + b"\\r\\nraw mode\\r\\nends with the\\r\\n")
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
            os.write(1, b"next\\nline\\n")
    """
    assert_same_screen([sys.executable, "-I", "-c", script], ("key? ", "k"))


def test_stty_between_two_lines() -> None:
    script = """
        for round in $(seq %d); do
            echo one; stty -onlcr; echo two; printf '\\r'; stty onlcr; echo three
        done
    """
    assert_same_screen(sh(script % ROUNDS))

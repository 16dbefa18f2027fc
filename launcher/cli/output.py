"""How the commands print: tables for people, JSON for programs."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.markup import escape
from rich.segment import Segment
from rich.text import Text

from launcher.cli import MIN_WIDTH
from launcher.cli.printable import printable
from launcher.home.layout import Home

# Characters that the encoding of the output lacks are escaped, instead of ending the command with an error.
for _stream in (sys.stdout, sys.stderr):
    if isinstance(_stream, io.TextIOWrapper):
        _stream.reconfigure(errors="backslashreplace")

NOTHING_WAITS = "No session is waiting to be sent."


class _Trimmed(NamedTuple):
    """Something to be printed, without blanks at the ends of its lines: rich fills columns, and folds after spaces."""

    renderable: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in Segment.split_lines(console.render(self.renderable, options)):
            while line and not line[-1].text.rstrip():
                line.pop()
            if line:
                line[-1] = line[-1]._replace(text=line[-1].text.rstrip())
            yield from line
            yield Segment.line()


class _Trimming(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Trimmed(each) for each in renderables]


console = Console(highlight=False)
console.width = max(console.width, MIN_WIDTH)
console.push_render_hook(_Trimming())


def print_json(value: object) -> None:
    """Print `value` as JSON that a program can read."""
    print_exactly(json.dumps(value, indent=2, allow_nan=False))


def show_json(value: object) -> None:
    """Print `value` as JSON that people read: on a terminal, what does not fit beside its key stands below it."""
    for line in json.dumps(value, indent=2, allow_nan=False).splitlines():
        key, colon, rest = line.partition(": ")
        if colon and console.is_terminal and len(line) > console.width:
            indent = len(line) - len(line.lstrip())
            line = f"{key}:\n{' ' * (indent + 2)}{rest}"
        print_exactly(line)


def print_exactly(text: str) -> None:
    """Print a text that no width of the terminal may change, for programs or to be compared byte by byte.

    Not through the text layer, which on Windows ends lines in its own way.
    """
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.flush()


def say(markup: str) -> None:
    """Print a text. No path or other word is broken: what is wider than the terminal can still be copied."""
    for line in _folded(markup, console.width):
        console.print(line, soft_wrap=True)


def say_facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print two columns: what, and how it is."""
    say_in_columns((f"[bold]{plain(what)}[/]", plain(how), "") for what, how in rows)


def say_in_columns(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print two columns, as `say` has it; below the second, a line that is to be copied, if there is one: never folded.

    All is markup.
    """
    texts = [(Text.from_markup(first), second, line) for first, second, line in rows]
    width = max((first.cell_len for first, _, _ in texts), default=0) + 2
    for first, second, line in texts:
        first.pad_right(width - first.cell_len)
        for part in _folded(second, console.width - width):
            console.print(first + part, soft_wrap=True)
            first = Text(" " * width)
        if line:
            copied = Text.from_markup(line)
            copied.pad_left(width if width + copied.cell_len <= console.width else 0)
            console.print(copied, soft_wrap=True)


def _folded(markup: str, width: int) -> Iterator[Text]:
    """The lines of a text, each of at most `width` columns but for words that are wider."""
    for line in Text.from_markup(markup).split("\n", allow_blank=True):
        starts = [0]
        for word in re.finditer(r"\S+", line.plain):
            if word.start() > starts[-1] and cell_len(line.plain[starts[-1] : word.end()]) > width:
                starts.append(word.start())
        yield from line.divide(starts[1:])


def plain(text: str) -> str:
    """`text` from outside, to be printed as it is: without control characters, and with markup in it escaped.

    All that is printed of the environment, of files and their names goes through here, or through `print_json`.
    """
    return escape(printable(text))


def say_what_is_skipped(home: Home) -> None:
    """To be said where we have made ~/.chef-workstation ourselves."""
    say(
        f"This created {plain(home.workstation.path)}. chef-run will now skip its own first-run set-up, "
        "which it does only if that directory is missing."
    )


def moment(seconds: float) -> str:
    """A time (seconds since the epoch) in local time, to the minute."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def count(number: int, noun: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""What a program shows on a terminal, as an SVG file with a background of its own."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Mapping

import pexpect
import pyte
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS, ROWS = 80, 24
MOST_LINES = 200  # of a picture
SECONDS = 30
DIM, GREY = "\x1b[2m", "\x1b[90m"

# Without the fonts that rich's own would fetch from the network of whoever looks at it.
SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold }}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def run(command: list[str], env: Mapping[str, str], cwd: str) -> str:
    """Run a command on a terminal of its own: what it writes there, escape sequences and all."""
    size = (ROWS, COLUMNS)
    child: pexpect.spawn[bytes] = pexpect.spawn(
        command[0], command[1:], env=dict(env), cwd=cwd, dimensions=size, timeout=SECONDS
    )
    with child:
        output = child.read()
        if child.wait() != 0:
            sys.exit(f"{' '.join(command)} ended with {child.exitstatus}:\n{output.decode()}")
    return output.decode()


def prompt(command: str) -> str:
    """The line on which somebody has typed a command."""
    return f"{GREY}$\x1b[0m \x1b[1m{command}\x1b[0m\r\n"


def picture(title: str, output: str) -> str:
    """What is on the terminal when all of the output has been written, as SVG."""
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_terminal=True, color_system="truecolor")
    for line in _screen(output):
        console.print(line, highlight=False)
    return console.export_svg(title=title, code_format=SVG, unique_id="terminal")


def _screen(output: str) -> list[Text]:
    """The lines that a terminal shows of it, once the cursor has gone to and fro."""
    screen = pyte.Screen(COLUMNS, MOST_LINES)
    pyte.Stream(screen).feed(output.replace(DIM, GREY))  # of which pyte knows only the latter
    lines = [_line([screen.buffer[row][column] for column in range(COLUMNS)]) for row in range(MOST_LINES)]
    while not lines[-1]:
        lines.pop()
    return lines


def _line(characters: list[Char]) -> Text:
    line = Text()
    for style, run in itertools.groupby(characters, _style):
        line.append("".join(character.data for character in run), style)
    line.rstrip()
    return line


def _style(character: Char) -> Style:
    """What rich calls what pyte has seen."""
    names = {"brown": "yellow", "brightbrown": "bright_yellow"}
    colour = names.get(character.fg, character.fg.replace("bright", "bright_"))
    return Style(color=colour, bold=character.bold)

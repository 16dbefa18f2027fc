"""A chart of what a run adds to chef-run beside what other programs in front of programs add, as SVG.

The figures are those of `scripts/bench others --json FILE`.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from rich.terminal_theme import SVG_EXPORT_THEME as THEME  # the colours of the other pictures

WIDTH, HEAD, ROW, FOOT = 800, 72, 34, 52
NAMES_END, BARS_END = 290, 620
COMMAND = "Measured by: make pictures BENCH=1"
OURS, THEIRS = "#98a84b", "#808080"

# What the bench calls it, and what somebody calls it who has not read the bench.
NAMES = {
    "ours, python -I -S": "chef-run-launcher (packages)",
    "ours, pip's script": "chef-run-launcher (pip)",
    "the minimum in Python": "a minimal Python launcher",
    "unbuffer": "unbuffer",
    "script -qefc": "script",
    "a shim of pyenv's": "a pyenv shim",
    "asciinema rec": "asciinema",
}


def draw(path: Path) -> str:
    """The chart of the figures in this file, the smallest first."""
    measured = json.loads(path.read_text(encoding="utf-8"))["others"]
    child, unit = measured["child in seconds"], measured["start of a bare interpreter in milliseconds"]
    added = sorted(measured["added, in starts of a bare interpreter"].items(), key=lambda item: item[1])
    scale = (BARS_END - NAMES_END) / added[-1][1]
    height = HEAD + ROW * len(added) + FOOT
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" xmlns="http://www.w3.org/2000/svg">',
        f"<style>text {{ font-family: sans-serif; fill: {THEME.foreground_color.hex} }}</style>",
        f'<rect x="1" y="1" width="{WIDTH - 2}" height="{height - 2}" rx="8" fill="{THEME.background_color.hex}"'
        ' stroke="#ffffff" stroke-opacity="0.35"/>',
        _text(24, 40, 20, "Time added to a run of chef-run", 'font-weight="bold"'),
        *(_bar(HEAD + ROW * row, name, value, unit, scale) for row, (name, value) in enumerate(added)),
        _text(
            24,
            height - 30,
            13,
            f"Medians, with a chef-run of {child} s. A bare Python interpreter starts in {unit} ms.",
        ),
        _text(24, height - 12, 13, f"Python {measured['python']}, {measured['processors']} processors. {COMMAND}"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(top: int, name: str, value: float, unit: float, scale: float) -> str:
    """A line of the chart: a name, a bar, and the value."""
    length = value * scale
    colour = OURS if name.startswith("ours") else THEIRS
    return (
        _text(NAMES_END - 12, top + 20, 16, NAMES[name], 'text-anchor="end"')
        + f'<rect x="{NAMES_END}" y="{top + 4}" width="{length:.1f}" height="22" rx="3" fill="{colour}"/>'
        + _text(NAMES_END + 10 + length, top + 20, 16, f"{value * unit:.0f} ms ({value:.2f} starts)")
    )


def _text(x: float, y: float, size: int, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y}" font-size="{size}" {attributes}>{escape(text)}</text>'

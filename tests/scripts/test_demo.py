"""`make demo`, as somebody sees it who tries the launcher for the first time."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pyte

SECONDS = 60
SCRIPT = Path(__file__).parents[2] / "scripts" / "demo.py"


def test_the_demo_fits_80_columns_and_waits_for_nobody() -> None:
    with pexpect.spawn(sys.executable, [str(SCRIPT)], dimensions=(24, 80), timeout=SECONDS) as terminal:
        terminal.expect(pexpect.EOF)
        shown = terminal.before.decode()
    screen = pyte.Screen(200, 1000)  # wide and high enough for nothing to be wrapped or scrolled away
    pyte.Stream(screen).feed(shown)
    lines = [line.rstrip() for line in screen.display]
    assert [line for line in lines if line.startswith("All 8 steps worked: two runs were recorded, and their")]
    assert [line for line in lines if len(line) > 80] == []
    assert terminal.exitstatus == 0

"""The management commands, `chef-run-launcher COMMAND`: one file each, registered in `app`.

They show and change what the other rooms know. No other room imports them, and none of them another: what several show
is in a file of its own.
"""

from __future__ import annotations

import os

MIN_WIDTH = 20  # columns; on less, lines are as long as here, and the terminal breaks them

# Before the libraries read them: they print nothing into no columns, and fail at what is no number.
for _name in ("COLUMNS", "LINES", "TERMINAL_WIDTH"):
    _value = os.environ.get(_name, "")
    if not (_value.isascii() and _value.isdecimal() and len(_value) <= 4 and int(_value) >= MIN_WIDTH):
        os.environ.pop(_name, None)

"""`python -m launcher`, and `python -I -S <this file>`: the fast start, isolated from the user's Python settings."""

import sys

if not __package__:
    sys.dont_write_bytecode = True  # before the package can say so itself
    sys.path.insert(0, __file__[: -len("/launcher/__main__.py")])  # without os, see small_os.py

from launcher.entry import main

main()

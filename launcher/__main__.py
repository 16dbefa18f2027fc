"""`python -m launcher`, and `python -I -S <this file>`: the fast start, isolated from the user's Python settings."""

import sys

if not __package__:
    sys.dont_write_bytecode = True  # before the package can say so itself
    folder = __file__.removesuffix("/launcher/__main__.py")
    if folder in ("", __file__):  # named in some other way
        import os  # not at the top, see small_os.py

        folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, folder)

from launcher.entry import main

main()

"""`python -m launcher`, and `python -I -S <this file>`: the fast start, isolated from the user's Python settings."""

import sys

if not __package__:
    import os

    sys.dont_write_bytecode = True  # before the package can say so itself
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from launcher.entry import main

main()

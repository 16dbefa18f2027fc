"""`python -m launcher`, and `python -I -S <this file>`: the fast start, isolated from the user's Python settings.

This file and fallback.py are for any Python from 2.7 on: where the others cannot be run, chef-run runs all the same.
"""

import os
import sys

if not __package__:
    sys.dont_write_bytecode = True  # before the package can say so itself
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    # type: () -> None
    """Do what entry.main does. If it cannot, a wrapped run is chef-run's alone; no other start gets beyond a line."""
    try:
        if sys.version_info < (3, 9):
            raise ImportError("it needs Python 3.9 or newer")
        from launcher.entry import main

        main()
    except Exception as error:  # nothing of a wrapped run comes here once chef-run has been started
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        # By itself: the package may be what is broken.
        from fallback import stand_in  # type: ignore[import-not-found]

        stand_in(error)


if __name__ == "__main__":
    main()

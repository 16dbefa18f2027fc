"""The launcher in front of chef-run. For any Python from 2.7 on, as __main__.py is, which may lie in it."""

import os
import sys

__version__ = "0.1.0"

NAME = "chef-run-launcher"  # of the program, as it speaks of itself

PACKAGE = os.path.dirname(os.path.abspath(__file__))  # the directory in which all of this lies

# A run writes nothing but its record: no bytecode either. Installations compile theirs.
sys.dont_write_bytecode = True


def make_importable(*names):
    # type: (str) -> None
    """Make these packages importable.

    Nearly always they lie beside this package, whose directory is on the path already. Where pip found one installed
    elsewhere, the interpreter's own start-up (site), which -S left out to save its time, knows the place.
    """
    try:
        for name in names:
            __import__(name)
    except ImportError:
        import site

        site.main()

"""`python -m launcher`, and `python -I -S <this file>`: the fast start, isolated from the user's Python settings.

This file and fallback.py are for any Python from 2.7 on: where the others cannot be run, chef-run runs all the same.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING or sys.version_info[0] < 3:
    import signal as _signal
else:
    import _signal  # `signal` itself builds enums, and costs half as much as starting Python

# First of all: an interrupt ends us as it ends any program, not with a traceback.
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import os  # noqa: E402

if not __package__:
    sys.dont_write_bytecode = True  # before the package can say so itself
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    # type: () -> None
    """Run entry.main. If it fails before chef-run has started, become it; for any other command print one line."""
    try:
        start()
    except Exception as error:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        try:
            # By itself: the package may be what is broken.
            from fallback import stand_in  # type: ignore[import-not-found]
        except Exception:
            sys.stderr.write("chef-run-launcher: the installation is incomplete; install it again\n")
            sys.exit(127)
        stand_in(error)


def start():
    # type: () -> None
    """Run entry.main, which raises nothing of a wrapped run once chef-run has been started."""
    if sys.version_info < (3, 9):
        raise ImportError("it needs Python 3.9 or newer")
    from launcher.entry import main

    main()


if __name__ == "__main__":
    main()

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
    """Do what entry.main does. If it cannot, a wrapped run is chef-run's alone; no other start gets beyond a line."""
    try:
        start()
    except Exception as error:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        try:
            # By itself: the package may be what is broken.
            from fallback import stand_in  # type: ignore[import-not-found]
        except Exception:
            _run_the_next()
        stand_in(error)


def start():
    # type: () -> None
    """Do what entry.main does. It raises nothing of a wrapped run once chef-run has been started."""
    if sys.version_info < (3, 9):
        raise ImportError("it needs Python 3.9 or newer")
    from launcher.entry import main

    main()


def _run_the_next():
    # type: () -> None
    """Where even fallback.py is gone: become the next chef-run on the PATH, if one was to be run, and nothing more."""
    import signal

    script, arguments = os.path.realpath(sys.argv[0]), sys.argv[1:]
    if os.path.basename(sys.argv[0]).startswith(("chef-run-launcher", "__main__.py")):
        if arguments[:1] != ["exec"]:
            sys.exit("chef-run-launcher: it is not whole; install it again")
        del arguments[0]
    above = int(os.environ.get("CHEF_RUN_LAUNCHER_DEPTH", 0))
    os.environ["CHEF_RUN_LAUNCHER_DEPTH"] = str(above + 1)
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, "chef-run")
        if os.path.isfile(path) and os.access(path, os.X_OK) and os.path.realpath(path) != script:
            above -= 1  # each launcher above us may have been led back here
            if above < 1:
                os.execv(path, [path] + arguments)
    sys.stderr.write("chef-run-launcher: it is not whole, and the PATH has no other chef-run; install it again\n")
    sys.exit(127)


if __name__ == "__main__":
    main()

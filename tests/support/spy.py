"""Runs the launcher, and notes what it does: python spy.py REPORT PROGRAM [ARGUMENT...]

The report is JSON: the modules that were loaded `before`, `at_first` (when the first process was started) and `at_end`;
the files that were `opened` until the first process was started, and `opened_later`; and each process `started`.
Nothing is imported here that the launcher might import.
"""

from __future__ import annotations

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

STARTS = ("os.fork", "os.exec", "os.posix_spawn", "_posixsubprocess.fork_exec")

report = ""
main: int | None = None  # our process id, once the launcher begins
seen: dict[str, Any] = {"opened": [], "opened_later": [], "started": [], "at_first": None}


def modules() -> list[str]:
    return sorted(sys.modules)


def write_report() -> None:
    if posix.getpid() == main:
        import json

        with open(report, "w") as file:
            json.dump(seen, file)


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if main is None:
        return
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        name = arguments[0]
        when = "opened_later" if seen["at_first"] else "opened"
        seen[when].append(name if isinstance(name, str) else name.decode())
    if event in STARTS:
        seen["at_first"] = seen["at_first"] or modules()
        seen["started"].append(event)
        if event == "os.exec":
            write_report()


def run(program: str) -> None:
    """Run it as Python does that is told to: its script's directory first on the path, unless it is isolated."""
    global main
    leave = posix._exit

    def leaving(status: int) -> NoReturn:
        if posix.getpid() == main:
            seen["at_end"] = modules()
            write_report()
        leave(status)

    posix._exit = leaving
    if "os" in sys.modules:
        sys.modules["os"]._exit = leaving  # type: ignore[attr-defined]
    with open(program) as file:
        code = compile(file.read(), program, "exec")
    if not sys.flags.isolated:
        sys.path[0] = program.rpartition("/")[0]
    seen["before"] = modules()
    main = posix.getpid()
    exec(code, {"__name__": "__main__", "__package__": "", "__file__": program, "__spec__": None})


if __name__ == "__main__":
    report = sys.argv[1]
    del sys.argv[:2]
    sys.addaudithook(watch)
    run(sys.argv[0])

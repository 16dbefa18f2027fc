"""Finding the real chef-run, never ourselves."""

from __future__ import annotations

import os
import sys

from launcher.relay.handover import NOT_EXECUTABLE, NOT_FOUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from launcher.consent.config import Config, Profile
    from launcher.consent.situation import Situation

VARIABLE = "CHEF_RUN_LAUNCHER_REAL"

# What stands in the scripts that start us: pip's console script, and wrappers around the alias's command.
_OUR_SCRIPTS = (
    b"from launcher.__main__ import",
    b"from launcher.entry import",  # as they were
    b"chef-run-launcher exec ",
    b"launcher/__main__.py exec ",
)
_OUR_SHIM = b'launcher\\__main__.py" exec '  # on Windows


class NoChefRun(Exception):
    """There is no chef-run to run. The text says what to do; `exit_code` is what a shell would give."""

    def __init__(self, exit_code: int, text: str) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def find(situation: Situation, launcher: str, depth: int = 0) -> str:
    """The path of the real chef-run; `launcher` is the path of the file that was started as the launcher.

    A place that somebody named (the variable, then `[launcher] chef_run`) is taken at its word: if nothing can be
    run there, that is an error, and no other chef-run is run instead; but root takes none from a file that others may
    have written. `depth` is how many launchers are at work above this one: from the second on, what they have run may
    have led back to us, and the next is taken. Where the variable names one, no file is read. Raises NoChefRun.
    """
    named = situation.variables.get(VARIABLE)
    found = _checked(named, VARIABLE, launcher) if named else None
    if found:
        return found
    config, profile = situation.config, situation.profile
    named = config.text("launcher", "chef_run") if config else None
    if config and named and not _may_be_anothers(config):
        found = _checked(os.path.expanduser(named), f"[launcher] chef_run in {config.path}", launcher)
        if found:
            return found

    possible: list[str] = []
    not_executable: list[str] = []
    for candidate in _candidates(situation.variables, profile, launcher, depth):
        if os.path.isfile(candidate) and not is_launcher(candidate, launcher):
            (possible if os.access(candidate, os.X_OK) else not_executable).append(candidate)
            if len(possible) >= max(1, depth):
                break
    if possible:
        return possible[-1]
    if not_executable:
        raise NoChefRun(NOT_EXECUTABLE, f"{not_executable[0]} is not executable")
    raise NoChefRun(NOT_FOUND, f"cannot find chef-run: install {profile.name}, or set {VARIABLE} to its path")


def _checked(path: str, named_by: str, launcher: str) -> str | None:
    """The path, which somebody has named; None if it means what our packages have put aside. Raises NoChefRun."""
    if not os.path.exists(path):
        raise NoChefRun(NOT_FOUND, f"{named_by} names {path}, which does not exist; correct that")
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise NoChefRun(NOT_EXECUTABLE, f"{named_by} names {path}, which is not an executable file; correct that")
    if not is_launcher(path, launcher):
        return path
    from launcher import fallback

    if fallback.has_been_put_aside(path):
        return None
    raise NoChefRun(NOT_FOUND, f"{named_by} names {path}, which is the launcher itself; correct that")


def _may_be_anothers(config: Config) -> bool:
    """Whether we are root, and somebody else may have written this file."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return False
    from launcher import fallback

    return fallback.may_be_anothers(config.path)


def _candidates(variables: Mapping[str, str], profile: Profile, launcher: str, depth: int) -> Iterator[str]:
    beside = os.path.dirname(os.path.realpath(launcher))
    for path in profile.chef_run:
        yield os.path.normpath(os.path.join(beside, path))
    names = ["chef-run"]
    if sys.platform == "win32":
        names = ["chef-run" + extension for extension in variables.get("PATHEXT", ".EXE;.BAT;.CMD").split(os.pathsep)]
    for directory in _path(variables, launcher if depth else None):
        for name in names:
            yield os.path.join(directory, name)


def _path(variables: Mapping[str, str], behind: str | None) -> list[str]:
    """The directories of the PATH. If `behind` is given, those after its own come first.

    Whoever stands in front of that one, and has led to it, wants what comes next.
    """
    path = [directory or "." for directory in variables.get("PATH", os.defpath).split(os.pathsep)]
    for place, directory in enumerate(path, 1):
        if behind and _is_same(directory, os.path.dirname(behind)):
            return path[place:] + path[:place]
    return path


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def is_launcher(path: str, launcher: str) -> bool:
    """Whether `path` is the launcher: the same file, a symbolic link to it, or a script that starts it."""
    if _is_same(path, launcher):
        return True
    try:
        # Without waiting, should it have become a FIFO meanwhile.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", buffering=0) as file:
            head = file.read(4096) or b""
    except OSError:  # unreadable programs can be run all the same
        return False
    return (head[:2] == b"#!" and any(mark in head for mark in _OUR_SCRIPTS)) or _OUR_SHIM in head

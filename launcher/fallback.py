"""What is left where the launcher cannot be run, or has a defect before it starts chef-run: to become chef-run.

With too old a Python, with modules that are missing or broken, chef-run runs, unrecorded. So nothing of ours is
imported here, and all of it is for any Python from 2.7 on.
"""

import errno
import os
import re
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

REAL = "CHEF_RUN_LAUNCHER_REAL"
DEPTH = "CHEF_RUN_LAUNCHER_DEPTH"
DRY_RUN = "CHEF_RUN_LAUNCHER_DRY_RUN"
MAX_DEPTH = 10
PROFILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "distribution.toml")

# As in real.py.
OUR_SCRIPTS = (
    b"from launcher.__main__ import",
    b"from launcher.entry import",
    b"chef-run-launcher exec ",
    b"launcher/__main__.py exec ",
)
OUR_SHIM = b'launcher\\__main__.py" exec '


class NoChefRun(Exception):
    """There is none that can be run. The text says why."""


def stand_in(error):
    # type: (Exception) -> NoReturn
    """End as chef-run ends, if it was to be run; else with a line that says why nothing can be done."""
    _note(error)
    arguments = _arguments_of_chef_run()
    if arguments is None:
        _end("cannot go on: %s" % reason(error), 1)
    depth = _depth()
    try:
        if depth >= MAX_DEPTH:
            raise NoChefRun("what it finds as chef-run starts the launcher again; set " + REAL)
        _become(find(depth), arguments, depth + 1)
    except NoChefRun as problem:
        _end(str(problem), 127)


def reason(error):
    # type: (BaseException) -> str
    """What kind of error it is. Its text may quote anything, but for that of an import, which names the module."""
    if sys.version_info < (3, 9):
        return "it needs Python 3.9 or newer, and %s is %s" % (sys.executable, sys.version.split()[0])
    return "%s: %s" % (type(error).__name__, error) if isinstance(error, ImportError) else type(error).__name__


def find(depth=0):
    # type: (int) -> str
    """The path of the real chef-run, as launcher/real.py finds it where no file of the user's names it.

    Raises NoChefRun.
    """
    named = os.environ.get(REAL)
    if named:  # taken at its word
        if _is_launcher(named):
            raise NoChefRun("%s names %s, which is the launcher itself" % (REAL, named))
        return named
    found = []  # type: list[str]
    for path in _candidates():
        if os.path.isfile(path) and os.access(path, os.X_OK) and not _is_launcher(path):
            found.append(path)
            if len(found) > depth - 1:  # what those above us have run may have led back to us
                break
    if not found:
        raise NoChefRun("cannot find chef-run; set %s to its path" % REAL)
    return found[-1]


def _arguments_of_chef_run():
    # type: () -> list[str] | None
    """None where chef-run is not to be run: entry.py has the same distinction."""
    name = os.path.basename(sys.argv[0])
    if os.environ.get(DRY_RUN):
        return None
    if not name.startswith("chef-run-launcher") and name != "__main__.py":
        return sys.argv[1:]
    return sys.argv[2:] if sys.argv[1:2] == ["exec"] else None


def _depth():
    # type: () -> int
    """How many launchers are at work above this one."""
    value = os.environ.get(DEPTH, "")
    return int(value) if re.match(r"[0-9]{1,3}\Z", value) else 0


def _candidates():
    # type: () -> Iterator[str]
    beside = os.path.dirname(os.path.realpath(sys.argv[0]))
    for path in _profiles_paths():
        path = os.path.normpath(os.path.join(beside, path))
        # A link that our packages have put aside: by its own name.
        yield os.path.realpath(path) if path.endswith(".distrib") else path
    extensions = os.environ.get("PATHEXT", ".EXE;.BAT;.CMD").split(";") if os.name == "nt" else [""]
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for extension in extensions:
            yield os.path.join(folder or ".", "chef-run" + extension)


def _profiles_paths():
    # type: () -> list[str]
    """The chef_run of the distribution profile, if it can be read out of it."""
    try:
        with open(PROFILE, "rb") as file:
            content = file.read()
    except (OSError, IOError):
        return []
    text = content if isinstance(content, str) else content.decode("utf-8", "replace")  # Python 2 or 3
    listed = re.search(r"^chef_run\s*=\s*\[([^\]]*)\]", text, re.MULTILINE)
    return [path for _, path in re.findall(r"([\"'])(.*?)\1", listed.group(1))] if listed else []


def _is_launcher(path):
    # type: (str) -> bool
    try:
        if not os.path.isfile(path):
            return False
        if os.path.samefile(path, sys.argv[0]):
            return True
        with open(path, "rb") as file:
            head = file.read(4096)
    except (OSError, IOError):
        return False
    return (head[:2] == b"#!" and any(mark in head for mark in OUR_SCRIPTS)) or OUR_SHIM in head


def _become(path, arguments, depth):
    # type: (str, list[str], int) -> NoReturn
    """Raises NoChefRun."""
    environment = dict(os.environ, **{DEPTH: str(depth)})
    if _added_by_python("LC_CTYPE"):
        del environment["LC_CTYPE"]
    for name in ("SIGPIPE", "SIGXFSZ"):  # which Python ignores
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        if os.name == "nt":  # which has no exec in place
            import subprocess

            os._exit(subprocess.call([path] + arguments, env=environment))
        try:
            os.execve(path, [path] + arguments, environment)
        except OSError as error:
            if error.errno != errno.ENOEXEC:  # a script without an interpreter line
                raise
            os.execve("/bin/sh", ["/bin/sh", path] + arguments, environment)
    except OSError as error:
        _end("cannot run %s: %s" % (path, error.strerror), 127 if error.errno == errno.ENOENT else 126)


def _added_by_python(name):
    # type: (str) -> bool
    """Whether Python put this variable into the environment, as it does in the C locale (PEP 538)."""
    try:
        with open("/proc/self/environ", "rb") as file:
            given = b"\0" + file.read()
    except (OSError, IOError):
        return False
    return name in os.environ and b"\0%s=" % name.encode() not in given


def _note(error):
    # type: (Exception) -> None
    """Append it to the developer's file, if that can be done."""
    try:
        from launcher import quiet

        quiet.note(error)
    except Exception:
        pass


def _end(problem, code):
    # type: (str, int) -> NoReturn
    try:
        sys.stderr.write("chef-run-launcher: %s\n" % problem)
        sys.stderr.flush()
    except Exception:
        pass  # the caller closed it
    os._exit(code)

"""What is left where the launcher cannot be run, or has a defect before it starts chef-run: to become chef-run.

With too old a Python, with modules that are missing or broken, chef-run runs, unrecorded. So nothing of ours is
imported here, and all of it is for any Python from 2.7 on.
"""

import errno
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

REAL = "CHEF_RUN_LAUNCHER_REAL"
DEPTH = "CHEF_RUN_LAUNCHER_DEPTH"
DRY_RUN = "CHEF_RUN_LAUNCHER_DRY_RUN"
MAX_DEPTH = 10
PROFILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "distribution.toml")
MAX_CONFIG_SIZE = 256 * 1024  # bytes

# As in relay/handover.py.
SHELLS = ("bash", "dash", "zsh")
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


def stand_in(error, places=()):
    # type: (Exception, Sequence[str]) -> NoReturn
    """End as chef-run ends, if it was to be run; else with a line that says why nothing can be done.

    `places` are the distribution profile's, for where that is gone too.
    """
    _note(error)
    arguments = _arguments_of_chef_run()
    if arguments is None:
        _end("cannot start: %s" % reason(error), 1)
    depth = _depth()
    try:
        if depth >= MAX_DEPTH:
            raise NoChefRun("every chef-run that it finds starts the launcher again; set " + REAL)
        _become(find(depth, places), arguments, depth + 1)
    except NoChefRun as problem:
        _end(str(problem), 127)


def reason(error):
    # type: (BaseException) -> str
    """What kind of error it is. Its text may quote anything, but for that of an import, which names the module."""
    if sys.version_info < (3, 9):
        return "it needs Python 3.9 or newer, but %s is %s" % (sys.executable, sys.version.split()[0])
    return "%s: %s" % (type(error).__name__, error) if isinstance(error, ImportError) else type(error).__name__


def find(depth=0, places=()):
    # type: (int, Sequence[str]) -> str
    """The path of the real chef-run, as launcher/real.py finds it.

    Raises NoChefRun.
    """
    for named_by, named in ((REAL, os.environ.get(REAL)), ("[launcher] chef_run", _named_by_config())):
        if named and not _is_launcher(named):  # taken at its word
            return named
        if named and not has_been_put_aside(named):
            raise NoChefRun("%s names %s, which is the launcher itself" % (named_by, named))
    found = []  # type: list[str]
    for path in _candidates(places):
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
    return int(value) if value and len(value) < 4 and not value.strip("0123456789") else 0


def _candidates(places):
    # type: (Sequence[str]) -> Iterator[str]
    beside = os.path.dirname(os.path.realpath(sys.argv[0]))
    for path in _profiles_paths() or places:
        yield os.path.normpath(os.path.join(beside, path))
    extensions = os.environ.get("PATHEXT", ".EXE;.BAT;.CMD").split(";") if os.name == "nt" else [""]
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for extension in extensions:
            yield os.path.join(directory or ".", "chef-run" + extension)


def _profiles_paths():
    # type: () -> list[str]
    """The chef_run of the distribution profile, if it can be read out of it."""
    import re

    listed = re.search(r"^chef_run\s*=\s*\[([^\]]*)\]", _text_of(PROFILE), re.MULTILINE)
    return [path for _, path in re.findall(r"([\"'])(.*?)\1", listed.group(1))] if listed else []


def _named_by_config():
    # type: () -> str | None
    """What config.toml names, if it does so as people write it: chef_run = "..." on a line of [launcher]."""
    home = os.environ.get("HOME") or (os.environ.get("USERPROFILE", "") if os.name == "nt" else "")
    path = os.path.join(home, ".chef-workstation", "config.toml")
    text = _text_of(path) if os.path.isabs(home) else ""
    if 3 * '"' in text or 3 * "'" in text:  # in a string of several lines, a line may look like another
        return None
    table = ""
    for line in text.split("\n"):
        line = line.strip()
        if line.startswith("["):
            table = line[1:].partition("]")[0].strip()
        key, _, value = line.partition("=")
        if table == "launcher" and key.strip() == "chef_run":
            named = _string(value.strip())
            return os.path.expanduser(named) if named and not may_be_anothers(path) else None
    return None


def _string(value):
    # type: (str) -> str | None
    """A string of TOML without escapes, perhaps followed by a comment; None if it is anything else."""
    quote = value[:1]
    text, closed, rest = value[1:].partition(quote) if quote in ("'", '"') else ("", "", "")
    return text if closed and rest.strip()[:1] in ("", "#") and (quote == "'" or "\\" not in text) else None


def may_be_anothers(path):
    # type: (str) -> bool
    """Whether we are root, and somebody else could have written this file, or put another in its place."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and not (_is_roots(path) and _is_roots(os.path.realpath(path)))


def _is_roots(path):
    # type: (str) -> bool
    """Whether this file and each directory above it are root's, and nobody else can change them."""
    status = os.lstat(path)
    mode = status.st_mode
    sticky = stat.S_ISDIR(mode) and mode & stat.S_ISVTX  # as /tmp is: what root has in it stays there
    if status.st_uid != 0 or (mode & 0o022 and not sticky and not stat.S_ISLNK(mode)):
        return False
    parent = os.path.dirname(path)
    return parent == path or _is_roots(parent)


def _text_of(path):
    # type: (str) -> str
    """What stands in a small file; empty if it cannot be read, or is none. A FIFO is not waited for."""
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_CONFIG_SIZE:
                return ""
            content = os.read(file, MAX_CONFIG_SIZE)
        finally:
            os.close(file)
    except (OSError, IOError):
        return ""
    return content if isinstance(content, str) else content.decode("utf-8", "replace")  # Python 2 or 3


def _is_launcher(path):
    # type: (str) -> bool
    try:
        if not os.path.isfile(path):
            return False
        if os.path.exists(sys.argv[0]) and os.path.samefile(path, sys.argv[0]):
            return True
        with open(path, "rb") as file:
            head = file.read(4096)
    except (OSError, IOError):
        return False
    return (head[:2] == b"#!" and any(mark in head for mark in OUR_SCRIPTS)) or OUR_SHIM in head


def has_been_put_aside(path):
    # type: (str) -> bool
    """Whether our packages stand in front of what this path named before; the profile has where that is now."""
    while os.path.islink(path):
        if os.path.lexists(path + ".distrib"):
            return True
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return False


def _become(path, arguments, depth):
    # type: (str, list[str], int) -> NoReturn
    """Raises NoChefRun."""
    environment = dict(os.environ, **{DEPTH: str(depth)})
    if _added_by_python("LC_CTYPE"):
        del environment["LC_CTYPE"]
    _restore_signals()
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


def _restore_signals():
    # type: () -> None
    """What Python ignores, as the caller had it: as far as can be known, which relay/handover.py says more of."""
    import signal

    ignored = _ignored_by_the_shell()
    for name in ("SIGPIPE", "SIGXFSZ"):
        number = getattr(signal, name, None)
        if number is not None and not ignored >> (number - 1) & 1:
            signal.signal(number, signal.SIG_DFL)


def _ignored_by_the_shell():
    # type: () -> int
    """The signals that our parent ignores, a bit each, if that is a shell."""
    try:
        parent = "/proc/%d" % os.getppid()
        with open(parent + "/status", "rb") as file:
            _, found, rest = file.read().partition(b"\nSigIgn:")
        is_shell = os.path.basename(os.readlink(parent + "/exe")) in SHELLS
        return int(rest.split()[0], 16) if found and is_shell else 0
    except (AttributeError, EnvironmentError, ValueError, IndexError):  # Windows, or no /proc
        return 0


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


def folded(text):
    # type: (str) -> str
    """A line for standard error, in several if that is a terminal and too narrow. No path or other word is broken."""
    import textwrap

    try:
        width = os.get_terminal_size(2).columns or 80
    except (AttributeError, EnvironmentError):  # Python 2, or no terminal
        return text
    return textwrap.fill(text, max(width, 20), break_long_words=False, break_on_hyphens=False)


def _end(problem, code):
    # type: (str, int) -> NoReturn
    try:
        # A path may hold what a terminal would obey.
        shown = "".join(each if " " <= each < "\x7f" or each > "\x9f" else "?" for each in problem)
        sys.stderr.write(folded("chef-run-launcher: " + shown) + "\n")
        sys.stderr.flush()
    except Exception:
        pass  # the caller closed it
    os._exit(code)

"""`os`, as far as a run needs it: `from launcher.small_os import os`.

Importing os takes 1 ms (on Python 3.9, 4), an eighth of the start of an interpreter, and nearly all of that goes into
the abstract classes behind os.environ. What lies beneath it, the module posix, is there from the start. Where os has
been loaded all the same, as for pip's console script, it is used; and whatever is not here is taken from it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING or sys.platform == "win32" or "os" in sys.modules:
    import os as os
else:
    import posix
    import stat

    class SmallPath:
        """What a run needs of os.path, for text. tests/test_small_os.py compares."""

        def __getattr__(self, name):
            import os

            return getattr(os.path, name)

        def isabs(self, path):
            return path.startswith("/")

        def join(self, folder, *names):
            for name in names:
                if name.startswith("/"):
                    folder = name
                else:
                    folder += name if not folder or folder.endswith("/") else "/" + name
            return folder

        def split(self, path):
            folder, slash, name = path.rpartition("/")
            return folder.rstrip("/") or folder + slash, name

        def dirname(self, path):
            return self.split(path)[0]

        def basename(self, path):
            return self.split(path)[1]

        def normpath(self, path):
            if not path.startswith("/") or path.startswith("//") or "\0" in path:
                return self.__getattr__("normpath")(path)
            parts = []
            for part in path.split("/"):
                if part == "..":
                    del parts[-1:]
                elif part not in ("", "."):
                    parts.append(part)
            return "/" + "/".join(parts)

        def realpath(self, path):
            folder = path
            while folder != "/":
                is_link = self.islink(folder)
                folder, name = self.split(folder)
                if is_link or name in ("", ".", "..") or not folder.startswith("/") or "//" in path:
                    return self.__getattr__("realpath")(path)
            return path

        def exists(self, path):
            return self._mode(path) != 0

        def lexists(self, path):
            return self._mode(path, follow_symlinks=False) != 0

        def isdir(self, path):
            return stat.S_ISDIR(self._mode(path))

        def isfile(self, path):
            return stat.S_ISREG(self._mode(path))

        def islink(self, path):
            return stat.S_ISLNK(self._mode(path, follow_symlinks=False))

        def samefile(self, one, other):
            return self.samestat(posix.stat(one), posix.stat(other))

        def samestat(self, one, other):
            return (one.st_ino, one.st_dev) == (other.st_ino, other.st_dev)

        def _mode(self, path, follow_symlinks=True):
            try:
                return posix.stat(path, follow_symlinks=follow_symlinks).st_mode
            except (OSError, ValueError):
                return 0

    class SmallOS:
        """All of posix, and what a run needs of what os adds to it."""

        sep, pathsep, defpath, devnull = "/", ":", "/bin:/usr/bin", "/dev/null"
        path = SmallPath()

        def __init__(self):
            self.__dict__.update(vars(posix))
            self.environ = {self.fsdecode(name): self.fsdecode(value) for name, value in posix.environ.items()}

        def __getattr__(self, name):
            import os

            return getattr(os, name)

        def fsencode(self, text):
            encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
            return text.encode(encoding, errors) if isinstance(text, str) else text

        def fsdecode(self, name):
            encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
            return name.decode(encoding, errors) if isinstance(name, bytes) else name

    os = SmallOS()

__all__ = ["os"]

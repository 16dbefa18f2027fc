"""This machine in a layer of its own: what is installed or removed in it is so for nobody else."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS = 100
NOBODY = "65534"

# What package managers keep for themselves, in which nothing of ours could be left.
ADMINISTRATION = ("var/lib/dpkg/", "var/lib/rpm/", "var/log/", "var/cache/", "tmp/", "run/")

SET_UP = """
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/root" &&
mount -t overlay overlay -o "lowerdir=$3,upperdir=$1/upper,workdir=$1/work" "$1/root" &&
mount --rbind /proc "$1/root/proc" && mount --rbind /dev "$1/root/dev" &&
mkdir -p "$1/root$2" && mount --bind "$2" "$1/root$2" || exit
# man-db, if it may, reads all manual pages of the machine whenever a package with one comes or goes: three seconds.
[ ! -d "$1/root/var/lib/man-db" ] || mount -t tmpfs tmpfs "$1/root/var/lib/man-db" || exit
echo ready
exec cat
"""


class Root:
    """The layer: a directory in a mount namespace that a process holds open."""

    def __init__(self, folder: Path, holder: int, beneath: Path) -> None:
        self._folder = folder
        self._beneath = beneath
        self._enter = ["nsenter", f"--target={holder}", "--mount"]

    def run(
        self, *command: object, user: str = "0", env: Mapping[str, str] | None = None, fails: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it. Asserts that it succeeds, or that it fails, as told."""
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        done = subprocess.run(
            [*self._enter, "chroot", str(self._folder / "root"), *become, *map(str, command)],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{command} gave {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self.run(
            "sh", "-c", 'mkdir -p "${1%/*}" && printf %s "$2" >"$1" && chmod "$3" "$1"', "sh", path, text, f"{mode:o}"
        )

    def link(self, path: str) -> str | None:
        """Where a symbolic link leads, if there is one."""
        return self.run("sh", "-c", 'readlink "$1" || true', "sh", path).stdout.strip() or None

    def changes(self) -> dict[str, str]:
        """What differs from the machine beneath: kind, mode, owner, size and target of all but changed directories."""
        beneath = 'find "$1" -printf "%P\\t%y %m %U:%G %s %l\\n"'
        command = [*self._enter, "sh", "-c", beneath, "sh", str(self._folder / "upper")]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        changed = {path: what for path, _, what in (line.partition("\t") for line in listed)}
        return {
            path: "folder" if what.startswith("d") else what
            for path, what in changed.items()
            if not f"{path}/".startswith(ADMINISTRATION)
            and path != "var"
            and not (what.startswith("d") and (self._beneath / path).is_dir())
            # Something that is removed where there was nothing leaves a mark as well.
            and not (what.startswith("c") and not (self._beneath / path).exists())
        }


@contextmanager
def layer(folder: Path, beneath: Path = Path("/")) -> Iterator[Root]:
    """A layer over this machine, or another root, in which the tests' own files are as well.

    Skips the test where none can be made.
    """
    for tool in ("unshare", "nsenter", "setpriv", "chroot"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (scripts/install-test-tools)")
    folder.mkdir()
    # What the layer does not have if it is another file system.
    own = folder.parents[1]
    command = ["unshare", "--mount", "sh", "-c", SET_UP, "sh", str(folder), str(own), str(beneath)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as holder:
        assert holder.stdin and holder.stdout
        if holder.stdout.readline() != "ready\n":
            holder.stdin.close()
            pytest.skip("needs the right to mount: root, in a container with CAP_SYS_ADMIN")
        yield Root(folder, holder.pid, beneath)
        holder.stdin.close()

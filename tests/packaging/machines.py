"""A machine with Workstation's package and ours on it, in the hands of dpkg or rpm."""

from __future__ import annotations

from pathlib import Path

from tests.support import workstation
from tests.support.homes import NO_ENDPOINT
from tests.support.roots import NOBODY, Root

FOLDER = "/opt/chef-workstation"
COMMAND = f"{FOLDER}/bin/chef-run"
KEPT = f"{COMMAND}.distrib"
PREFIX = "/opt/chef-run-launcher"
OURS = f"{PREFIX}/bin/chef-run-launcher"
PYTHON = f"{PREFIX}/libexec/python3"
SETUP = f"{PREFIX}/libexec/setup"
NAME = "chef-run-launcher"
WORKSTATION = "chef-workstation"
FLAVOURS = ("deb", "rpm")

# How somebody comes to chef-run: by the link in /usr/bin, and by what Workstation's documentation has people evaluate.
DOORS = {
    "link": 'chef-run "$@"',
    "shell-init of bash": 'eval "$(chef shell-init bash)"; chef-run "$@"',
}


class Machine:
    """A machine, and packages of one kind to put on it."""

    def __init__(self, root: Root, kind: str, folder: Path, launcher: Path, next_launcher: Path) -> None:
        self.root = root
        self.kind = kind[:3]
        self.launcher, self.next_launcher = launcher, next_launcher
        self._folder = folder
        if self.kind == "deb":
            self.workstation, self.next_workstation = (workstation.deb(folder, version) for version in ("1", "2"))
        else:
            red_hat = kind == "rpm"
            self.workstation, self.next_workstation = (
                workstation.rpm(folder, version, red_hat=red_hat) for version in ("1", "2")
            )
            root.run(*self._rpm, "-i", workstation.of_this_machine(folder))

    _rpm = ("rpm", "--dbpath", "/var/lib/rpm")

    def install(self, *packages: Path) -> None:
        """Install them, or upgrade to them."""
        self.root.run(*(["dpkg", "-i"] if self.kind == "deb" else [*self._rpm, "-U"]), *packages)

    def install_again(self, package: Path) -> None:
        """Set it up anew."""
        if self.kind == "deb":
            self.root.run("dpkg-reconfigure", "--frontend=noninteractive", WORKSTATION)
        else:
            self.root.run(*self._rpm, "-U", "--replacepkgs", package)

    def replace(self, package: Path) -> None:
        """Upgrade, downgrade, or put another of the same version in its place."""
        options = ["--oldpackage", "--replacepkgs"]
        self.root.run(*(["dpkg", "-i"] if self.kind == "deb" else [*self._rpm, "-U", *options]), package)

    def remove(self, *names: str) -> None:
        self.root.run(*(["dpkg", "-r"] if self.kind == "deb" else [*self._rpm, "-e"]), *names)

    def try_to_remove(self, name: str) -> str:
        """What is said while it is not."""
        return self.root.run(*(["dpkg", "-r"] if self.kind == "deb" else [*self._rpm, "-e"]), name, fails=True).stderr

    def purge(self, *names: str) -> None:
        """Remove what removal has left; rpm knows no such difference."""
        if self.kind == "deb":
            self.root.run("dpkg", "-P", *names)

    def another_python(self) -> Path:
        """The package of a newer one; which it is does not matter."""
        return workstation.python(self._folder, self.kind, "3.24")

    def chef_run(self, script: str = DOORS["link"]) -> str:
        """What somebody who is not root sees of a run in bash."""
        directories = ("/home/operator", "/home/operator/.chef-workstation")  # which this chef-run does not make
        self.root.run("install", "-d", "-o", NOBODY, "-m", "700", *directories)
        env = {"HOME": "/home/operator", "CHEF_TELEMETRY_ENDPOINT": NO_ENDPOINT}
        command = ["bash", "-O", "expand_aliases", "-c", script.replace("; ", "\n"), "bash"]
        return self.root.run(*command, "web01", "package", "nginx", user=NOBODY, env=env).stdout

    def records(self) -> int:
        """How many records their runs have left."""
        script = "find /home/operator/.chef-workstation -name 'session-*.json' | wc -l"
        return int(self.root.run("sh", "-c", script).stdout)

    def changes(self) -> dict[str, str]:
        """What has been changed on the machine, but for the home of who has run chef-run."""
        return {path: what for path, what in self.root.changes().items() if not path.startswith("home")}

    def bytecode(self) -> int:
        return len(self.root.run("find", "/opt", "-name", "*.pyc").stdout.split())

    def is_whole(self, version: str | None, in_front: bool) -> None:
        """Assert that chef-run is Workstation's of this version, by each door, and whether we are in front of it."""
        if version is None:
            assert not [path for path in self.changes() if path.startswith(FOLDER[1:])]
            return
        self.root.run("rm", "-rf", "/home/operator")
        said = self.chef_run("; ".join(DOORS.values()))
        assert said == f"chef-run of chef-workstation {version}: web01 package nginx\n" * len(DOORS)
        assert self.records() == len(DOORS) * in_front
        assert (self.root.link(COMMAND) == OURS) == in_front

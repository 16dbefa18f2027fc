"""The .deb and the .rpm beside Workstation's, in the hands of dpkg and rpm: who is in front, and what is left."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.conftest import NEXT_VERSION, only
from tests.support import workstation
from tests.support.homes import NO_ENDPOINT
from tests.support.roots import NOBODY, Root, layer

COMMAND = "/usr/bin/chef-run"
OURS = "/opt/chef-run-launcher/bin/chef-run-launcher"
SETUP = "/opt/chef-run-launcher/libexec/setup"
NAME = "chef-run-launcher"
FLAVOURS = ("deb", "rpm")


class Machine:
    """A machine, and packages of one kind to put on it."""

    def __init__(self, root: Root, kind: str, folder: Path, packages: Path, next_packages: Path) -> None:
        self.root = root
        self._kind = kind[:3]
        pattern = f"*.{self._kind}"
        self.launcher, self.next_launcher = only(packages, pattern), only(next_packages, pattern)
        if self._kind == "deb":
            self.workstation, self.next_workstation = (workstation.deb(folder, version) for version in ("1", "2"))
        else:
            red_hat = kind == "rpm"
            self.workstation, self.next_workstation = (
                workstation.rpm(folder, version, red_hat=red_hat) for version in ("1", "2")
            )
            root.run(*self._rpm, "-i", workstation.machine(folder))

    _rpm = ("rpm", "--dbpath", "/var/lib/rpm")

    def install(self, *packages: Path) -> None:
        """Install them, or upgrade to them."""
        self.root.run(*(["dpkg", "-i"] if self._kind == "deb" else [*self._rpm, "-U"]), *packages)

    def remove(self, *names: str) -> None:
        self.root.run(*(["dpkg", "-r"] if self._kind == "deb" else [*self._rpm, "-e"]), *names)

    def purge(self, *names: str) -> None:
        """Remove what removal has left; rpm knows no such difference."""
        if self._kind == "deb":
            self.root.run("dpkg", "-P", *names)

    def python_is_another(self, folder: Path) -> None:
        """Have it as after an upgrade of the distribution's python3."""
        if self._kind == "deb":
            self.root.run("dpkg-trigger", "--by-package=python3-minimal", "/usr/bin/python3")
            self.root.run("dpkg", "--configure", "--pending")
        else:
            self.install(workstation.python(folder, "3.12"))

    def chef_run(self) -> str:
        """What somebody who is not root sees of a run."""
        self.root.run("install", "-d", "-o", NOBODY, "-m", "700", "/home/operator")
        env = {"HOME": "/home/operator", "CHEF_TELEMETRY_ENDPOINT": NO_ENDPOINT}
        return self.root.run(COMMAND, "web01", "package", "nginx", user=NOBODY, env=env).stdout

    def records(self) -> list[str]:
        """The records that their runs have left."""
        script = "cat /home/operator/.chef-workstation/telemetry/session-*.json"
        return self.root.run("sh", "-c", script).stdout.split("\n}\n")[:-1]

    def bytecode(self) -> int:
        return len(self.root.run("find", "/opt", "-name", "*.pyc").stdout.split())


@pytest.fixture(params=FLAVOURS)
def machine(request: pytest.FixtureRequest, tmp_path: Path, packages: Path, next_packages: Path) -> Iterator[Machine]:
    for tool in ("dpkg-deb", "rpm", "rpmbuild"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    with layer(tmp_path / "layer") as root:
        yield Machine(root, request.param, tmp_path, packages, next_packages)


@pytest.fixture
def debian(tmp_path: Path, packages: Path, next_packages: Path) -> Iterator[Machine]:
    """One with dpkg, for what `setup` does whoever calls it, and what only dpkg knows of."""
    with layer(tmp_path / "layer") as root:
        yield Machine(root, "deb", tmp_path, packages, next_packages)


def test_beside_workstation_it_is_in_front_until_it_is_removed(machine: Machine) -> None:
    """Removal restores what was, to the last file."""
    machine.install(machine.workstation)
    before = machine.root.changes()
    machine.install(machine.launcher)
    assert machine.root.link(COMMAND) == OURS
    assert machine.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"
    assert len(machine.records()) == 1
    machine.root.run("rm", "-r", "/home/operator")
    machine.remove(NAME)
    assert machine.root.changes() == before
    machine.purge(NAME)
    assert machine.root.changes() == before


def test_installed_before_workstation_it_is_in_front_too(machine: Machine) -> None:
    machine.install(machine.launcher)
    assert machine.root.link(COMMAND) == OURS
    machine.install(machine.workstation)
    assert machine.root.link(COMMAND) == OURS
    assert machine.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"
    machine.remove(NAME)
    assert machine.root.link(COMMAND) == "/opt/chef-workstation/bin/chef-run"


def test_installed_along_with_workstation_it_is_in_front(machine: Machine) -> None:
    machine.install(machine.launcher, machine.workstation)
    assert machine.root.link(COMMAND) == OURS
    assert machine.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"


def test_an_upgrade_stays_in_front_and_leaves_nothing_of_the_old(machine: Machine) -> None:
    machine.install(machine.workstation)
    before = machine.root.changes()
    machine.install(machine.launcher)
    machine.install(machine.next_launcher)
    assert machine.root.link(COMMAND) == OURS
    assert machine.root.run("chef-run-launcher", "--version").stdout == f"{NAME} {NEXT_VERSION}\n"
    assert machine.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"
    assert not [path for path in machine.root.changes() if "watched." in path]
    machine.root.run("rm", "-r", "/home/operator")
    machine.remove(NAME)
    machine.purge(NAME)
    assert machine.root.changes() == before


@pytest.mark.parametrize("first", ["workstation", "launcher"])
@pytest.mark.parametrize("machine", [*FLAVOURS, "rpm of SUSE"], indirect=True)
def test_upgrades_of_both_in_either_order_leave_it_in_front(machine: Machine, first: str) -> None:
    machine.install(machine.workstation, machine.launcher)
    upgrades = [machine.next_workstation, machine.next_launcher]
    for package in upgrades if first == "workstation" else reversed(upgrades):
        machine.install(package)
    assert machine.root.link(COMMAND) == OURS
    assert machine.chef_run() == "chef-run of chef-workstation 2: web01 package nginx\n"
    machine.remove(NAME)
    assert machine.root.link(COMMAND) == "/opt/chef-workstation/bin/chef-run"


def test_a_missing_workstation_is_named_and_a_new_one_found(machine: Machine) -> None:
    nothing = machine.root.changes()
    machine.install(machine.workstation)
    machine.install(machine.launcher)
    machine.remove("chef-workstation")
    done = machine.root.run(COMMAND, "web01", env={"CHEF_TELEMETRY_OPT_OUT": ""}, fails=True)
    assert done.returncode == 127
    assert "cannot find chef-run: install Chef Workstation" in done.stderr
    machine.install(machine.next_workstation)
    assert machine.chef_run() == "chef-run of chef-workstation 2: web01 package nginx\n"
    machine.root.run("rm", "-r", "/home/operator")
    machine.remove("chef-workstation")
    machine.remove(NAME)
    machine.purge(NAME, "chef-workstation")
    assert machine.root.changes() == nothing


@pytest.mark.parametrize("names", [("chef-workstation", NAME), (NAME, "chef-workstation")])
def test_both_can_be_removed_at_once(machine: Machine, names: tuple[str, str]) -> None:
    nothing = machine.root.changes()
    machine.install(machine.workstation, machine.launcher)
    machine.remove(*names)
    machine.purge(*names)
    assert machine.root.changes() == nothing


def test_an_administrators_own_chef_run_comes_back_as_it_was(debian: Machine) -> None:
    debian.root.write(COMMAND, "#!/bin/sh\necho my own\n", mode=0o750)
    before = debian.root.changes()
    debian.install(debian.launcher)
    assert debian.root.link(COMMAND) == OURS
    debian.remove(NAME)
    assert debian.root.changes() == before


def test_an_administrators_own_chef_run_is_what_is_run(debian: Machine) -> None:
    debian.install(debian.workstation)
    debian.root.run("rm", COMMAND)
    debian.root.write(
        COMMAND, '#!/bin/sh\necho "by way of my own"\nexec /opt/chef-workstation/bin/chef-run "$@"\n', 0o755
    )
    debian.install(debian.launcher)
    said = debian.chef_run()
    assert said == "by way of my own\nchef-run of chef-workstation 1: web01 package nginx\n"


def test_what_an_administrator_puts_in_its_place_stays_there(debian: Machine) -> None:
    debian.install(debian.workstation)
    debian.install(debian.launcher)
    debian.root.run("rm", COMMAND)
    debian.root.write(COMMAND, "#!/bin/sh\necho my own\n", mode=0o755)
    debian.remove(NAME)
    assert debian.root.run(COMMAND).stdout == "my own\n"
    assert not [path for path in debian.root.changes() if "distrib" in path]


def test_it_is_compiled_for_the_systems_python_and_for_a_new_one(machine: Machine, tmp_path: Path) -> None:
    machine.install(machine.launcher)
    compiled = machine.bytecode()
    assert compiled > 100
    machine.root.run("sh", "-c", "find /opt/chef-run-launcher -name '*.pyc' -delete")
    machine.root.write("/opt/chef-run-launcher/lib/chef-run-launcher/launcher/__pycache__/run.cpython-38.pyc", "old")
    machine.python_is_another(tmp_path)
    assert machine.bytecode() == compiled
    # Bytecode included, nobody but root can change it, and everybody can use it.
    open_to_others = "find /opt/chef-run-launcher ! -type l ( -perm /022 -o ! -user root -o ! -perm -444 )"
    assert machine.root.run(*open_to_others.split()).stdout == ""


def test_python_settings_of_the_user_have_no_effect(debian: Machine) -> None:
    debian.install(debian.workstation, debian.launcher)
    for module in ("launcher", "typer", "os", "sitecustomize", "usercustomize"):
        for folder in ("/evil", "/home/operator/.local/lib/python3.11/site-packages"):
            debian.root.write(f"{folder}/{module}.py", "print('evil')\nraise SystemExit('evil')\n")
    settings = {
        "PYTHONPATH": "/evil",
        "PYTHONSTARTUP": "/evil/os.py",
        "PYTHONHOME": "/evil",
        "PYTHONWARNINGS": "error",
        "PYTHONVERBOSE": "1",
        "PYTHONINSPECT": "1",
        "HOME": "/home/operator",
        "CHEF_TELEMETRY_OPT_OUT": "",
    }
    debian.root.run("chown", "-R", f"{NOBODY}:{NOBODY}", "/home/operator")
    for command in ([COMMAND, "web01"], [NAME, "status"]):
        done = debian.root.run(*command, user=NOBODY, env=settings)
        assert "evil" not in done.stdout + done.stderr
        assert done.stderr == ""


def test_a_python_that_does_not_work_stops_no_installation(debian: Machine) -> None:
    debian.install(debian.workstation)
    debian.root.run("ln", "-sf", "/bin/false", "/usr/bin/python3")
    debian.install(debian.launcher)
    assert debian.root.link(COMMAND) == OURS
    debian.remove(NAME)
    assert debian.root.link(COMMAND) == "/opt/chef-workstation/bin/chef-run"


def test_an_interrupted_step_is_taken_up_and_leaves_nothing(debian: Machine) -> None:
    debian.install(debian.workstation)
    before = debian.root.changes()
    debian.root.run("ln", "-s", "nowhere", f"{COMMAND}.new")
    debian.root.run("ln", "-s", "nowhere", f"{COMMAND}.distrib.new")
    debian.install(debian.launcher)
    assert debian.root.link(COMMAND) == OURS
    debian.root.run("ln", "-s", "nowhere", f"{COMMAND}.new")
    debian.remove(NAME)
    assert debian.root.changes() == before


def test_there_is_a_chef_run_at_every_moment(debian: Machine) -> None:
    debian.install(debian.workstation)
    debian.install(debian.launcher)
    for tool in ("cp", "mv", "ln", "rm", "readlink"):
        looks = f'#!/bin/sh\n[ -e {COMMAND} ] || touch /gap\n/bin/{tool} "$@"\nstatus=$?\n'
        debian.root.write(f"/shims/{tool}", f"{looks}[ -e {COMMAND} ] || touch /gap\nexit $status\n", 0o755)
    for step in ("back", "front"):
        debian.root.run("env", "PATH=/shims:/usr/bin:/bin", SETUP, step)
    assert debian.root.link(COMMAND) == OURS
    assert "gap" not in debian.root.changes()


def test_an_administrators_link_that_leads_nowhere_comes_back(debian: Machine) -> None:
    debian.root.run("ln", "-s", "/srv/not-mounted/chef-run", COMMAND)
    before = debian.root.changes()
    debian.install(debian.launcher)
    debian.remove(NAME)
    assert debian.root.changes() == before


def test_it_says_what_it_needs(packages: Path) -> None:
    deb = ["dpkg-deb", "--field", str(only(packages, "*.deb")), "Depends"]
    assert subprocess.run(deb, capture_output=True, check=True).stdout == b"python3 (>= 3.9)\n"
    rpm = ["rpm", "-qp", "--requires", str(only(packages, "*.rpm"))]
    required = subprocess.run(rpm, capture_output=True, check=True).stdout.decode().split("\n")
    assert {"python3 >= 3.9", "/bin/sh", "coreutils", "findutils"} <= set(required)


def test_removed_before_its_upgrade_is_set_up_it_is_not_in_front(debian: Machine) -> None:
    debian.install(debian.workstation, debian.launcher)
    debian.root.run("dpkg", "--unpack", debian.next_launcher)
    assert debian.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"
    debian.remove(NAME)
    assert debian.root.link(COMMAND) == "/opt/chef-workstation/bin/chef-run"
    assert not [path for path in debian.root.changes() if "distrib" in path]


def test_an_upgrade_that_fails_leaves_it_in_front(debian: Machine, tmp_path: Path) -> None:
    debian.install(debian.workstation, debian.launcher)
    subprocess.run(["dpkg-deb", "-R", debian.next_launcher, tmp_path / "broken"], check=True)
    (tmp_path / "broken" / "DEBIAN" / "preinst").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "broken" / "DEBIAN" / "preinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "-b", tmp_path / "broken", tmp_path / "broken.deb"], check=True, capture_output=True)
    debian.root.run("dpkg", "-i", tmp_path / "broken.deb", fails=True)
    assert debian.root.link(COMMAND) == OURS
    assert debian.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"


def test_a_workstation_that_ships_the_command_is_diverted(debian: Machine, tmp_path: Path) -> None:
    debian.install(debian.launcher)
    debian.install(workstation.deb(tmp_path, "3", ships_links=True))
    assert debian.root.link(COMMAND) == OURS
    assert debian.chef_run() == "chef-run of chef-workstation 3: web01 package nginx\n"
    debian.remove(NAME)
    assert debian.root.link(COMMAND) == "/opt/chef-workstation/bin/chef-run"


def test_an_administrators_diversion_keeps_it_out(debian: Machine) -> None:
    """What has then not been installed can be removed all the same."""
    divert = ["dpkg-divert", "--local", "--no-rename", "--divert", f"{COMMAND}.mine", "--add", COMMAND]
    debian.root.run(*divert)
    debian.root.run("dpkg", "-i", debian.launcher, fails=True)
    debian.remove(NAME)
    debian.purge(NAME)
    assert debian.root.run("dpkg-divert", "--list", COMMAND).stdout.startswith("local diversion")


def test_doctor_notices_a_workstation_that_was_set_up_by_itself(debian: Machine) -> None:
    """It says what to do."""
    debian.install(debian.workstation, debian.launcher)
    debian.root.run("dpkg", "--unpack", debian.next_workstation)
    debian.root.run("dpkg", "--configure", "chef-workstation")
    assert debian.root.link(COMMAND) != OURS
    said = debian.root.run(NAME, "doctor", "--json", fails=True).stdout
    assert f"sudo {SETUP} front" in said
    debian.root.run(SETUP, "front")
    assert debian.chef_run() == "chef-run of chef-workstation 2: web01 package nginx\n"
    debian.remove(NAME)
    assert debian.root.link(COMMAND) == "/opt/chef-workstation/bin/chef-run"

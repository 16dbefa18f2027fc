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
OUR_LINE = 'eval "$(chef-run-launcher shell-init bash)"'
CHEFS_LINE = 'eval "$(chef shell-init bash)"'

# What kills the shell that calls it, before the step in question: the number is in the environment.
DEADLY = """\
#!/bin/sh
case "$*" in
--listpackage*) exec {tool} "$@" ;;
esac
echo >>/steps
[ "$(wc -l </steps)" != "$DEADLY_STEP" ] || kill -9 $PPID
exec {tool} "$@"
"""
STEPS = ("/bin/cp", "/bin/ln", "/bin/mkdir", "/bin/mv", "/bin/rm", "/bin/rmdir", "/usr/bin/dpkg-divert")


class Machine:
    """A machine, and packages of one kind to put on it."""

    def __init__(self, root: Root, kind: str, folder: Path, packages: Path, next_packages: Path) -> None:
        self.root = root
        self.kind = kind[:3]
        pattern = f"*.{self.kind}"
        self.launcher, self.next_launcher = only(packages, pattern), only(next_packages, pattern)
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
        """Upgrade or downgrade."""
        self.root.run(*(["dpkg", "-i"] if self.kind == "deb" else [*self._rpm, "-U", "--oldpackage"]), package)

    def remove(self, *names: str) -> None:
        self.root.run(*(["dpkg", "-r"] if self.kind == "deb" else [*self._rpm, "-e"]), *names)

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


@pytest.fixture(params=FLAVOURS)
def machine(request: pytest.FixtureRequest, tmp_path: Path, packages: Path, next_packages: Path) -> Iterator[Machine]:
    for tool in ("dpkg-deb", "rpm", "rpmbuild"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (scripts/install-test-tools)")
    with layer(tmp_path / "layer") as root:
        yield Machine(root, request.param, tmp_path, packages, next_packages)


@pytest.fixture
def debian(tmp_path: Path, packages: Path, next_packages: Path) -> Iterator[Machine]:
    """One with dpkg, for what `setup` does whoever calls it, and what only dpkg knows of."""
    with layer(tmp_path / "layer") as root:
        yield Machine(root, "deb", tmp_path, packages, next_packages)


def test_beside_workstation_it_is_in_front_until_it_is_removed(machine: Machine) -> None:
    """By both doors. Removal restores what was, to the last file."""
    machine.install(machine.workstation)
    before = machine.changes()
    machine.install(machine.launcher)
    machine.is_whole("1", in_front=True)
    machine.remove(NAME)
    assert machine.changes() == before
    machine.purge(NAME)
    assert machine.changes() == before
    machine.is_whole("1", in_front=False)


# Install, upgrade, set up again, remove and purge: w, l (workstation, launcher) with +, 2, !, - after it.
HISTORIES = (
    "w+ l+ w2 w! l2 l- w-",
    "l+ w+ w! l2 w2 w- l-",
    "l+ w+ w- w2 l- l2 w-  l-",
    "w+ l+ l- l2 w- w2 l-  w-",
    "w+ w2 l2 w- w+ l- w-",
)


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("machine", FLAVOURS, indirect=True)
def test_in_any_order_it_is_in_front_of_what_is_there(machine: Machine, history: str) -> None:
    """And leaves no trace where it is not."""
    nothing = machine.changes()
    packages = {
        "w+": machine.workstation,
        "w2": machine.next_workstation,
        "l+": machine.launcher,
        "l2": machine.next_launcher,
    }
    alone: dict[str | None, dict[str, str]] = {None: nothing}
    for each, package in (("1", machine.workstation), ("2", machine.next_workstation)):
        machine.install(package)
        alone[each] = machine.changes()
    machine.remove(WORKSTATION)
    machine.purge(WORKSTATION)
    assert machine.changes() == nothing
    version: str | None = None
    ours = False
    for step in history.split():
        name = WORKSTATION if step[0] == "w" else NAME
        if step[1] == "-":
            machine.remove(name)
            machine.purge(name)
        elif step[1] == "!":
            machine.install_again(machine.workstation if version == "1" else machine.next_workstation)
        else:
            machine.install(packages[step])
        if name == NAME:
            ours = step[1] != "-"
        elif step[1] != "!":
            version = {"+": "1", "2": "2", "-": None}[step[1]]
        machine.is_whole(version, in_front=ours)
        if not ours:
            assert machine.changes() == alone[version], step
    assert machine.changes() == nothing


def test_installed_along_with_workstation_it_is_in_front(machine: Machine) -> None:
    machine.install(machine.launcher, machine.workstation)
    machine.is_whole("1", in_front=True)


@pytest.mark.parametrize("names", [(WORKSTATION, NAME), (NAME, WORKSTATION)])
def test_both_can_be_removed_at_once(machine: Machine, names: tuple[str, str]) -> None:
    nothing = machine.changes()
    machine.install(machine.workstation, machine.launcher)
    machine.remove(*names)
    machine.purge(*names)
    assert machine.changes() == nothing


@pytest.mark.parametrize("machine", ["rpm of SUSE"], indirect=True)
def test_where_an_upgrade_takes_the_links_it_is_in_front(machine: Machine) -> None:
    """Its own door is gone then, with or without us."""
    machine.install(machine.workstation, machine.launcher)
    machine.install(machine.next_workstation)
    assert machine.root.link(COMMAND) == OURS
    assert machine.chef_run(f'{COMMAND} "$@"') == "chef-run of chef-workstation 2: web01 package nginx\n"


def test_an_upgrade_leaves_nothing_of_the_old(machine: Machine) -> None:
    machine.install(machine.workstation, machine.launcher)
    machine.install(machine.next_launcher)
    assert machine.root.run("chef-run-launcher", "--version").stdout == f"{NAME} {NEXT_VERSION}\n"
    assert not [path for path in machine.changes() if "watched." in path]


def test_a_workstation_that_is_missing_is_named(machine: Machine) -> None:
    machine.install(machine.workstation, machine.launcher)
    machine.remove(WORKSTATION)
    done = machine.root.run(NAME, "exec", "web01", env={"CHEF_TELEMETRY_OPT_OUT": ""}, fails=True)
    assert done.returncode == 127
    assert "cannot find chef-run: install Chef Workstation" in done.stderr


@pytest.mark.parametrize("lines", [(OUR_LINE, CHEFS_LINE), (CHEFS_LINE, OUR_LINE)], ids=["ours first", "ours last"])
def test_our_line_and_chefs_go_together_in_either_order(debian: Machine, lines: tuple[str, str]) -> None:
    """With our package in front there is one record all the same, and once it is gone from an open shell, none."""
    debian.install(debian.workstation, debian.launcher)
    script = "; ".join(lines)
    expected = "chef-run of chef-workstation 1: web01 package nginx\n"
    assert debian.chef_run(f'{script}; chef-run "$@"') == expected
    assert debian.records() == 1
    assert debian.chef_run(f'{script}; command chef-run "$@"') == expected
    assert debian.records() == 2
    debian.root.run(SETUP, "back")
    assert debian.chef_run(f'{script}; chef-run "$@"') == expected
    assert debian.records() == 3
    assert debian.chef_run(f'{script}; command chef-run "$@"') == expected
    assert debian.records() == 3


def test_a_setting_that_names_workstations_chef_run_stays_valid(debian: Machine) -> None:
    """It was made before we came to stand there."""
    debian.install(debian.workstation, debian.launcher)
    for path in (COMMAND, "/usr/bin/chef-run"):
        said = debian.chef_run(f'export CHEF_RUN_LAUNCHER_REAL={path}; chef-run "$@"')
        assert said == "chef-run of chef-workstation 1: web01 package nginx\n"
    debian.root.write("/home/operator/.chef-workstation/config.toml", f"[launcher]\nchef_run = '{COMMAND}'\n")
    debian.is_whole("1", in_front=True)


def test_an_administrators_own_chef_run_stays_what_it_is(machine: Machine) -> None:
    """Who comes by it comes to us where it leads to Workstation's."""
    machine.install(machine.workstation)
    machine.root.run("rm", "/usr/bin/chef-run")
    machine.root.write("/usr/bin/chef-run", f'#!/bin/sh\necho "by way of my own"\nexec {COMMAND} "$@"\n', 0o755)
    before = machine.changes()
    machine.install(machine.launcher)
    said = machine.chef_run()
    assert said == "by way of my own\nchef-run of chef-workstation 1: web01 package nginx\n"
    assert machine.records() == 1
    machine.remove(NAME)
    machine.purge(NAME)
    assert machine.changes() == before


def test_what_an_administrator_puts_in_its_place_stays_there(machine: Machine) -> None:
    machine.install(machine.workstation)
    machine.install(machine.launcher)
    machine.root.run("rm", COMMAND)
    machine.root.write(COMMAND, "#!/bin/sh\necho my own\n", mode=0o755)
    machine.remove(NAME)
    assert machine.root.run(COMMAND).stdout == "my own\n"
    assert KEPT[1:] not in machine.changes()


def test_a_door_that_somebody_took_away_is_put_back(machine: Machine) -> None:
    """As doctor says; and the original is not lost."""
    machine.install(machine.workstation, machine.launcher)
    machine.root.run("rm", COMMAND)
    machine.root.run(SETUP, "front")
    machine.is_whole("1", in_front=True)
    machine.root.run("rm", COMMAND)
    machine.remove(NAME)
    machine.is_whole("1", in_front=False)


@pytest.mark.parametrize("then", ["again", "upgrade", "removal"])
@pytest.mark.parametrize("step", ["front", "back"])
def test_interrupted_anywhere_there_is_a_chef_run_and_no_trace(machine: Machine, step: str, then: str) -> None:
    """Whatever it was before: what it leaves works, and what comes next is as if it had not been."""
    deadly_tools(machine)
    machine.install(machine.workstation)
    before = machine.changes()
    machine.install(machine.launcher)
    versions = {"1": machine.next_workstation, "2": machine.workstation}
    version = "1"
    for number in range(1, 20):
        machine.root.run(SETUP, "back" if step == "front" else "front")
        if not interrupted(machine, number, step):
            break
        assert machine.chef_run(f'{COMMAND} "$@"') == f"chef-run of {WORKSTATION} {version}: web01 package nginx\n"
        if then == "again":
            machine.root.run(SETUP, "back")
            assert not [path for path in machine.changes() if f"/{path}".startswith((KEPT, f"{PREFIX}/embedded"))]
            assert {path: what for path, what in machine.changes().items() if path in before} == before
        elif then == "upgrade":
            machine.replace(versions[version])
            machine.root.run(SETUP, "front")
            version = "2" if version == "1" else "1"
            machine.is_whole(version, in_front=True)
        else:
            machine.remove(WORKSTATION)
            machine.purge(WORKSTATION)
            machine.root.run(SETUP, "front")
            machine.is_whole(None, in_front=False)
            machine.install(machine.workstation)
    assert number >= 5, "it takes some steps"


def deadly_tools(machine: Machine) -> None:
    for tool in STEPS:
        machine.root.write(f"/shims/{Path(tool).name}", DEADLY.format(tool=tool), 0o755)


def deadly_environment(number: int) -> dict[str, str]:
    return {"PATH": "/shims:/usr/sbin:/usr/bin:/sbin:/bin", "DEADLY_STEP": str(number)}


def interrupted(machine: Machine, number: int, step: str) -> bool:
    """Whether `setup` was killed before this one of its steps."""
    script = f"/bin/rm -f /steps; {SETUP} {step} || echo killed"
    return bool(machine.root.run("sh", "-c", script, env=deadly_environment(number)).stdout)


def test_it_takes_the_newest_python_and_is_compiled_for_it(machine: Machine) -> None:
    """Anew when one comes or goes."""
    machine.install(machine.workstation, machine.launcher)
    assert machine.root.link(PYTHON) == "/usr/bin/python3.11"
    compiled = machine.bytecode()
    assert compiled > 100
    machine.root.write(f"{PREFIX}/lib/{NAME}/launcher/__pycache__/run.cpython-38.pyc", "old")
    package = machine.another_python()
    machine.install(package)
    assert machine.root.link(PYTHON) == "/usr/bin/python3.24"
    assert machine.bytecode() == compiled
    machine.is_whole("1", in_front=True)
    # Bytecode included, nobody but root can change it, and everybody can use it.
    open_to_others = f"find {PREFIX} ! -type l ( -perm /022 -o ! -user root -o ! -perm -444 )"
    assert machine.root.run(*open_to_others.split()).stdout == ""
    machine.remove("python3.24")
    assert machine.root.link(PYTHON) == "/usr/bin/python3.11"
    machine.is_whole("1", in_front=True)


OLD_PYTHON = "#!/bin/sh\necho 'import of http.client failed' >&2\nexit 1\n"


def test_an_old_python3_does_not_keep_chef_run_from_running(machine: Machine) -> None:
    """Whenever an administrator has it lead to one."""
    machine.install(machine.workstation, machine.launcher)
    machine.root.run("rm", "/usr/bin/python3")
    machine.root.write("/usr/bin/python3", OLD_PYTHON, 0o755)
    machine.is_whole("1", in_front=True)
    machine.remove(NAME)
    machine.install(machine.launcher)
    machine.is_whole("1", in_front=True)


def test_without_a_python_that_will_do_it_is_not_in_front(machine: Machine) -> None:
    """Until there is one."""
    machine.install(machine.workstation)
    package = machine.another_python()
    for name in ("python3.11", "python3"):
        machine.root.run("mv", f"/usr/bin/{name}", f"/usr/bin/{name}-away")
        machine.root.write(f"/usr/bin/{name}", OLD_PYTHON, 0o755)
    machine.install(machine.launcher)
    machine.is_whole("1", in_front=False)
    machine.root.run("mv", "/usr/bin/python3.11-away", "/usr/bin/python3.11")
    machine.install(package)
    machine.is_whole("1", in_front=True)
    machine.root.run("rm", "/usr/bin/python3.11")
    machine.root.write("/usr/bin/python3.11", OLD_PYTHON, 0o755)
    machine.remove("python3.24")
    machine.is_whole("1", in_front=False)


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


def test_it_says_what_it_needs(packages: Path) -> None:
    deb = ["dpkg-deb", "--field", str(only(packages, "*.deb")), "Depends"]
    assert subprocess.run(deb, capture_output=True, check=True).stdout == b"python3 (>= 3.9)\n"
    rpm = ["rpm", "-qp", "--requires", str(only(packages, "*.rpm"))]
    required = subprocess.run(rpm, capture_output=True, check=True).stdout.decode().split("\n")
    assert {"/bin/sh", "coreutils", "findutils"} <= set(required)


@pytest.mark.parametrize("machine", ["rpm"], indirect=True)
@pytest.mark.parametrize("beside", ["python39", "python3.11", "python3.12", None])
def test_any_of_the_pythons_of_rhel_8_will_do(machine: Machine, tmp_path: Path, beside: str | None) -> None:
    """Its python3 is 3.6, which will not."""
    rpm = ["rpm", "--dbpath", "/var/lib/rhel"]
    machine.root.run(*rpm, "-i", workstation.of_this_machine(tmp_path, "3.6"))
    if beside:
        machine.root.run(*rpm, "-i", workstation.named(tmp_path, beside))
    done = machine.root.run(*rpm, "-i", "--test", machine.launcher, fails=beside is None)
    assert ("python3 >= 3.9" in done.stderr) == (beside is None)


def test_removed_before_its_upgrade_is_set_up_it_is_not_in_front(debian: Machine) -> None:
    debian.install(debian.workstation, debian.launcher)
    debian.root.run("dpkg", "--unpack", debian.next_launcher)
    debian.is_whole("1", in_front=False)
    debian.remove(NAME)
    debian.is_whole("1", in_front=False)


def test_an_upgrade_that_fails_leaves_it_in_front(debian: Machine, tmp_path: Path) -> None:
    debian.install(debian.workstation, debian.launcher)
    subprocess.run(["dpkg-deb", "-R", debian.next_launcher, tmp_path / "broken"], check=True)
    (tmp_path / "broken" / "DEBIAN" / "preinst").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "broken" / "DEBIAN" / "preinst").chmod(0o755)
    subprocess.run(["dpkg-deb", "-b", tmp_path / "broken", tmp_path / "broken.deb"], check=True, capture_output=True)
    debian.root.run("dpkg", "-i", tmp_path / "broken.deb", fails=True)
    assert debian.root.link(COMMAND) == OURS
    assert debian.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"


def test_dpkg_finds_nothing_wrong_with_either(debian: Machine) -> None:
    """It knows where Workstation's file is."""
    debian.install(debian.workstation, debian.launcher)
    assert debian.root.run("dpkg", "--verify", WORKSTATION, NAME).stdout == ""
    assert debian.root.run("dpkg-divert", "--truename", COMMAND).stdout.strip() == KEPT
    debian.remove(NAME)
    assert debian.root.run("dpkg-divert", "--list", "*chef*").stdout == ""


@pytest.mark.parametrize("machine", ["rpm"], indirect=True)
def test_rpm_finds_the_one_file_changed_in_whose_place_it_is(machine: Machine) -> None:
    """It knows no diversions. Nothing else is changed, and afterwards nothing at all."""
    rpm = ("rpm", "--dbpath", "/var/lib/rpm", "--verify", "--nodeps")
    machine.install(machine.workstation, machine.launcher)
    said = machine.root.run(*rpm, WORKSTATION, NAME, fails=True).stdout
    assert [line.split()[-1] for line in said.splitlines()] == [COMMAND]
    machine.remove(NAME)
    assert machine.root.run(*rpm, WORKSTATION).stdout == ""


def test_an_administrators_diversion_keeps_it_out(debian: Machine) -> None:
    """And no longer than it is there."""
    debian.install(debian.workstation)
    divert = ["dpkg-divert", "--local", "--no-rename", "--divert", f"{COMMAND}.mine"]
    debian.root.run(*divert, "--add", COMMAND)
    before = debian.changes()
    debian.install(debian.launcher)
    debian.is_whole("1", in_front=False)
    debian.remove(NAME)
    debian.purge(NAME)
    assert debian.changes() == before
    debian.install(debian.launcher)
    debian.root.run(*divert, "--remove", COMMAND)
    debian.root.run(SETUP, "front")
    debian.is_whole("1", in_front=True)


IN_ANOTHER_PLACE = {
    "link": f"mkdir /srv/workstation && ln -s /srv/workstation {FOLDER}",
    "mount point": f"mkdir -p {FOLDER} && mount -t tmpfs tmpfs {FOLDER}",
}


@pytest.mark.parametrize("kind", IN_ANOTHER_PLACE)
def test_workstations_folder_may_be_a_link_or_a_mount_point(debian: Machine, kind: str) -> None:
    """Which stays when Workstation goes, with nothing in it."""
    debian.root.run("sh", "-c", IN_ANOTHER_PLACE[kind])
    debian.install(debian.workstation, debian.launcher)
    debian.is_whole("1", in_front=True)
    debian.remove(WORKSTATION)
    assert debian.root.run("find", f"{FOLDER}/", "-mindepth", "1").stdout == ""
    debian.install(debian.workstation)
    debian.is_whole("1", in_front=True)
    debian.remove(NAME)
    debian.is_whole("1", in_front=False)


def make_read_only(machine: Machine) -> None:
    machine.root.run("sh", "-c", f"mount --bind {FOLDER} {FOLDER} && mount -o remount,ro,bind {FOLDER}")


def test_in_front_of_what_cannot_be_changed_it_is_not(machine: Machine) -> None:
    """Until it can. What is in front already stays there."""
    machine.install(machine.workstation)
    make_read_only(machine)
    machine.install(machine.launcher)
    assert f"{COMMAND} cannot be changed: chef-run runs without it\n" in machine.root.run(SETUP, "front").stderr
    machine.is_whole("1", in_front=False)
    machine.root.run("umount", FOLDER)
    machine.root.run(SETUP, "front")
    machine.is_whole("1", in_front=True)
    make_read_only(machine)
    assert machine.root.run(SETUP, "prepare", "front").stderr == ""
    machine.is_whole("1", in_front=True)


def test_what_it_cannot_put_back_does_not_keep_it_installed(machine: Machine) -> None:
    machine.install(machine.workstation, machine.launcher)
    make_read_only(machine)
    machine.remove(NAME)
    assert machine.root.run("sh", "-c", f"ls -d {SETUP} || true").stdout == ""


def test_a_workstation_that_was_set_up_by_itself_is_whole(debian: Machine) -> None:
    """Before dpkg has told us of it."""
    debian.install(debian.launcher)
    for package, in_front in ((debian.workstation, False), (debian.next_workstation, True)):
        debian.root.run("dpkg", "--no-triggers", "--unpack", package)
        debian.root.run("dpkg", "--no-triggers", "--configure", WORKSTATION)
        debian.is_whole("2" if in_front else "1", in_front)
        debian.root.run("dpkg", "--configure", "--pending")
        debian.is_whole("2" if in_front else "1", in_front=True)


@pytest.mark.parametrize("script", ["postinst", "prerm"])
def test_a_script_of_ours_that_is_killed_is_taken_up(debian: Machine, script: str) -> None:
    """By dpkg, when it is asked to go on."""
    deadly_tools(debian)
    debian.install(debian.workstation)
    before = debian.changes()
    command: list[object] = ["dpkg", "-i", debian.launcher] if script == "postinst" else ["dpkg", "-r", NAME]
    for number in (2, 4, 6):
        if script == "prerm":
            debian.install(debian.launcher)
        debian.root.run(*command, env=deadly_environment(number), fails=True)
        debian.root.run("rm", "-f", "/steps")
        assert debian.chef_run() == "chef-run of chef-workstation 1: web01 package nginx\n"
        if script == "postinst":
            debian.root.run("dpkg", "--configure", "--pending")
            debian.is_whole("1", in_front=True)
        debian.remove(NAME)
        debian.purge(NAME)
        assert debian.changes() == before

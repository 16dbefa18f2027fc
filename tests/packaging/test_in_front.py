"""The .deb and the .rpm beside Workstation's, in the hands of dpkg and rpm: who is in front, and what is left."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from launcher import __version__
from tests.packaging.conftest import NEXT_VERSION, only
from tests.packaging.machines import (
    COMMAND,
    FLAVOURS,
    FOLDER,
    KEPT,
    NAME,
    OURS,
    PREFIX,
    PYTHON,
    SETUP,
    WORKSTATION,
    Machine,
)
from tests.support import workstation
from tests.support.roots import NOBODY

OUR_LINE = 'eval "$(chef-run-launcher shell-init bash)"'
CHEFS_LINE = 'eval "$(chef shell-init bash)"'


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
    assert {"/bin/sh", "coreutils", "findutils", "grep"} <= set(required)


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


def make_read_only(machine: Machine, folder: str = FOLDER) -> None:
    machine.root.run("sh", "-c", f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}")


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


def test_what_it_cannot_put_back_it_stays_in_front_of(machine: Machine) -> None:
    """Its removal changes nothing then and says why, and is done once it can be."""
    machine.install(machine.workstation)
    before = machine.changes()
    machine.install(machine.launcher)
    installed = machine.changes()
    make_read_only(machine)
    said = machine.try_to_remove(NAME)
    assert said.count(f"{NAME}: {COMMAND} cannot be put back: Read-only file system\n") == 1
    assert machine.changes() == installed
    machine.is_whole("1", in_front=True)
    machine.root.run("umount", FOLDER)
    machine.remove(NAME)
    assert {path: what for path, what in machine.changes().items() if not path.startswith("home")} == before


def test_an_upgrade_that_cannot_put_it_back_leaves_the_old_in_front(debian: Machine) -> None:
    """And is done once it can be. rpm's needs nothing put back."""
    debian.install(debian.workstation, debian.launcher)
    make_read_only(debian)
    debian.root.run("dpkg", "-i", debian.next_launcher, fails=True)
    debian.is_whole("1", in_front=True)
    status = ["dpkg-query", "--showformat=${Status} ${Version}", "--show", NAME]
    assert debian.root.run(*status).stdout == f"install ok installed {__version__}-1"
    debian.root.run("umount", FOLDER)
    debian.install(debian.next_launcher)
    debian.is_whole("1", in_front=True)
    assert debian.root.run(*status).stdout == f"install ok installed {NEXT_VERSION}-1"


def test_nor_does_it_go_where_its_own_files_cannot(machine: Machine) -> None:
    machine.install(machine.workstation, machine.launcher)
    make_read_only(machine, PREFIX)
    assert "Read-only file system" in machine.try_to_remove(NAME)
    machine.is_whole("1", in_front=True)
    machine.root.run("umount", PREFIX)
    machine.remove(NAME)
    machine.is_whole("1", in_front=False)


def test_without_any_python_what_cannot_be_put_back_runs(machine: Machine) -> None:
    """By all its names, and from then on until it can be put back."""
    machine.install(machine.workstation, machine.launcher)
    make_read_only(machine)
    machine.root.run("mv", "/usr/bin/python3.11", "/usr/bin/away")
    said = machine.root.run(SETUP, "prepare", "front").stderr
    assert "there is no Python 3.9 or newer in /usr/bin: chef-run runs without it\n" in said
    machine.root.run("ln", "-s", OURS, "/usr/bin/my-chef-run")
    for command in (COMMAND, "chef-run", "my-chef-run", f"{OURS} exec"):
        said = machine.chef_run(f'{command} "$@"')
        assert said == "chef-run of chef-workstation 1: web01 package nginx\n"
    assert machine.root.run(OURS, "status", fails=True).stderr.startswith("chef-run-launcher: there is no Python 3.9")
    machine.root.run("umount", FOLDER)
    machine.root.run(SETUP, "prepare", "front")
    machine.is_whole("1", in_front=False)
    machine.root.run("mv", "/usr/bin/away", "/usr/bin/python3.11")
    machine.root.run(SETUP, "prepare", "front")
    machine.is_whole("1", in_front=True)


def test_its_folder_taken_away_by_hand_removal_mends_it(machine: Machine) -> None:
    """And may be asked for twice."""
    machine.install(machine.workstation)
    before = machine.changes()
    machine.install(machine.launcher)
    machine.root.run("rm", "-r", PREFIX)
    machine.remove(NAME)
    for _ in range(2):
        machine.purge(NAME)
    assert machine.changes() == before
    machine.is_whole("1", in_front=False)


def test_another_profiles_version_leaves_the_first_ones_chef_run(machine: Machine, cinc_packages: Path) -> None:
    """And comes to stand in front of its own."""
    machine.install(machine.workstation)
    before = machine.changes()
    machine.install(machine.launcher)
    machine.replace(only(cinc_packages, f"*.{machine.kind}"))
    machine.is_whole("1", in_front=False)
    machine.remove(NAME)
    assert machine.changes() == before


# What an administrator may put into our place to be rid of us, and what it prints.
BY_WAY_OF_KEPT = {
    "symbolic link": f"ln -sf chef-run.distrib {COMMAND}",
    "hard link": f"ln -f {KEPT} {COMMAND}",
    "script": f"rm {COMMAND}; printf '#!/bin/sh\nexec {KEPT} \"$@\"\n' >{COMMAND}; chmod 755 {COMMAND}",
}


@pytest.mark.parametrize("kind", BY_WAY_OF_KEPT)
def test_what_leads_to_the_original_by_its_name_keeps_it(machine: Machine, kind: str) -> None:
    """After any trigger, and after removal."""
    machine.install(machine.workstation, machine.launcher)
    machine.root.run("sh", "-c", BY_WAY_OF_KEPT[kind])
    machine.root.run(SETUP, "front")
    assert machine.chef_run().endswith(" of chef-workstation 1: web01 package nginx\n")
    machine.root.run("sh", "-c", BY_WAY_OF_KEPT[kind])
    machine.remove(NAME)
    assert machine.chef_run().endswith(" of chef-workstation 1: web01 package nginx\n")


def test_a_disk_that_is_away_keeps_what_is_on_it(machine: Machine) -> None:
    """Whatever happens meanwhile: once it is back, chef-run is what it was."""
    machine.root.run("sh", "-c", IN_ANOTHER_PLACE["link"])
    machine.install(machine.workstation, machine.launcher)
    machine.root.run("mv", "/srv/workstation", "/srv/away")
    machine.root.run(SETUP, "prepare", "front")
    assert f"nothing is at {FOLDER}/bin: is its file system not mounted?" in machine.try_to_remove(NAME)
    machine.root.run("mv", "/srv/away", "/srv/workstation")
    machine.is_whole("1", in_front=True)
    machine.root.run("mv", "/srv/workstation", "/srv/away")
    machine.root.run("rm", FOLDER)  # as it says
    machine.remove(NAME)


def test_with_no_room_left_it_is_not_in_front(machine: Machine) -> None:
    """Until there is. To be put back, it needs none."""
    fill = f"n=0; while touch {FOLDER}/file$n 2>/dev/null; do n=$((n + 1)); done"
    machine.root.run("sh", "-c", f"mkdir -p {FOLDER} && mount -t tmpfs -o nr_inodes=20 tmpfs {FOLDER}")
    machine.install(machine.workstation)
    machine.root.run("sh", "-c", fill)
    machine.install(machine.launcher)
    assert f"{COMMAND} cannot be changed: chef-run runs without it\n" in machine.root.run(SETUP, "front").stderr
    machine.is_whole("1", in_front=False)
    machine.root.run("sh", "-c", f"rm {FOLDER}/file*")
    machine.root.run(SETUP, "front")
    machine.is_whole("1", in_front=True)
    machine.root.run("sh", "-c", fill)
    machine.remove(NAME)
    machine.is_whole("1", in_front=False)


def test_a_workstation_that_was_set_up_by_itself_is_whole(debian: Machine) -> None:
    """Before dpkg has told us of it."""
    debian.install(debian.launcher)
    for package, in_front in ((debian.workstation, False), (debian.next_workstation, True)):
        debian.root.run("dpkg", "--no-triggers", "--unpack", package)
        debian.root.run("dpkg", "--no-triggers", "--configure", WORKSTATION)
        debian.is_whole("2" if in_front else "1", in_front)
        debian.root.run("dpkg", "--configure", "--pending")
        debian.is_whole("2" if in_front else "1", in_front=True)

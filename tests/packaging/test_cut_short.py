"""Whatever is killed or refused, at each change that `setup` makes, chef-run runs, and doing it again is enough."""

from __future__ import annotations

import errno
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.packaging.machines import COMMAND, KEPT, NAME, OURS, PREFIX, PYTHON, SETUP, WORKSTATION, Machine

AT_MOST = 40  # changes, or the test has not understood what it counts
HIDE = "mv /usr/bin/python3.11 /usr/bin/hidden"
SHOW = "[ ! -e /usr/bin/hidden ] || mv /usr/bin/hidden /usr/bin/python3.11"
OTHER = "/usr/bin/python3.24"
# One try, of which it prints what came of it.
TRY = f"""
{{before}}
rm -f /changes
{{cut_short}} && echo succeeded
test -h {COMMAND} && echo still in front
readlink {PYTHON}
CHEF_TELEMETRY_OPT_OUT= {COMMAND} web01
{{again}}
CHEF_TELEMETRY_OPT_OUT= {COMMAND} again
readlink {COMMAND}
find /opt -name '*.new'
find {KEPT} {PREFIX}/embedded
stat -c %s /changes || echo 0
"""


class Situation(NamedTuple):
    before: str  # a script that comes to where it begins
    steps: str
    in_front: bool  # in the end


SITUATIONS = {
    "front": Situation(f"{SETUP} back", "front", True),
    "back": Situation(f"{SETUP} prepare front", "back", False),
    "leave": Situation(f"{SETUP} prepare front", "leave", False),
    "a Python comes": Situation(f"{HIDE}; {SETUP} prepare front; {SHOW}", "prepare front", True),
    "no Python is left": Situation(f"{SHOW}; {SETUP} prepare front; {HIDE}", "prepare front", False),
    "another Python comes": Situation(
        f"rm -f {OTHER}; {SETUP} prepare front; ln -s python3.11 {OTHER}", "prepare front", True
    ),
}
# In what way, as the library has it.
CUTS = {
    "killed": "{}",
    "nothing can be changed from then on": f"{{}}:{errno.EROFS}",
    "that one change is refused": f"{{}}:-{errno.EACCES}",
}

# `setup` chooses a Python without asking which kind of package it is of, and a refusal is looked for where it stands in
# front or leaves.
CASES = [
    *[("deb", cut, name) for cut in list(CUTS)[:2] for name in SITUATIONS],
    *[("deb", "that one change is refused", name) for name in ("front", "leave")],
    *[("rpm", "killed", name) for name in ("front", "back", "leave")],
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler (scripts/install-test-tools)")
    target = tmp_path_factory.mktemp("library") / "cut_short.so"
    source = Path(__file__).with_name("cut_short.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-Wall", "-Werror", source, "-o", target, "-ldl"], check=True)
    return target


def cut_short(library: Path, cut: str, command: str) -> str:
    """The command line that does this to a command line."""
    return f"setsid --wait env LD_PRELOAD={library} CUT_SHORT={cut} {command}"


def make_small(machine: Machine) -> None:
    """What chef-run needs of the library, so that little is compiled each time."""
    script = f"find {PREFIX}/lib/{NAME} -mindepth 1 -maxdepth 1 ! -name launcher -exec rm -r {{}} +"
    machine.root.run("sh", "-c", script)


@pytest.mark.parametrize(("machine", "cut", "name"), CASES, indirect=["machine"])
def test_cut_short_at_any_change_there_is_a_chef_run(machine: Machine, library: Path, cut: str, name: str) -> None:
    """And the same once more comes to the same end. What says that it has left is not in front any more."""
    before, steps, in_front = SITUATIONS[name]
    machine.install(machine.workstation, machine.launcher)
    make_small(machine)
    command = f"{SETUP} {steps}"
    for number in range(1, AT_MOST):
        script = TRY.format(
            before=before, cut_short=cut_short(library, CUTS[cut].format(number), command), again=command
        )
        said = machine.root.run("sh", "-c", script).stdout.splitlines()
        # Of a Python that is gone, nothing can be known before the first change.
        if not (name == "no Python is left" and "/usr/bin/python3.11" in said):
            assert f"chef-run of {WORKSTATION} 1: web01" in said, number
        if steps == "leave" and "succeeded" in said:
            assert "still in front" not in said, number
        after = said[said.index(f"chef-run of {WORKSTATION} 1: again") + 1 :]
        kept = [KEPT, f"{PREFIX}/embedded", f"{PREFIX}/embedded/bin", f"{PREFIX}/embedded/bin/chef-run"]
        assert after[:-1] == ([OURS, *kept] if in_front else []), number
        if int(after[-1]) < number:
            break
    assert 3 <= number < AT_MOST - 1


@pytest.mark.parametrize("then", ["upgrade", "removal"])
@pytest.mark.parametrize("name", ["front", "back"])
def test_killed_at_any_change_it_knows_what_workstation_does_then(
    machine: Machine, library: Path, name: str, then: str
) -> None:
    before, steps, _ = SITUATIONS[name]
    machine.install(machine.workstation, machine.launcher)
    make_small(machine)
    versions = {"1": machine.next_workstation, "2": machine.workstation}
    version = "1"
    for number in range(1, AT_MOST):
        script = f"{before}; rm -f /changes; {cut_short(library, str(number), f'{SETUP} {steps}')}; stat -c %s /changes"
        reached = int(machine.root.run("sh", "-c", script).stdout.split()[-1])
        if then == "upgrade":
            machine.replace(versions[version])
            version = "2" if version == "1" else "1"
            machine.root.run(SETUP, "front")
            machine.is_whole(version, in_front=True)
        else:
            machine.remove(WORKSTATION)
            machine.purge(WORKSTATION)
            machine.root.run(SETUP, "front")
            machine.is_whole(None, in_front=False)
            machine.install(machine.workstation)
        if reached < number:
            break
    assert 3 <= number < AT_MOST - 1


@pytest.mark.parametrize("script", ["postinst", "prerm"])
def test_dpkg_killed_with_a_script_of_ours_goes_on_when_asked_again(
    debian: Machine, library: Path, script: str
) -> None:
    """By the same command."""
    debian.install(debian.workstation)
    before = debian.changes()
    command = f"dpkg -i {debian.launcher}" if script == "postinst" else f"dpkg -r {NAME}"
    for number in (4, 7, 10):
        if script == "prerm":
            debian.install(debian.launcher)
        debian.root.run("sh", "-c", f"rm -f /changes; {cut_short(library, str(number), command)}; rm /changes")
        assert debian.chef_run() == f"chef-run of {WORKSTATION} 1: web01 package nginx\n"
        debian.root.run(*command.split())
        debian.is_whole("1", in_front=script == "postinst")
        debian.remove(NAME)
        debian.purge(NAME)
        assert debian.changes() == before

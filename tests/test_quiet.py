"""A defect of the launcher's own: silent in a run, and to be seen by whoever works on it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.homes import Home
from tests.support.programs import ISOLATED, Program

# Where a run does its work after chef-run has been started: the module, and what is to fail in it.
PLACES = {
    "while chef-run runs": ("record/host_os.py", "def described"),
    "once it has ended": ("record/adoption.py", "def adopt"),
    "when the record is kept": ("record/session.py", "def to_bytes"),
    "as the output is watched": ("reading/output.py", "class Observer"),
    "in a module that breaks": ("record/recording.py", "class Prepared"),
}


@pytest.mark.parametrize(("module", "place"), PLACES.values(), ids=PLACES.keys())
def test_a_defect_is_silent_and_named_in_the_developers_file(
    home: Home, chef_run: Program, package: Path, tmp_path: Path, module: str, place: str
) -> None:
    home.use()
    text = (package / module).read_text()
    (package / module).write_text(text.replace(place, f"import sys\nraise RuntimeError(*sys.argv)\n{place}", 1))
    command = [*ISOLATED, str(package / "__main__.py"), "exec", "web01", "directory", "/tmp/foo"]
    chef_run.path.write_text("#!/bin/sh\necho a line; exit 3\n")
    defects = tmp_path / "defects"
    for env in (home.env, {**home.env, "CHEF_RUN_LAUNCHER_DEFECTS": str(defects)}):
        done = subprocess.run(command, env=env, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (3, b"a line\n")
        assert b"web01" not in done.stderr
    seen = defects.read_text()
    assert "RuntimeError" in seen
    assert module in seen
    assert "web01" not in seen


def test_a_notice_that_cannot_be_imported_costs_no_record(home: Home, chef_run: Program, package: Path) -> None:
    home.use()
    (package / "consent" / "notice.py").write_text("raise RuntimeError\n")
    command = [*ISOLATED, str(package / "__main__.py"), "exec", "web01", "directory", "/tmp/hello"]
    assert subprocess.run(command, env=home.env, capture_output=True, check=True).stderr == b""
    assert len(home.sessions()) == 1

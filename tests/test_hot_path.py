"""What a wrapped run costs before chef-run runs: structure, not timings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import launcher as package
from tests.support.homes import Home
from tests.support.programs import Program

MAIN = Path(package.__file__).with_name("__main__.py")

# Runs the launcher as the packages start it, and writes what is imported at the moment of its first fork or exec.
SPY = """
import sys
report, program = sys.argv[1:3]
watching = True

def watch(event, arguments):
    global watching
    if watching and event in ("os.fork", "os.exec", "os.posix_spawn"):
        watching = False
        with open(report, "w") as file:
            file.write("\\n".join(sys.modules))

sys.addaudithook(watch)
del sys.argv[:2]
with open(program) as file:
    code = compile(file.read(), program, "exec")
exec(code, {"__name__": "__main__", "__package__": "", "__file__": program})
"""

HEAVY = {"typer", "rich", "urllib3", "distro", "fastjsonschema", "json", "re", "typing", "subprocess", "enum", "signal"}


def imported(home: Home, tmp_path: Path, *arguments: str) -> set[str]:
    """The modules that were loaded when the first process was about to be started."""
    spy, report = tmp_path / "spy.py", tmp_path / "modules"
    spy.write_text(SPY)
    command = [sys.executable, "-I", "-S", str(spy), str(report), str(MAIN), "exec", *arguments]
    subprocess.run(command, env=home.env, check=True, capture_output=True)
    return set(report.read_text().split())


@pytest.mark.parametrize(
    "config",
    ["", "# nothing\n", '[telemetry]\nenabled = true\nendpoint = "http://127.0.0.1:1"\n[log]\nlevel = "info"\n'],
)
@pytest.mark.parametrize("variables", [{}, {"CHEF_TELEMETRY_OPT_OUT": ""}])
def test_nothing_heavy_is_imported_before_chef_run_runs(
    home: Home, tmp_path: Path, chef_run: Program, config: str, variables: dict[str, str]
) -> None:
    home.use(config)
    home.env.update(variables)
    assert imported(home, tmp_path, "web01", "directory", "/tmp/foo") & HEAVY == set()


def test_the_toml_library_is_imported_only_for_what_is_not_plain(home: Home, tmp_path: Path, chef_run: Program) -> None:
    home.use("[telemetry]\nformat = 'chef'\n[dev]\nspinner = false\n")
    assert not imported(home, tmp_path) & {"tomllib", "tomli"}
    home.config.write_text('[cookbook]\npaths = [\n  "/a",\n]\n')
    assert imported(home, tmp_path) & {"tomllib", "tomli"}


@pytest.mark.parametrize("config", ["", '[cookbook]\npaths = [\n  "/a",\n]\n'], ids=["plain", "not plain"])
def test_dependencies_that_lie_elsewhere_are_found_all_the_same(
    home: Home, tmp_path: Path, chef_run: Program, config: str
) -> None:
    home.use(config)
    elsewhere = tmp_path / "elsewhere" / "launcher"
    shutil.copytree(MAIN.parent, elsewhere)
    command = [sys.executable, "-I", "-S", str(elsewhere / "__main__.py"), "exec", "web01", "directory", "/tmp/foo"]
    assert subprocess.run(command, env=home.env, check=False).returncode == 0
    assert len(home.sessions()) == 1

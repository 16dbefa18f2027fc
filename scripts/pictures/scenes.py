"""What the launcher prints in the first minutes that somebody has it.

It runs for real, in a temporary HOME, with the stand-in as chef-run. Nothing leaves this machine: what it would send
goes by way of a proxy that is not there. What is another each time (identifiers, the day, the host's system) is made
what stands here, and the paths are those of an ordinary user's machine, as long as the real ones, so that lines break
where they would.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pictures import terminal

LAUNCHER = Path(sys.executable).with_name("chef-run-launcher")
STAND_IN = Path(__file__).parents[1] / "stand_in_chef_run.py"

HOME = "/home/someone"
CHEF_RUN = "/opt/chef-workstation/bin/chef-run"
INSTALLATION_ID = "5c1b3a52-9d0e-4c8e-8a57-2f6d1e0b7c94"
ID_OF_DRY_RUN = "7a2f90c6-5b1d-4e37-8c43-0d9e6f2a1b58"
SESSION_ID = "e07d4f1b-36a9-4b52-9f08-c1d2753a8e60"
HOST = {"os": "debian", "version": "12"}
STORED = "2026-11-20 09:30"


def pictures() -> dict[str, str]:
    """The SVG of each scene, by its name."""
    with _somebody() as scene:
        return {
            "dry-run": scene.picture("dry-run web01 directory /tmp/hello"),
            "first-run": scene.first_run(),
            "status": scene.picture("status"),
            "show": scene.picture("show", f"show {SESSION_ID[:8]}"),
        }


@contextmanager
def _somebody() -> Iterator[Scene]:
    """Somebody who has never used chef-run."""
    home = tempfile.mkdtemp(prefix="", dir="/tmp")  # short: see Scene
    try:
        yield Scene(home)
    finally:
        shutil.rmtree(home)


class Scene:
    """A HOME, and the environment that goes with it."""

    def __init__(self, home: str) -> None:
        chef_run = Path(home, "_" * (len(CHEF_RUN) - len(home) - len("//chef-run")), "chef-run")
        assert (len(home), len(str(chef_run))) == (len(HOME), len(CHEF_RUN)), "the lines would break elsewhere"
        chef_run.parent.mkdir()
        shutil.copy(STAND_IN, chef_run)
        self.home = home
        self.chef_run = str(chef_run)
        self.env = {
            "HOME": home,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",  # where the stand-in finds its python3
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "CHEF_RUN_LAUNCHER_REAL": self.chef_run,
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "STAND_IN_SECONDS": "0",
        }

    def first_run(self) -> str:
        """A picture of the first run. Its session is then one that has always the same in it."""
        arguments = "web01 directory /tmp/hello"
        output = terminal.prompt(f"chef-run {arguments}") + self._run(f"exec {arguments}")
        workstation = Path(self.home, ".chef-workstation")
        (workstation / "installation_id").write_text(INSTALLATION_ID)
        [path] = (workstation / "telemetry").glob("session-*.json")
        session = json.loads(path.read_text())
        session.update(id=SESSION_ID, installation_id=INSTALLATION_ID, host=HOST)
        path.write_text(json.dumps(session))
        path.rename(path.with_name(f"session-{SESSION_ID}.json"))
        return terminal.picture("The first run", output)

    def picture(self, *commands: str) -> str:
        """A picture of the launcher's own commands, one after the other."""
        outputs = [terminal.prompt(f"chef-run-launcher {command}") + self._run(command) for command in commands]
        return terminal.picture(f"chef-run-launcher {commands[0].split()[0]}", "\r\n".join(outputs))

    def _run(self, arguments: str) -> str:
        output = terminal.run([str(LAUNCHER), *arguments.split()], self.env, cwd=self.home)
        output = output.replace(self.chef_run, CHEF_RUN).replace(self.home, HOME)
        output = re.sub(r'("id": ")[^"]*', rf"\g<1>{ID_OF_DRY_RUN}", output)
        output = re.sub(r'("os": ")[^"]*(",\s+"version": ")[^"]*', r"\g<1>{os}\g<2>{version}".format(**HOST), output)
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", STORED, output)

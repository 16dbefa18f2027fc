"""HOMEs as earlier runs leave them, and the environments of runs in them."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

from benchmarks.workbench import ARGUMENTS, Workbench
from launcher.consent.situation import NOTICE_VERSION
from launcher.home import layout
from launcher.home.layout import Home
from launcher.reading.command_line import targets
from launcher.record import session

NOWHERE = "http://127.0.0.1:1"  # an endpoint at which nobody listens
HOUR = 3600  # seconds


def make(workbench: Workbench, name: str, config: str = "", waiting: int = 0, due: bool = False) -> Path:
    """A HOME with this config.toml, if any, in which so many sessions wait and are due to be sent or are not."""
    path = workbench.directory / name
    home = Home(str(path))
    os.makedirs(home.telemetry.path)
    if config:
        Path(home.config).write_text(config)
    Path(home.workstation.path, layout.INSTALLATION_ID).write_text(str(uuid.uuid4()))
    Path(home.telemetry.path, layout.NOTICE).write_bytes(NOTICE_VERSION)
    reset(path, waiting, due)
    return path


def reset(path: Path, sessions: int, due: bool = False) -> None:
    """Have exactly so many sessions wait, and the next attempt to send them be due or an hour away."""
    home = Home(str(path))
    present = waiting(path)
    for each in present[sessions:]:
        each.unlink()
    for _ in range(sessions - len(present)):
        record = session.build(session.new_id(), {"os": "debian", "version": "12"}, targets(ARGUMENTS), ["linux"])
        Path(home.telemetry.path, f"session-{record['id']}.json").write_bytes(session.to_bytes(record))
    next_attempt = Path(home.telemetry.path, layout.NEXT_ATTEMPT)
    next_attempt.write_text("1 interrupted\n")
    moment = 0 if due else time.time() + HOUR
    os.utime(next_attempt, (moment, moment))


def waiting(path: Path) -> list[Path]:
    """The files of the sessions that wait in a HOME."""
    return list(Path(Home(str(path)).telemetry.path).glob("session-*.json"))


def environment(workbench: Workbench, home: Path, endpoint: str = NOWHERE, **more: str) -> dict[str, str]:
    """The environment variables of a run in this HOME, and no others."""
    return {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        "CHEF_TELEMETRY_ENDPOINT": endpoint,
        "CHEF_RUN_LAUNCHER_REAL": str(workbench.chef_run),
        **more,
    }

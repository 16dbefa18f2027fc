"""A HOME of a test's own, and the environment that goes with it."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

from launcher.consent.situation import NOTICE_VERSION
from launcher.home.layout import NOTICE
from launcher.home.layout import Home as Layout
from launcher.reading.command_line import Target, targets
from launcher.record import session

# Refused at once. A test that says nothing about an endpoint must not reach the real one.
NO_ENDPOINT = "http://127.0.0.1:1"


def targets_of(*names: str) -> list[Target]:
    """The targets of a run that connects to these hosts."""
    return targets([",".join(names), "directory", "/tmp/foo"])


class Home:
    """A HOME that nobody has used, and `env`: all of the environment that a program gets there."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.env = {
            "HOME": str(path),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "CHEF_TELEMETRY_ENDPOINT": NO_ENDPOINT,
            "STAND_IN_SECONDS": "0",
        }
        self.workstation = path / ".chef-workstation"
        self.config = self.workstation / "config.toml"
        self.installation_id = self.workstation / "installation_id"
        self.telemetry = self.workstation / "telemetry"
        self.logs = self.workstation / "logs"
        self.layout = Layout(str(path))

    def set_up(self) -> None:
        """Leave it as chef-run's own first run begins it: without its directory, nothing is kept."""
        self.workstation.mkdir(mode=0o700)

    def use(self, config: str = "") -> None:
        """Leave it as an earlier chef-run did, that run's payload included."""
        self.telemetry.mkdir(parents=True)
        self.logs.mkdir()
        self.config.write_text(config, encoding="utf-8")
        self.installation_id.write_text(str(uuid.uuid4()), encoding="utf-8")
        (self.telemetry / "telemetry-payload-1.yml").write_text("---\nversion: 1.1.1\nentries: []\n", encoding="utf-8")

    def has_waiting(self, *hosts: str) -> list[str]:
        """Leave it as earlier runs did that connected to these hosts, one after the other: the sessions' ids."""
        self.layout.close()
        if not self.telemetry.exists():
            self.use()
            self.layout.telemetry.create(NOTICE, NOTICE_VERSION)
        records = [
            session.build(
                self.installation_id.read_text(),
                {"os": "debian", "version": "12"},
                targets_of(host),
                ["linux"],
            )
            for host in hosts
        ]
        for age, record in enumerate(reversed(records), 1):
            name = f"session-{record['id']}.json"
            self.layout.telemetry.create(name, session.to_bytes(record), modified=time.time() - age)
        return [record["id"] for record in records]

    def postpone(self) -> None:
        """Leave it as if a delivery had failed: the next attempt is in an hour."""
        (self.telemetry / ".next-attempt").touch()
        os.utime(self.telemetry / ".next-attempt", (time.time() + 3600,) * 2)

    def sessions(self) -> list[Path]:
        """The sessions waiting to be sent."""
        return sorted(self.telemetry.glob("session-*.json"))

    def oldest_first(self) -> list[Path]:
        """The same, in the order in which they were stored."""
        return sorted(self.sessions(), key=lambda path: path.stat().st_mtime)

    def receipts(self) -> list[dict[str, Any]]:
        """The receipts of the sessions that were sent, or put aside."""
        path = self.telemetry / "receipts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def payloads(self) -> list[Path]:
        """The payloads that chef-run left."""
        return sorted(self.telemetry.glob("telemetry-payload-*.yml"))

    def files(self) -> set[str]:
        """Every file and directory in it, by its path from here; directories end with a slash."""
        return {os.path.relpath(path, self.path) + ("/" if path.is_dir() else "") for path in self.path.rglob("*")}

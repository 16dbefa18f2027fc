"""What a run leaves behind: gathered while chef-run runs, kept once it has ended."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.consent.situation import Situation
    from launcher.home.layout import Home
    from launcher.reading.output import Observer


class Recording:
    """The record of one run in the making."""

    def __init__(self, situation: Situation, home: Home, words: Sequence[str], is_first: bool) -> None:
        """Begin, right before chef-run is started: nothing here may cost time.

        `is_first`: it is the first, or the first since other things are recorded, and the notice has to be shown.
        """
        self.home = home
        self.is_first = is_first
        self._situation = situation
        self._words = words
        self.started = time.time()
        self._ready = False
        self.starts_sender = 0  # a process that is to be waited for, if there is one

    def observer(self) -> Observer:
        """What watches the output of chef-run as it passes."""
        from launcher.reading.output import Observer

        return Observer()

    def prepare(self) -> None:
        """All that can be done while chef-run runs: the host, the targets, and importing what comes at its end."""
        from launcher.reading import payload

        self._earlier = payload.before(self.home.telemetry, self.started)

        from launcher.home import spool
        from launcher.record import host_os, installation_id, session  # noqa: F401

        self._next_to_go = spool.next_to_go(self.home)
        self._host = host_os.operating_system()
        self._targets = self._situation.targets(self._words)
        if self.starts_sender:
            os.waitpid(self.starts_sender, 0)  # here and not in the thread that waits for chef-run: 2 ms

    def look_back(self) -> None:
        """What can be done as soon as chef-run has ended, without knowing all of its output."""
        from launcher.home import files
        from launcher.reading import payload
        from launcher.record import installation_id

        ended = time.time()
        # Asked again: who turned telemetry off while chef-run ran meant this run too.
        decided = self._situation.again().decision
        if not decided.on:
            return
        self._families = payload.adopt(
            self.home.telemetry, self._targets, started=self.started, ended=ended, earlier=self._earlier
        )
        self._failures = payload.failures(self.home.logs, started=self.started, ended=ended)
        files.make_folder(self.home.folder)
        files.make_folder(self.home.telemetry)
        self._installation_id = installation_id.ensure(self.home)
        self._hosts = decided.hosts.level
        self._key = self._hosts_key() if self._hosts == "salted" else b""
        self._ready = True

    def keep(self, report: bytes) -> bool:
        """Store the session; `report` is the observer's. True if that worked. Whatever goes wrong is silent."""
        try:
            return self._ready and self._keep(report)
        except Exception:
            return False

    def _keep(self, report: bytes) -> bool:
        from launcher.home import spool
        from launcher.reading import output
        from launcher.record import session

        platforms = output.platforms(self._targets, self._families, output.findings(report), self._failures)
        record = session.build(self._installation_id, self._host, self._targets, platforms, self._hosts, self._key)
        try:
            content = session.to_bytes(record)
        except session.TooLarge:
            spool.count_dropped(self.home)
            return False
        spool.store(self.home, record["id"], content, self._next_to_go)
        return True

    def _hosts_key(self) -> bytes:
        from launcher.record import hosts_key

        return hosts_key.ensure(self.home)

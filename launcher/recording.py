"""What a run leaves behind: gathered while chef-run runs, kept once it has ended."""

from __future__ import annotations

import time

from launcher import files, observe, payload, spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from launcher.home import Home
    from launcher.situation import Situation


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
        self._started = time.time()
        self._prepared = False

    def observer(self) -> observe.Observer:
        """What watches the output of chef-run as it passes."""
        return observe.Observer()

    def prepare(self) -> None:
        """All that can be done while chef-run runs: imports, the host, the targets, the schema."""
        self._earlier = payload.before(self.home.telemetry, self._started)

        from launcher import dependencies, host, session

        dependencies.make_importable("distro", "fastjsonschema")
        self._host = host.operating_system()
        self._targets = self._situation.targets(self._words)
        session.prepare()
        self._prepared = True

    def keep(self, report: bytes) -> bool:
        """Store the session; `report` is the observer's. True if that worked. Whatever goes wrong is silent."""
        try:
            return self._prepared and self._keep(report)
        except Exception:
            return False

    def _keep(self, report: bytes) -> bool:
        from launcher import hosts_key, installation_id, session

        ended = time.time()
        # Asked again: who turned telemetry off while chef-run ran meant this run too.
        decided = self._situation.again(self._words).decision
        if not decided.on:
            return False
        platforms = observe.platforms(
            self._targets,
            payload.adopt(
                self.home.telemetry, self._targets, started=self._started, ended=ended, earlier=self._earlier
            ),
            observe.findings(report),
            payload.failures(self.home.logs, started=self._started, ended=ended),
        )
        files.make_folder(self.home.folder)
        files.make_folder(self.home.telemetry)
        hosts = decided.hosts.level
        key = hosts_key.ensure(self.home) if hosts == "salted" else b""
        record = session.build(installation_id.ensure(self.home), self._host, self._targets, platforms, hosts, key)
        try:
            content = session.to_bytes(record)
        except session.TooLarge:
            spool.count_dropped(self.home)
            return False
        spool.store(self.home, record["id"], content)
        return True

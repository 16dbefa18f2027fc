"""Every recording of the real chef-run gives the operating system of each target that its meta names."""

from __future__ import annotations

import random
import re
from pathlib import Path

from launcher.home.files import Directory
from launcher.reading.command_line import targets
from launcher.reading.output import Observer, findings, platforms
from launcher.record import adoption
from tests.support.recordings import Recording


def test_a_recorded_run_gives_each_targets_operating_system(recording: Recording, tmp_path: Path) -> None:
    meta = recording.meta
    protocol = re.search('default_protocol="(.*)"', meta["config"] or "")
    hosts = targets(
        meta["argv"][1:],
        default_protocol=protocol[1] if protocol else "ssh",
        isfile=lambda path: True,
        access=lambda path, mode: True,
    )

    observer = Observer()
    choose = random.Random(1)
    for data in (recording.stdout, recording.stderr, recording.terminal):
        while data:
            size = choose.choice([1, 10, 100, 1000])
            observer.feed(data[:size])
            data = data[size:]

    copies = {"telemetry-payload.yml": "telemetry-payload-1.yml", "errors.txt": "errors.txt"}
    for name, copied in copies.items():
        if content := recording.read(name):
            (tmp_path / copied).write_bytes(content)
    ended = max([path.stat().st_mtime for path in tmp_path.iterdir()], default=0.0)
    succeeded = recording.exit == 0
    folder = Directory(str(tmp_path))
    adopted = adoption.adopt(folder, hosts, started=ended - 1, ended=ended, succeeded=succeeded, earlier=())
    failures = adoption.failures(folder, hosts, started=ended - 1, ended=ended, succeeded=succeeded)

    expected = [meta["payload_platform_by_sha1"].get(host.sha1) or (meta["unsupported_os_in_text"]) for host in hosts]
    assert platforms(hosts, adopted, findings(observer.report()), failures) == expected
    assert not list(tmp_path.glob("telemetry-payload-*")), "the payload of this run is left"

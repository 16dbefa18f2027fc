"""Real processes that end at the same time and leave their payloads in the same directory."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from launcher.home.files import Directory
from launcher.reading.output import Claims
from launcher.record import adoption
from tests.support.hashes import sha1
from tests.support.homes import targets_of

# Leaves a payload under the lowest free number, as chef-run does, but never two under one: which of two runs
# then loses its payload is chance.
LEAVE_A_PAYLOAD = """
import sys, time
start, stamp = time.monotonic(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
folder, host, number = sys.argv[1], sys.argv[2], 1
text = f'''---
version: 1.1.1
entries:
- :event: :run
  :properties:
    :run_timestamp: '{stamp}'
    :event_data:
      :duration: {time.monotonic() - start:.9f}
- :event: :action
  :properties:
    :event_data:
      :target:
        :platform:
          :name: :linux
        :hostname_sha1: {host}
'''
while True:
    try:
        with open(f"{folder}/telemetry-payload-{number}.yml", "x") as file:
            file.write(text)
        break
    except FileExistsError:
        number += 1
"""


def run(folder: Path, host: str) -> Claims:
    started = time.time()
    earlier = adoption.before(Directory(str(folder)), started)
    subprocess.run([sys.executable, "-I", "-S", "-c", LEAVE_A_PAYLOAD, str(folder), sha1(host)], check=True)
    ended = time.time()
    hosts = targets_of(host)
    return adoption.adopt(Directory(str(folder)), hosts, started=started, ended=ended, succeeded=True, earlier=earlier)


def test_each_of_many_parallel_runs_adopts_its_own_payload(tmp_path: Path) -> None:
    """And no run leaves one behind."""
    names = [f"web{number}" for number in range(20)]
    with ThreadPoolExecutor(5) as launchers:
        found = list(launchers.map(lambda name: run(tmp_path, name), names))
    assert found == [{sha1(name): {"linux"}} for name in names]
    assert list(tmp_path.iterdir()) == []

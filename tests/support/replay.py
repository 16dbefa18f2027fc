#!/usr/bin/env python3
"""Plays a recording of the real chef-run as if it were chef-run: its output, its files, its end.

REPLAY names the recording's directory. The bytes are the recorded ones. A payload gets what makes it this run's:
this HOME's installation id, the time of now, and durations shortened to the time that the replay took.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import uuid

WORKSTATION = ".chef-workstation"
PAYLOAD = re.compile(r"telemetry-payload-\d+\.yml$")


def main() -> None:
    began = time.time()
    recording = os.environ["REPLAY"]
    home = os.environ["HOME"]
    meta = json.loads(recorded(recording, "meta.json"))
    changed = [*meta["files_new"], *meta["files_changed"]]
    if any(PAYLOAD.search(path) for path in [*changed, *meta["files_removed"]]):
        remove_payloads(os.path.join(home, WORKSTATION, "telemetry"))
    for path in changed:
        if not PAYLOAD.search(path):
            leave(recording, home, path)
    play(recording)
    payload = recorded(recording, "telemetry-payload.yml").decode()
    if payload:
        workstation = os.path.join(home, WORKSTATION)
        write_payload(workstation, of_this_run(payload, read_text(workstation, "installation_id"), began))
    end(meta["exit"])


def recorded(recording: str, name: str) -> bytes:
    """One of the recording's files; empty where the real run left none."""
    try:
        with open(os.path.join(recording, name), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def read_text(folder: str, name: str) -> str:
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def remove_payloads(folder: str) -> None:
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if PAYLOAD.search(name):
            os.unlink(os.path.join(folder, name))


def leave(recording: str, home: str, path: str) -> None:
    """Make a directory or a file that the real run made; its content where the recording has it."""
    target = os.path.join(home, path)
    if path.endswith("/"):
        return os.makedirs(target, exist_ok=True)
    content = recorded(recording, os.path.basename(path))
    if os.path.basename(path) == "installation_id":
        content = str(uuid.uuid4()).encode()
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(content)
    return None


def play(recording: str) -> None:
    # The recorded terminal had turned each line's end into two characters; ours will do it again.
    terminal = recorded(recording, "tty").replace(b"\r\n", b"\n")
    for descriptor, output in (
        (1, terminal or recorded(recording, "stdout")),
        (2, recorded(recording, "stderr")),
    ):
        while output:
            output = output[os.write(descriptor, output) :]


def of_this_run(payload: str, installation_id: str, began: float) -> str:
    """The payload with this HOME's id, a time of now, and no duration longer than this run."""
    # The first entry is the run itself, and its duration is the longest.
    longest = max(map(float, re.findall(r":duration: (\S+)", payload)))
    share = (time.time() - began) / longest
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began))
    payload = re.sub(r"(:installation_id: ).*", rf"\g<1>{installation_id}", payload)
    payload = re.sub(r"(:run_timestamp: ).*", rf"\g<1>'{timestamp}'", payload)
    return re.sub(r"(:duration: )(\S+)", lambda found: f"{found[1]}{float(found[2]) * share!r}", payload)


def write_payload(workstation: str, payload: str) -> None:
    number = 1
    while os.path.exists(path := os.path.join(workstation, "telemetry", f"telemetry-payload-{number}.yml")):
        number += 1
    with open(path, "w", encoding="utf-8") as file:
        file.write(payload)


def end(status: int) -> None:
    """Exit with the status, or die by the signal that it stands for."""
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()

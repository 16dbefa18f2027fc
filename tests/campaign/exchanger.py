"""Somebody else who can reach a folder, and exchanges what lies in it: exchanger.py UID SEED FOLDER OUTSIDE

Until its standard input ends, it puts something else in the place of a file or folder, for a moment, and puts back what
was there. The folder is entered before it becomes the other user, so that it need not be able to reach it from above.
"""

from __future__ import annotations

import ctypes
import os
import random
import select
import sys
import time

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
BAIT = "bait"  # what a file holds that is put in the place of another
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_LONGEST = 0.01  # seconds that something else is there, and that all is as it was
_FILES = (
    *("receipts.jsonl", ".next-attempt", ".lock", ".notice", ".dropped", ".hosts-key", "telemetry-payload-1.yml"),
    "rejected",
)


def main(uid: int, seed: str, folder: str, outside: str) -> None:
    os.chdir(folder)
    if uid != os.geteuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    chance = random.Random(seed)
    names = _names(chance)
    print("ready", flush=True)
    count = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        count += 1
        name = chance.choice(names)
        bait = f"notes-bait-{count}" if "/" not in name else f"{os.path.dirname(name)}/notes-bait-{count}"
        try:
            _lay(bait, chance, outside)
            _exchange_for_a_moment(name, bait, _pause(chance))
        except OSError:
            pass  # there is no such folder now, or it is not ours to change
        _take_up(bait)
        time.sleep(_pause(chance))


def _names(chance: random.Random) -> list[str]:
    """What is exchanged: some of what may be there, and so more often."""
    telemetry = "telemetry" if os.path.isdir("telemetry") else ".chef-workstation/telemetry"
    folder = os.path.dirname(telemetry)
    sessions = [name for name in sorted(os.listdir(telemetry)) if name.startswith("session-")]
    inside = [f"{telemetry}/{name}" for name in (*_FILES, *sessions)]
    above = [os.path.join(folder, name) for name in ("installation_id", "logs", "telemetry")]
    candidates = [*inside, *above, telemetry, *([folder] if folder else [])]
    return chance.sample(candidates, chance.randint(1, len(candidates)))


def _pause(chance: random.Random) -> float:
    """Mostly short: what is looked for happens between two system calls."""
    return chance.random() ** 4 * _LONGEST


def _lay(bait: str, chance: random.Random, outside: str) -> None:
    kind = chance.choice(["link", "link", "link", "fifo", "folder", "file"])
    if kind == "link":
        precious = ["precious", "telemetry", "empty", "telemetry/receipts.jsonl", "not there", "empty/not there"]
        os.symlink(f"{outside}/{chance.choice(precious)}", bait)
    elif kind == "fifo":
        os.mkfifo(bait, 0o666)
    elif kind == "folder":
        os.mkdir(bait, 0o777)
    else:
        with open(bait, "x") as file:
            file.write(BAIT)


def _exchange_for_a_moment(name: str, bait: str, seconds: float) -> None:
    if not _exchange(name, bait):
        return  # nothing is there
    time.sleep(seconds)
    if not _exchange(name, bait):  # somebody has removed what was there meanwhile
        os.rename(bait, name)


def _exchange(one: str, other: str) -> bool:
    """Exchange two names in one step, as only Linux can."""
    renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def _take_up(bait: str) -> None:
    """Remove it; not what somebody has put into it."""
    for remove in (os.unlink, os.rmdir):
        try:
            remove(bait)
        except OSError:
            pass  # it is of the other kind, or not empty


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])

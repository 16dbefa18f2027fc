"""What was sent: one line for each session that the service acknowledged, for people to check against `show --wire`."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from typing import Any

from launcher.home import files
from launcher.home.layout import RECEIPTS, Home

MAX_RECEIPTS_SIZE = 256 * 1024  # bytes; beyond that, the older half is removed
# What a receipt holds, as `add` writes it, with the types of each value.
SHAPE: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("day", "session", "endpoint", "sha256"), (str,)),
    "status": (int, type(None)),
    "bytes": (int,),
}
RESERVED_SIZE = 4096  # bytes that must be free on disk before anything is sent: a dozen receipts


def make_ready(home: Home) -> None:
    """Make sure that receipts can be written. Raises OSError: nothing may be sent without leaving a receipt."""
    size = _reserve(home)
    if size > MAX_RECEIPTS_SIZE:
        try:
            home.telemetry.replace(RECEIPTS, home.telemetry.read_last_lines(RECEIPTS, MAX_RECEIPTS_SIZE // 2))
        except FileNotFoundError:
            pass  # somebody has removed them meanwhile


def obstacle(home: Home) -> str | None:
    """Why no receipt can be written to the file that is there; None if one can, or there is none yet."""
    if not home.telemetry.has(RECEIPTS):
        return None
    try:
        os.close(_open(home))
    except FileNotFoundError:
        return None  # removed meanwhile
    except OSError as error:
        return f"{path(home)} cannot be written to ({error.strerror})"
    return None


def _open(home: Home, more: int = 0) -> int:
    return home.telemetry.open_ours(RECEIPTS, os.O_WRONLY | os.O_APPEND | more)


def _reserve(home: Home) -> int:
    """Make sure that there is room for more of them. Returns their size."""
    descriptor = _open(home, os.O_CREAT)
    try:
        size = os.fstat(descriptor).st_size
        try:
            files.write_all(descriptor, b"\n" * RESERVED_SIZE)
        finally:
            os.ftruncate(descriptor, size)
    finally:
        os.close(descriptor)
    return size


def add(home: Home, sessions: Iterable[str], *, day: str, endpoint: str, status: int | None, body: bytes) -> None:
    """Write the receipts of the sessions that one request carried; `settle` waits until they are on disk.

    For the holder of the sender's lock only. Raises OSError.
    """
    sent = {"endpoint": endpoint, "status": status, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    lines = [json.dumps({"day": day, "session": session, **sent}) + "\n" for session in sessions]
    home.telemetry.append(RECEIPTS, "".join(lines).encode())


def settle(home: Home) -> None:
    """Wait until all receipts are on disk. Raises OSError."""
    home.telemetry.append(RECEIPTS, b"", durable=True)


def discard(home: Home) -> list[str]:
    """Remove all receipts. The path of the file, if it cannot be removed."""
    if home.telemetry.remove(RECEIPTS) or not home.telemetry.has(RECEIPTS):
        return []
    return [path(home)]


def path(home: Home) -> str:
    """The path of the file, for people."""
    return os.path.join(home.telemetry.path, RECEIPTS)


def read(home: Home) -> list[dict[str, Any]]:
    """The receipts, oldest first. Lines that are not receipts are skipped."""
    try:
        lines = home.telemetry.read_last_lines(RECEIPTS, 2 * MAX_RECEIPTS_SIZE).splitlines()
    except OSError:
        return []
    receipts = []
    for line in lines:
        try:
            receipt = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_receipt(receipt):
            receipts.append(receipt)
    return receipts


def _is_receipt(line: Any) -> bool:
    if not isinstance(line, dict) or line.keys() != SHAPE.keys():
        return False
    return all(type(line[key]) in kinds for key, kinds in SHAPE.items()) and line["bytes"] >= 0

"""Turning telemetry off and on for good: the one thing that the launcher writes into config.toml.

chef-run and other programs use the file too. Only `enabled` under [telemetry] changes: comments, order, line ends and
unknown keys stay as they are, byte for byte.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import MutableMapping

import tomlkit
from tomlkit.exceptions import TOMLKitError

from launcher.consent import config, toml
from launcher.home import files
from launcher.home.layout import Home


class Unchangeable(Exception):
    """config.toml cannot be changed. The text says why, and quotes nothing of the file, which may hold secrets."""


def set_enabled(home: Home, enabled: bool) -> bool:
    """Set [telemetry] enabled; False if the file did not have to be changed.

    Both spellings, `enabled` and `enable`, are set if they are there. The file is replaced as a whole, and keeps its
    mode and owner; if it is a symlink, the file that it leads to is. Raises Unchangeable, OSError.
    """
    path = os.path.realpath(home.config)
    while True:
        before = _status(path)
        try:
            old = files.read(path, config.MAX_CONFIG_SIZE) if before else b""
        except (files.NotARegularFile, files.TooLarge) as error:
            raise Unchangeable(error.strerror) from None
        new = _with_enabled(old, enabled)
        if new == old:
            return False
        if _replace(home, path, before, new):
            return True


def _replace(home: Home, path: str, before: os.stat_result | None, new: bytes) -> bool:
    """Replace the file by the new content; False if another program has written it meanwhile."""
    files.make_directory(home.directory)
    temporary = files.temporary_name(path)
    # On disk, so that what is off stays off after a power cut; and before the check, since that may take its time.
    files.create(temporary, new, durable=True)
    try:
        if before:
            os.chmod(temporary, stat.S_IMODE(before.st_mode))
            _set_owner(temporary, before)
        if _version(_status(path)) != _version(before):
            return False
        os.replace(temporary, path)
        return True
    finally:
        files.remove(temporary)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _version(status: os.stat_result | None) -> tuple[int, ...] | None:
    return status and (status.st_ino, status.st_size, status.st_mtime_ns)


if sys.platform == "win32":

    def _set_owner(path: str, like: os.stat_result) -> None:
        """Does nothing: a file belongs to whoever creates it."""

else:

    def _set_owner(path: str, like: os.stat_result) -> None:
        """Give the file the owner and group of another. Raises Unchangeable."""
        try:
            os.chown(path, like.st_uid, like.st_gid)
        except PermissionError:
            raise Unchangeable("it belongs to another user") from None


def _with_enabled(old: bytes, enabled: bool) -> bytes:
    try:
        toml.parse(old)
        document = tomlkit.parse(old.decode())
    except (TOMLKitError, ValueError):
        raise Unchangeable("it is not valid TOML, and telemetry is off for as long as that is so") from None
    if tomlkit.dumps(document).encode() != old:
        raise Unchangeable("it would not stay as it is; please edit it by hand")
    telemetry = document.get("telemetry")
    if telemetry is None:
        if enabled:
            return old  # nothing disables it
        document["telemetry"] = tomlkit.table()
        telemetry = document["telemetry"]
    if not isinstance(telemetry, MutableMapping):
        raise Unchangeable("telemetry is not a table in it")
    keys = [key for key in ("enabled", "enable") if key in telemetry]
    if not keys and not enabled:
        keys = ["enabled"]
    for key in keys:
        telemetry[key] = enabled
    new = tomlkit.dumps(document).encode()
    if old.count(b"\n") == old.count(b"\r\n") > 0:
        new = new.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    _check_meaning(new, old, enabled)
    return new


def _check_meaning(new: bytes, old: bytes, enabled: bool) -> None:
    """Make sure that, as the decision reads it, only the switch has changed. Raises Unchangeable."""
    after, before = toml.parse(new), toml.parse(old)
    telemetry, old_telemetry = after.pop("telemetry", {}), before.pop("telemetry", {})
    switches = {key: telemetry.pop(key, enabled) for key in ("enabled", "enable")}
    kept = {key: value for key, value in old_telemetry.items() if key not in switches}
    if set(switches.values()) != {enabled} or telemetry != kept or after != before:
        raise Unchangeable("it would come to mean something else; please edit it by hand")

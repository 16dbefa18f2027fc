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
from launcher.consent.decision import SWITCHES
from launcher.home import files
from launcher.home.layout import Home


class Unchangeable(Exception):
    """config.toml cannot be changed. The text says why, and quotes nothing of the file, which may hold secrets."""


def set_enabled(home: Home, enabled: bool) -> bool:
    """Set [telemetry] enabled; False if the file did not have to be changed.

    Both SWITCHES are set if they are there. The file is replaced as a whole, and keeps its
    mode and owner; if it is a symbolic link that nobody else can have made, the file that it leads to is. Raises
    Unchangeable, OSError.
    """
    directory, name = _place(home)
    try:
        while True:
            before: os.stat_result | None = None
            old = b""
            try:
                old, before = directory.read_with_status(name, config.MAX_CONFIG_SIZE)
            except FileNotFoundError:
                pass
            except (files.NotARegularFile, files.TooLarge) as error:
                raise Unchangeable(error.strerror) from None
            new = _with_enabled(old, enabled)
            if new == old:
                return False
            if directory is home.workstation:
                directory.make()
            if _replace(directory, name, before, new):
                return True
    finally:
        if directory is not home.workstation:
            directory.close()


def _place(home: Home) -> tuple[files.Directory, str]:
    """The directory that config.toml lies in, and its name there. Raises Unchangeable, OSError."""
    own, name = home.workstation, os.path.basename(home.config)
    try:
        if not stat.S_ISLNK(own.status(name).st_mode):
            return own, name
    except FileNotFoundError:
        return own, name
    if files.others_can_write(own.status(".")):
        raise Unchangeable(f"it is a symbolic link, and others can write to {own.path}")
    path, name = os.path.split(os.path.realpath(home.config))
    return files.Directory(path), name


def _replace(directory: files.Directory, name: str, before: os.stat_result | None, new: bytes) -> bool:
    """Replace the file by the new content; False if another program has written it meanwhile."""
    temporary = files.temporary_name(name)
    descriptor = directory.open_new(temporary)
    try:
        try:
            files.write_all(descriptor, new)
            if before:
                _be_like(descriptor, before)
            # On disk, so that what is off stays off after a power cut; before the check, since that may take its time.
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if _version(_status(directory, name)) != _version(before):
            return False
        directory.rename(temporary, name)
        return True
    finally:
        directory.remove(temporary)


def _status(directory: files.Directory, name: str) -> os.stat_result | None:
    try:
        return directory.status(name)
    except FileNotFoundError:
        return None


def _version(status: os.stat_result | None) -> tuple[int, ...] | None:
    return status and (status.st_ino, status.st_size, status.st_mtime_ns)


if sys.platform == "win32":

    def _be_like(descriptor: int, other: os.stat_result) -> None:
        """Does nothing: a file belongs to whoever creates it."""

else:

    def _be_like(descriptor: int, other: os.stat_result) -> None:
        """Give the file the owner, group and mode of another. Raises Unchangeable."""
        status = os.fstat(descriptor)
        try:
            if (status.st_uid, status.st_gid) != (other.st_uid, other.st_gid):
                os.fchown(descriptor, other.st_uid, other.st_gid)
        except PermissionError:
            raise Unchangeable("it belongs to another user") from None
        if stat.S_IMODE(other.st_mode) != stat.S_IMODE(status.st_mode):
            os.fchmod(descriptor, stat.S_IMODE(other.st_mode))


def _with_enabled(old: bytes, enabled: bool) -> bytes:
    try:
        toml.parse(old)
        document = tomlkit.parse(old.decode())
    except (TOMLKitError, ValueError):
        raise Unchangeable("it is not valid TOML; telemetry is off until it is repaired") from None
    if tomlkit.dumps(document).encode() != old:
        raise Unchangeable("other parts of it would change too; edit it by hand")
    telemetry = document.get("telemetry")
    if telemetry is None:
        if enabled:
            return old  # nothing disables it
        document["telemetry"] = tomlkit.table()
        telemetry = document["telemetry"]
    if not isinstance(telemetry, MutableMapping):
        raise Unchangeable("telemetry is not a table in it")
    keys = [key for key in SWITCHES if key in telemetry]
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
    switches = {key: telemetry.pop(key, enabled) for key in SWITCHES}
    kept = {key: value for key, value in old_telemetry.items() if key not in switches}
    if set(switches.values()) != {enabled} or telemetry != kept or after != before:
        raise Unchangeable("its other settings would change too; edit it by hand")

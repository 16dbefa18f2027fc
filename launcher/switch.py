"""Turning telemetry off and on for good: the one thing that the launcher writes into config.toml.

The file is chef-run's, and other programs' too. Nothing in it changes but `enabled` under [telemetry]: comments, order,
line ends and unknown keys stay as they are, byte for byte.
"""

from __future__ import annotations

import os
import stat
from collections.abc import MutableMapping

import tomlkit
from tomlkit.exceptions import TOMLKitError

from launcher import config, files, toml
from launcher.home import Home


class Unchangeable(Exception):
    """config.toml cannot be changed. The text says why, and quotes nothing of it: config files hold secrets."""


def set_enabled(home: Home, enabled: bool) -> bool:
    """Have [telemetry] enabled say so; False if the file does not have to be changed for that.

    Both spellings, `enabled` and `enable`, are set where they stand. All of the file is replaced at once, its mode
    kept; a symlink is written through. Raises Unchangeable, OSError.
    """
    path = os.path.realpath(home.config)
    try:
        old, mode = files.read(path, config.LIMIT), stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        old, mode = b"", 0o600
    except files.NotARegularFile as error:
        raise Unchangeable(error.strerror) from None
    new = _with_enabled(old, enabled)
    if new == old:
        return False
    files.make_folder(home.folder)
    temporary = files.temporary_name(path)
    # Durable: people take it that what they have turned off stays off.
    files.create(temporary, new, durable=True)
    try:
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        files.remove(temporary)
        raise
    return True


def _with_enabled(old: bytes, enabled: bool) -> bytes:
    try:
        document = tomlkit.parse(old.decode())
    except (TOMLKitError, ValueError):
        raise Unchangeable("it is not valid TOML, and telemetry is off for as long as that is so") from None
    if tomlkit.dumps(document).encode() != old:
        raise Unchangeable("it would not stay as it is; please edit it by hand")
    telemetry = document.get("telemetry")
    if telemetry is None:
        if enabled:
            return old  # nothing there disables it
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
    _make_sure(new, old, enabled)
    return new


def _make_sure(new: bytes, old: bytes, enabled: bool) -> None:
    """What is about to be written must mean what is meant, to the reader that decides, and nothing else."""
    said, before = toml.parse(new), toml.parse(old)
    telemetry, rest = said.pop("telemetry", {}), before.pop("telemetry", {})
    switches = {key: telemetry.pop(key, enabled) for key in ("enabled", "enable")}
    kept = {key: value for key, value in rest.items() if key not in switches}
    if set(switches.values()) != {enabled} or telemetry != kept or said != before:
        raise Unchangeable("it would come to mean something else; please edit it by hand")

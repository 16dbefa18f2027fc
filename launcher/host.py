"""This machine's operating system and version (P3)."""

from __future__ import annotations

import sys

from launcher import files
from launcher.small_os import os

OS_RELEASE = "/etc/os-release"
LIMIT = 64 * 1024  # bytes

# What distro makes of an ID of os-release.
NORMALIZED = {"ol": "oracle", "opensuse-leap": "opensuse"}


def operating_system() -> dict[str, str | None]:
    """{"os": …, "version": …}: on Linux the distribution's own id and version; None for what is not known.

    Starts no process: neither `lsb_release` nor `uname`, which distro would ask too.
    """
    if sys.platform == "win32":
        release = sys.getwindowsversion()
        return {"os": "windows", "version": f"{release.major}.{release.minor}.{release.build}"}
    if sys.platform == "darwin":
        import platform

        return {"os": "macos", "version": platform.mac_ver()[0] or None}
    id, version = _plain_os_release() or _by_the_library()
    return {"os": _word(id), "version": _word(version)}


def _plain_os_release() -> tuple[str, str] | None:
    """What os-release says, if that is plain to see: importing distro takes 20 ms, with all that it imports itself."""
    if "UNIXCONFDIR" in os.environ:  # has distro look elsewhere
        return None
    try:
        return plain(files.read(OS_RELEASE, LIMIT, follow=True).decode())
    except (OSError, ValueError):
        return None


def plain(text: str) -> tuple[str, str] | None:
    """The id and the version as distro has them, if every line of os-release is plain and both are there; else None."""
    found = {}
    for line in text.split("\n"):
        line = line.strip(" \t")
        if line and line[0] != "#":
            key, equals, quoted = line.partition("=")
            value = _unquoted(quoted)
            if not equals or not key.isascii() or not key.replace("_", "").isalnum() or value is None:
                return None
            found[key.lower()] = value
    id, version = found.get("id"), found.get("version_id")
    if "\r" in text or not id or not version:
        return None
    id = id.lower().replace(" ", "_")
    return NORMALIZED.get(id, id), version


def _unquoted(value: str) -> str | None:
    """A value without its quotes, if a shell would make nothing else of it; else None."""
    special = " \t#\"'\\"
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        value, special = value[1:-1], "\"'\\"
    return None if set(value) & set(special) or not value.isprintable() else value


def _by_the_library() -> tuple[str, str]:
    from launcher import dependencies

    dependencies.make_importable("distro")
    import distro

    linux = distro.LinuxDistribution(include_lsb=False, include_uname=False)
    return linux.id(), linux.version()


def _word(text: str) -> str | None:
    """One short word, or None: os-release is a file that anybody may have edited."""
    letters = text
    for mark in "._+~-":
        letters = letters.replace(mark, "")
    return text if letters.isascii() and letters.isalnum() and text[0].isalnum() and len(text) <= 32 else None

"""This machine's operating system and version (P3)."""

from __future__ import annotations

import sys

if sys.platform == "win32":

    def operating_system() -> dict[str, str | None]:
        """{"os": …, "version": …}; None for what is not known."""
        release = sys.getwindowsversion()
        return {"os": "windows", "version": f"{release.major}.{release.minor}.{release.build}"}

elif sys.platform == "darwin":
    import platform

    def operating_system() -> dict[str, str | None]:
        """{"os": …, "version": …}; None for what is not known."""
        return {"os": "macos", "version": platform.mac_ver()[0] or None}

else:
    from launcher import make_importable

    make_importable("distro")
    import distro

    def operating_system() -> dict[str, str | None]:
        """{"os": …, "version": …}: the distribution's own id and version; None for what is not known.

        Starts no process: neither `lsb_release` nor `uname`, which distro would ask too.
        """
        linux = distro.LinuxDistribution(include_lsb=False, include_uname=False)
        return described(linux.id(), linux.version())


def described(id: str, version: str) -> dict[str, str | None]:
    """One short word of each, or None: os-release is a file that anybody may have edited."""
    return {"os": _word(id.lower(), "._-"), "version": _word(version, "._+~-")}


def _word(text: str, marks: str) -> str | None:
    letters = text
    for mark in marks:
        letters = letters.replace(mark, "")
    return text if letters.isascii() and letters.isalnum() and text[0].isalnum() and len(text) <= 32 else None

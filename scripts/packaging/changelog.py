"""CHANGELOG.md, and what dpkg and rpm want to have of it.

    ## 0.2.0 (2027-01-31)

    - What has changed for users, in as many lines as it takes.

The newest version comes first; what stands in front of the first is about the file itself.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from datetime import date

HEADING = re.compile(r"## (\S+) \((\d{4}-\d{2}-\d{2})\)")
# Without the locale's names.
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Release:
    """One version, its day, and what has changed in it, each in one line."""

    version: str
    day: date
    changes: list[str]


def parse(text: str) -> list[Release]:
    """Raises ValueError, with what is wrong, unless each heading has a version and a date, the newest first."""
    releases: list[Release] = []
    for line in text.splitlines():
        if line.startswith("## "):
            heading = HEADING.fullmatch(line)
            if not heading:
                raise ValueError(f"CHANGELOG.md: not a version and a date: {line}")
            try:
                day = date.fromisoformat(heading[2])
            except ValueError:
                raise ValueError(f"CHANGELOG.md: no such day: {heading[2]}") from None
            releases.append(Release(heading[1], day, []))
        elif line.startswith("- ") and releases:
            releases[-1].changes.append(line[2:].strip())
        elif line.startswith("  ") and releases and releases[-1].changes:
            releases[-1].changes[-1] += " " + line.strip()
    if not releases:
        raise ValueError("CHANGELOG.md names no version")
    days = [release.day for release in releases]
    if days != sorted(days, reverse=True):
        raise ValueError("CHANGELOG.md: the newest version must come first")
    return releases


def debian(name: str, releases: list[Release], maintainer: str) -> str:
    """As deb-changelog(5) has it."""
    entries = []
    for release in releases:
        changes = [item("  * ", change) for change in release.changes]
        day = f"{weekday(release)}, {release.day.day:02} {month(release)} {release.day.year} 00:00:00 +0000"
        head = f"{name} ({release.version}-1) unstable; urgency=medium"
        entries.append("\n\n".join([head, "\n".join(changes), f" -- {maintainer}  {day}"]) + "\n")
    return "\n".join(entries)


def rpm(releases: list[Release], maintainer: str) -> str:
    """As the %changelog of a .spec has it."""
    entries = []
    for release in releases:
        changes = [item("- ", change) for change in release.changes]
        day = f"{weekday(release)} {month(release)} {release.day.day:02} {release.day.year}"
        entries.append("\n".join([f"* {day} {maintainer} - {release.version}-1", *changes]) + "\n")
    return "\n".join(entries).replace("%", "%%")


def item(mark: str, change: str) -> str:
    """One change, as an item of a list."""
    lines = textwrap.wrap(change, 78 - len(mark), break_on_hyphens=False, break_long_words=False)
    return mark + ("\n" + " " * len(mark)).join(lines)


def weekday(release: Release) -> str:
    return DAYS[release.day.weekday()]


def month(release: Release) -> str:
    return MONTHS[release.day.month - 1]

"""What chef-run's own words tell about the operating systems of its targets. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.command_line import Target

# Chef's platform families first, then the platform names that chef-run says where there is no family.
FAMILIES = ("linux", "windows", "macos", "solaris", "aix")
OS_NAMES = (*FAMILIES, "freebsd", "openbsd", "netbsd", "dragonfly", "hpux", "vmkernel", "qnx")

_UNSUPPORTED = b"' is not a supported target operating system"
_LONGEST = 512


class Observer:
    """Reads chef-run's output as it passes. Keeps at most a few hundred bytes of it."""

    def __init__(self) -> None:
        self._tail = b""
        self._named: set[str] = set()

    def feed(self, data: bytes) -> None:
        """Look at the next piece of output."""
        text = self._tail + data
        here = text.find(_UNSUPPORTED)
        while here >= 0:
            name = text[max(0, here - 32) : here].rpartition(b"'")[2].decode("ascii", "replace")
            if name in OS_NAMES:
                self._named.add(name)
            here = text.find(_UNSUPPORTED, here + 1)
        self._tail = text[-_LONGEST:]

    def report(self) -> bytes:
        """What was found: words of the vocabulary, and nothing else of the output."""
        return " ".join(sorted(self._named)).encode()


def findings(report: bytes) -> dict[str | None, str]:
    """Platform by SHA-1 of the host that the text named; under None, for a line that names no host."""
    words = report.decode("ascii", "replace").split()
    return {None: words[0]} if len(words) == 1 and words[0] in OS_NAMES else {}


def platforms(
    targets: Sequence[Target], payload: Mapping[str, str], found: Mapping[str | None, str]
) -> list[str | None]:
    """The operating system of each target: from chef-run's payload, else from its words, else None."""
    only = found.get(None) if len(targets) == 1 else None
    return [payload.get(target.sha1) or found.get(target.sha1) or only for target in targets]

"""What chef-run itself says of the operating systems of its targets. Pure: bytes in, hashes and names out.

chef-run names a target's platform in two cases only: where it does not support it, and where there is no
package for it. On a terminal and with `[dev] spinner=false` those lines carry `[host]`; with one target the
error at the end carries none and needs none; with several, logs/errors.txt has a line for each host.
"""

from __future__ import annotations

import re

from launcher.reading import hostname_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from launcher.reading.command_line import Target

# Chef's families, as its own session payload has them.
FAMILIES = ("linux", "windows", "macos", "solaris", "aix")

# Everything that a record may say: a family, else a platform as Chef names it. The text of a terminal cannot
# add to it. A report refers to a name by its place.
OS_NAMES = (
    *FAMILIES,
    *("freebsd", "openbsd", "netbsd", "dragonflybsd", "hpux", "openvms", "qnx", "vmkernel"),
    *("arista_eos", "brocade_fos", "cisco_ios", "cisco_ios_xe", "cisco_nexus"),
    *("nexentacore", "omnios", "openindiana", "opensolaris", "smartos"),
    *("almalinux", "alpine", "amazon", "arch", "arista_eos_bash", "balenaos", "centos", "chainguard"),
    *("cloudlinux", "coreos", "debian", "exherbo", "fedora", "gentoo", "kali", "linuxmint", "opensuse"),
    *("oracle", "parallels-release", "raspbian", "redhat", "rocky", "scientific", "slackware", "suse"),
    *("ubios", "ubuntu", "wolfi", "wrlinux", "xenserver", "yocto"),
)

# The package resolver's own words for some of them. `el` is Red Hat or a relative of it: nobody says which.
SPELLINGS = {"darwin": "macos", "mac_os_x": "macos", "solaris2": "solaris", "sles": "suse", "el": "linux"}

# In a map of findings: what was said of the run's only target, without its name.
ONLY_TARGET = ""

# The longest text that has to be seen in one piece is the resolver's message behind a host name of 255 bytes.
WINDOW = 1024
MOST_FINDINGS = 500

# So much output is read as if escape sequences could stand anywhere. They stand between chef-run's sentences,
# as far as anyone has seen, and these are then found without taking every redraw of a spinner apart.
CAREFUL = 1 << 18
# Later still, a chunk of a whole buffer is not chef-run speaking but bulk that passes through its output.
BULK = 1 << 16

# What the sentences that matter end in: without one of these there is nothing to read.
MARKS = (b"not a supported target operating system", b"  platform version: ")
UNSUPPORTED = rb"'([\w.-]{1,40})' is not a supported target operating system"
NO_PACKAGE = rb"No artifacts found matching criteria\."
HOST = rb"\[(\S{1,255})\] "
PLATFORM = rb"  platform: ([\w.-]{1,40})\n  platform version: "
IN_OUTPUT = (
    rb"(?:" + HOST + rb"|\n)" + UNSUPPORTED,
    HOST + NO_PACKAGE + rb"\n(?:  [^\n]{0,80}\n){0,6}?" + PLATFORM,
    rb"\n()" + PLATFORM,
)
IN_ERRORS = (
    rb"(?m)^Host: (\S{1,255}) [^'\n]{0,40}" + UNSUPPORTED,
    rb"(?m)^Host: (\S{1,255}) [^\n]{0,80}" + NO_PACKAGE + rb"[^\n]{0,200}? platform: ([\w.-]{1,40}) "
    rb"platform version: ",
)

# Escape sequences: CSI, OSC, and the rest; and one that has begun at the end of a chunk.
ESCAPE = rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[ -/]*[0-Z\\^-~])"
BEGUN_ESCAPE = rb"\x1b(?:\[[0-?]{0,50}[ -/]{0,5}|\][^\x07\x1b]{0,200}\x1b?|[ -/]{0,5})\Z"
LONGEST_ESCAPE = 204

DIGEST_SIZE = 20  # of SHA-1


class Observer:
    """Reads chef-run's output as it passes, and remembers of it what a report may hold."""

    __slots__ = ("_begun_escape", "_careful", "_found", "_seen")

    def __init__(self) -> None:
        self._found: set[tuple[bytes, int]] = set()
        self._careful = CAREFUL
        self._seen = b"\n"
        self._begun_escape = b""

    def feed(self, data: bytes | memoryview) -> None:
        """Look at the next chunk of output, wherever it was cut."""
        if self._careful > 0:
            self._careful -= len(data)
            data = self._without_escapes(data)
        elif len(data) >= BULK:
            self._seen = b""
            return
        text = self._seen + data
        if MARKS[0] in text or MARKS[1] in text:
            text = self._read(text)
        self._seen = text[-WINDOW:]

    def report(self) -> bytes:
        """The findings: each a SHA-1 sum, zeros where no host was named, and a name's place in OS_NAMES."""
        return b"".join(digest + bytes((place,)) for digest, place in sorted(self._found))

    def _without_escapes(self, data: bytes | memoryview) -> bytes:
        data = (self._begun_escape + data).replace(b"\r", b"")
        self._begun_escape = b""
        if b"\x1b" not in data:
            return data
        begun = re.search(BEGUN_ESCAPE, data[-LONGEST_ESCAPE:])
        self._begun_escape = begun[0] if begun else b""
        return re.sub(ESCAPE, b"", data[: len(data) - len(self._begun_escape)])

    def _read(self, text: bytes) -> bytes:
        """Remember what is said up to the last mark; what comes after it is given back."""
        end = max(text.rfind(mark) + len(mark) for mark in MARKS if mark in text)
        plain = re.sub(ESCAPE, b"", text[:end]).replace(b"\r", b"")
        for host, name in _named(IN_OUTPUT, plain):
            if len(self._found) < MOST_FINDINGS:
                self._found.add((_digest(host), OS_NAMES.index(name)))
        return text[end:]


def _digest(host: bytes) -> bytes:
    return bytes.fromhex(hostname_hash.sha1(host.lower())) if host else bytes(DIGEST_SIZE)


def findings(report: bytes) -> dict[str, str]:
    """Names by SHA-1 sum, from a report or several end to end; nothing from anything else."""
    size = DIGEST_SIZE + 1
    records = [report[start : start + size] for start in range(0, len(report), size)]
    if not all(len(record) == size and record[-1] < len(OS_NAMES) for record in records):
        return {}
    return undisputed(
        (record[:-1].hex() if any(record[:-1]) else ONLY_TARGET, OS_NAMES[record[-1]]) for record in records
    )


def failed_hosts(errors: bytes) -> dict[str, str]:
    """Names by SHA-1 sum, from the text of logs/errors.txt."""
    return undisputed((hostname_hash.sha1(host.lower()), name) for host, name in _named(IN_ERRORS, errors))


def platforms(targets: Sequence[Target], *sources: Mapping[str, str]) -> list[str | None]:
    """The operating system of each target: what the first source that knows it says; None where none does.

    A source maps SHA-1 sums of host names to names of OS_NAMES. What it says of ONLY_TARGET counts where
    there is one target.
    """
    return [_platform(target.sha1, len(targets) == 1, sources) for target in targets]


def _platform(sha1: str, only: bool, sources: Iterable[Mapping[str, str]]) -> str | None:
    for source in sources:
        name = source.get(sha1) or (source.get(ONLY_TARGET) if only else None)
        if name in OS_NAMES:
            return name
    return None


def _named(patterns: Iterable[bytes], text: bytes) -> Iterable[tuple[bytes, str]]:
    """Hosts (empty where none is named) and platforms of the vocabulary, as they stand in the text."""
    for pattern in patterns:
        for host, word in re.findall(pattern, text):
            name = word.decode("ascii", "replace").lower()
            name = SPELLINGS.get(name, name)
            if name in OS_NAMES:
                yield host, name


def undisputed(said: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What was said of each host; nothing of one of which two things were said: two ports of it, maybe."""
    heard: dict[str, set[str]] = {}
    for host, name in said:
        heard.setdefault(host, set()).add(name)
    return {host: names.pop() for host, names in heard.items() if len(names) == 1}

"""What chef-run itself says of the operating systems of its targets. Pure: bytes in, hashes and names out.

chef-run names a target's platform in two cases only: where it does not support it, and where there is no
package for it. On a terminal and with `[dev] spinner=false` those lines carry `[host]`; with one target the
error at the end carries none and needs none; with several, logs/errors.txt has a line for each host.

The text may be anything, and of any size: whatever reads it takes time in proportion to it.
"""

from __future__ import annotations

import re

from launcher.reading import hostname_hash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from launcher.reading.command_line import Target

# Chef's families, as its own session payload has them.
FAMILIES = ("linux", "windows", "macos", "solaris", "aix")

# Platforms that belong to one of these families, as Chef's connection library sorts them. All others have none.
SOLARIS = ("nexentacore", "omnios", "openindiana", "opensolaris", "smartos")
LINUX = (
    *("almalinux", "alpine", "amazon", "arch", "arista_eos_bash", "balenaos", "centos", "chainguard"),
    *("cloudlinux", "coreos", "debian", "exherbo", "fedora", "gentoo", "kali", "linuxmint", "opensuse"),
    *("oracle", "parallels-release", "raspbian", "redhat", "rocky", "scientific", "slackware", "suse"),
    *("ubios", "ubuntu", "wolfi", "wrlinux", "xenserver", "yocto"),
)
FAMILY = {**dict.fromkeys(SOLARIS, "solaris"), **dict.fromkeys(LINUX, "linux")}

# Everything that a record may say: a family, else a platform as Chef names it. The text of a terminal cannot
# add to it. A report refers to a name by its place.
OS_NAMES = (
    *FAMILIES,
    *("freebsd", "openbsd", "netbsd", "dragonflybsd", "hpux", "openvms", "qnx", "vmkernel"),
    *("arista_eos", "brocade_fos", "cisco_ios", "cisco_ios_xe", "cisco_nexus"),
    *SOLARIS,
    *LINUX,
)

# The package resolver's own words for some of them. `el` is Red Hat or a relative of it: nobody says which.
SPELLINGS = {"darwin": "macos", "mac_os_x": "macos", "solaris2": "solaris", "sles": "suse", "el": "linux"}

# What a source says of the hosts that it names: names of OS_NAMES by SHA-1 hash, an empty set if it tells no system.
Claims = dict[str, set[str]]

# In claims: what was said of the run's only target, without its name.
ONLY_TARGET = ""

# What the two sentences have after and before the platform's name.
UNSUPPORTED = b"' is not a supported target operating system"
PLATFORM, PLATFORM_VERSION = b"  platform: ", b"\n  platform version: "
NO_PACKAGE = b"No artifacts found matching criteria."
NO_PACKAGE_LINES = 7  # from the platform's line back to that one, at the most

FAILED_HOST = re.compile(rb"^Host: (\S+) ([^\n]*)", re.MULTILINE)  # a line of errors.txt

# Each sentence ends in one of these: without them there is nothing to read.
MARKS = (UNSUPPORTED, PLATFORM_VERSION)
ANY_MARK = re.compile(b"|".join(map(re.escape, MARKS)))

MAX_HOST_SIZE = 255
# How far before its mark a sentence can begin: the package resolver's message behind a host name of that size.
WINDOW = 1024
KEPT = WINDOW + max(map(len, MARKS))

# So much output is read whatever it is, and as if escape sequences could stand anywhere.
CAREFUL_SIZE = 1 << 20
# Only by redrawing its spinner does chef-run itself write more. Of the next so many bytes, the rows of failed targets
# are read, which have this mark; anything else costs next to nothing. What follows is not looked at: a row is redrawn
# with one or two KB a second, and with as many as a record has room for, every target has been connected to by then.
ROWS_SIZE = 1 << 24
FAILED = "\N{HEAVY MULTIPLICATION X}".encode()

# Escape sequences: CSI, OSC, and the rest; and one that has begun at the end of a chunk. Longer ones are none.
ESCAPE = re.compile(rb"\x1b(?:\[[0-?]{0,50}[ -/]{0,5}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[ -/]{0,5}[0-Z\\^-~])")
BEGUN_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]{0,50}[ -/]{0,5}|\][^\x07\x1b]{0,200}\x1b?|[ -/]{0,5})\Z")
MAX_ESCAPE_SIZE = 204

DIGEST_SIZE = 20  # of SHA-1
MAX_FINDINGS = 500


class Observer:
    """Reads chef-run's output as it passes, and remembers of it what a report may hold.

    The findings are the same wherever the output is cut.
    """

    __slots__ = ("_begun_escape", "_careful", "_found", "_rows", "_seen")

    def __init__(self) -> None:
        self._found: set[tuple[bytes, int]] = set()
        self._careful, self._rows = CAREFUL_SIZE, ROWS_SIZE  # bytes that are still to be read so
        self._seen = b"\n"
        self._begun_escape = b""

    def feed(self, data: bytes | memoryview) -> None:
        """Look at the next chunk of output."""
        if self._careful:
            beginning = data[: self._careful]
            self._careful -= len(beginning)
            self._look_at(self._without_escapes(beginning), is_careful=True)
            if self._careful:
                return
            data = self._begun_escape + data[len(beginning) :]
        if self._rows:
            data = data[: self._rows]
            self._rows -= len(data)
            self._look_at(data, is_careful=False)

    def report(self) -> bytes:
        """The findings: each a SHA-1 hash, zeros where no host was named, and a name's place in OS_NAMES.

        Empty if there are too many, which could not all be told: two of them may be about one host.
        """
        if len(self._found) > MAX_FINDINGS:
            return b""
        return b"".join(digest + bytes((place,)) for digest, place in sorted(self._found))

    def _without_escapes(self, data: bytes | memoryview) -> bytes:
        data = (self._begun_escape + data).replace(b"\r", b"")
        if b"\x1b" not in data:
            return data
        begun = BEGUN_ESCAPE.search(data, max(0, len(data) - MAX_ESCAPE_SIZE))
        self._begun_escape = begun[0] if begun else b""
        return ESCAPE.sub(b"", data[: begun.start()] if begun else data)

    def _look_at(self, data: bytes | memoryview, *, is_careful: bool) -> None:
        text = self._seen + data
        # One byte is found in no time, and most output has none.
        if (is_careful or FAILED[-1:] in text) and any(mark in text for mark in MARKS):
            text = self._read(text, b"" if is_careful else FAILED)
        self._seen = text[-KEPT:]

    def _read(self, text: bytes, needed: bytes) -> bytes:
        """Remember the sentences that have this before their mark. What follows the last mark is given back."""
        end = 0
        for mark in ANY_MARK.finditer(text):
            before = text[max(end, mark.start() - WINDOW) : mark.start()]
            end = mark.end()
            if needed in before and len(self._found) <= MAX_FINDINGS:
                sentence = _unsupported if mark[0] == UNSUPPORTED else _without_package
                host, name = sentence(_plain(before))
                if name is not None:
                    digest = bytes(DIGEST_SIZE) if host is None else bytes.fromhex(_hash(host))
                    self._found.add((digest, OS_NAMES.index(name)))
        return text[end:]


def _plain(text: bytes) -> bytes:
    """Without escape sequences and carriage returns."""
    return ESCAPE.sub(b"", text.replace(b"\r", b""))


def _unsupported(before: bytes) -> tuple[bytes | None, str | None]:
    """The host, None if it is not named, and the platform, None if this is not a sentence of chef-run's.

    The sentence begins a line, or it stands behind `[host] `.
    """
    before, _, word = before.rpartition(b"'")
    host = _host(before)
    return host, _name(word) if host is not None or before.endswith(b"\n") else None


def _without_package(before: bytes) -> tuple[bytes | None, str | None]:
    """As `_unsupported` does, of the message that there is no package."""
    before, newline, line = before.rpartition(b"\n")
    if not newline or not line.startswith(PLATFORM):
        return None, None
    name = _name(line[len(PLATFORM) :])
    for line in reversed(before.rsplit(b"\n", NO_PACKAGE_LINES)[-NO_PACKAGE_LINES:]):
        if line.endswith(NO_PACKAGE):
            return _host(line[: -len(NO_PACKAGE)]), name
        if not line.startswith(b"  "):
            break
    return None, None


def _host(before: bytes) -> bytes | None:
    """The name in the `[name] ` that ends a text; None if it does not end so."""
    if not before.endswith(b"] "):
        return None
    word = re.split(rb"\s", before[-MAX_HOST_SIZE - 3 : -2])[-1]
    return word.partition(b"[")[2] or None


def _name(word: bytes) -> str | None:
    """The platform as the vocabulary has it; None if it does not have it."""
    name = word.decode("ascii", "replace").lower()
    name = SPELLINGS.get(name, name)
    return name if name in OS_NAMES else None


def _hash(host: bytes) -> str:
    return hostname_hash.sha1(host.lower())


def findings(report: bytes) -> Claims:
    """What a report says, or several end to end; nothing from anything else."""
    size = DIGEST_SIZE + 1
    records = [report[start : start + size] for start in range(0, len(report), size)]
    if not all(len(record) == size and record[-1] < len(OS_NAMES) for record in records):
        return {}
    return claims((record[:-1].hex() if any(record[:-1]) else ONLY_TARGET, OS_NAMES[record[-1]]) for record in records)


def failed_hosts(errors: bytes) -> Claims:
    """What logs/errors.txt says, which has a line for each host that failed."""
    return claims((_hash(line[1]), _platform(line[2])) for line in FAILED_HOST.finditer(errors))


def _platform(error: bytes) -> str | None:
    """The platform that the error of a host names, in one line; None if it names none that the vocabulary has."""
    before, mark, _ = error.partition(UNSUPPORTED)
    if mark:
        return _name(before.rpartition(b"'")[2])
    _, _, package = error.partition(NO_PACKAGE)
    _, _, platform = package.partition(b" platform: ")
    word, mark, _ = platform.partition(b" platform version: ")
    return _name(word) if mark else None


def claims(said: Iterable[tuple[str, str | None]]) -> Claims:
    """All that is said, put together by host."""
    gathered: Claims = {}
    for host, name in said:
        names = gathered.setdefault(host, set())
        if name is not None:
            names.add(name)
    return gathered


def platforms(targets: Sequence[Target], *sources: Mapping[str, Collection[str]]) -> list[str | None]:
    """The operating system of each target: what all that is said of its host agrees on, by whatever source.

    - One name: that one.
    - Several, of which one is the family that all others belong to: the family. It is no less true for being less
      precise: chef-run's payload knows families only, where its text says `rocky` of the same `linux`.
    - Different systems (`linux` and `freebsd`, `rocky` and `opensuse`): None. The sources know a host by its name, and
      one name may stand for several machines, on several ports: nobody can tell which of them was meant.

    What is said of ONLY_TARGET counts where there is one target. Nothing outside OS_NAMES counts at all.
    """
    hosts = [(target.sha1, ONLY_TARGET) if len(targets) == 1 else (target.sha1,) for target in targets]
    return [_agreed({name for source in sources for key in keys for name in source.get(key, ())}) for keys in hosts]


def _agreed(names: set[str]) -> str | None:
    names = names.intersection(OS_NAMES)
    families = {FAMILY.get(name, name) for name in names}
    if len(names) > 1:
        names = names & families if len(families) == 1 else set()
    return names.pop() if names else None

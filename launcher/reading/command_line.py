"""chef-run's own command-line grammar: from its arguments to the hosts that it connects to.

Read as chef-run reads it, in its three steps: Ruby's OptionParser (every spelling of an option), chef-run's
target resolver (comma lists, ranges, credentials), and the URL that its transport library makes of each name.
What leaves this module is hashes and transports: no name, user, password or path.

The three questions that chef-run puts to the file system (is there such a configuration file, identity file,
recipe file) are asked through the parameters `isfile` and `access`; nothing else here touches a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Optional

from launcher.consent.config_option import LOADING, abbreviates, folded, loaded_config
from launcher.reading import hostname_hash

VALUE, FLAG, NEGATABLE = "takes a value", "takes none", "takes none, and has a --no- form"

# chef-run's options: long name, letter (None where it has none), and what it takes.
OPTIONS = (
    ("config", "c", VALUE),
    ("identity-file", "i", VALUE),
    ("protocol", "p", VALUE),
    ("user", None, VALUE),
    ("password", None, VALUE),
    ("cookbook-repo-paths", None, VALUE),
    ("sudo-command", None, VALUE),
    ("sudo-options", None, VALUE),
    ("sudo-password", None, VALUE),
    ("chef-license", None, VALUE),
    ("sudo", None, NEGATABLE),
    ("ssl", None, NEGATABLE),
    ("ssl-verify", None, NEGATABLE),
    ("install", None, NEGATABLE),
    ("version", "v", FLAG),
    ("help", "h", FLAG),
)
LETTERS = {letter: name for name, letter, _ in OPTIONS if letter}
NAMES = {name: takes for name, _, takes in OPTIONS}
NAMES.update(("no-" + name, FLAG) for name, _, takes in OPTIONS if takes is NEGATABLE)
# An option without a value: the same tuple each time, as one word may hold 128 Ki of them.
BARE = {name: (name, None) for name in NAMES}

TRANSPORTS = ("ssh", "winrm")

# So many targets are counted. No session file has room for more, whatever it tells of each.
MAX_TARGETS = 2000
# chef-run's limit on what one name of the comma list may expand to.
MAX_EXPANDED = 24
# Longer ends of a range make no host name; they would only cost time.
MAX_RANGE_END_SIZE = 255

# `^` and `$` are ends of lines in Ruby too, and `.` is no newline.
RANGE = r"(?m)^(.*)\[([^\W_]+):([^\W_]+)\](.*)"
PROPERTY = r"(?m)^[A-Za-z0-9_]+=."
RECIPE = r"(?ma)^[\w-]+(?:::[\w-]+)?$"
URL = r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?"
SCHEME = r"[A-Za-z][A-Za-z0-9.+-]*"
PORT = r"(?m)^[0-9]+$"
# \x1c to \x1f are white space to Python, and not to Ruby.
NOT_IN_HOST = r'[<>{}/\\?#@"]|[^\S\x1c-\x1f]'
IN_BRACKETS = r"[A-Za-z0-9._~!$&'()*+,;=:-]*"


class Target(NamedTuple):
    """A host of this run, as it may be recorded: hex digests of its lower-case name, and the transport."""

    sha256: str
    sha1: str
    transport: str


class Refused(Exception):
    """chef-run refuses this command line. Carries no text: it would be text of the command line."""


def targets(
    arguments: Sequence[str],
    *,
    default_protocol: str = "ssh",
    posixly_correct: bool = False,
    isfile: Callable[[str], bool] = os.path.isfile,
    access: Callable[[str, int], bool] = os.access,
) -> list[Target]:
    """The hosts that chef-run connects to, in its order, as far as MAX_TARGETS.

    A command line that asks for help or the version has no targets, nor has one that chef-run refuses.
    `default_protocol` is what the configuration file says, `posixly_correct` whether POSIXLY_CORRECT is set.
    Never raises.
    """
    try:
        _check_loading(arguments, isfile, access)
        options, positional = parse(arguments, posixly_correct)
        given = [(name, value) for name, value in options if value is not None]
        _check_files(given, access)
        if not arguments or any(name in ("help", "version") for name, _ in options):
            return []
        _check_positional(positional, access)
        protocol = dict(given).get("protocol", default_protocol)
        hosts = (_host(_url(name, protocol)) for name in _names(_checked(positional[0])))
        return list(islice((_target(*host) for host in hosts if host is not None), MAX_TARGETS))
    except (Refused, ValueError):  # os.access raises ValueError for a path with a NUL, as Ruby does
        return []


# Step one: Ruby's OptionParser.

Option = tuple[str, Optional[str]]  # its long name, and its value if it takes one


def parse(arguments: Sequence[str], posixly_correct: bool) -> tuple[list[Option], list[str]]:
    """The options in order, and the positional words.

    Raises Refused where OptionParser raises an error.
    """
    options: list[Option] = []
    positional: list[str] = []
    words = iter(arguments)
    for word in words:
        _checked(word)
        if word == "--":
            return options, [*positional, *words]
        if word.startswith("--"):
            options.append(_long(word, words))
        elif word.startswith("-") and word != "-":
            options.extend(_bundle(word, words))
        elif posixly_correct:
            return options, [*positional, word, *words]
        else:
            positional.append(word)
    return options, positional


def _long(word: str, words: Iterator[str]) -> Option:
    """`--name`, `--name value` or `--name=value`."""
    given, equals, glued = folded(word[2:])
    name = _completed(given)
    if NAMES[name] is VALUE:
        return name, glued if equals else _following(words)
    if equals:
        raise Refused
    return BARE[name]


def _bundle(word: str, words: Iterator[str]) -> Iterator[Option]:
    """`-vp winrm`, `-vpwinrm`: letters, of which the first that takes a value takes all that is left."""
    for here, letter in enumerate(word):
        if letter == "-":
            continue
        name = LETTERS.get(letter) or _completed(letter)
        if NAMES[name] is VALUE:
            yield name, word[here + 1 :] or _following(words)
            return
        yield BARE[name]


def _following(words: Iterator[str]) -> str:
    """The next word as a value, whatever it looks like."""
    for word in words:
        return _checked(word)
    raise Refused


def _completed(given: str) -> str:
    """The name that `given` is short for: the shortest candidate, where all the others only go on from it."""
    if given in NAMES:
        return given
    candidates = [name for name in NAMES if abbreviates(given, name)]
    shortest = min(candidates, key=len, default="")
    if not shortest or not all(name.startswith(shortest) for name in candidates):
        raise Refused
    return shortest


def _checked(word: str) -> str:
    """The word, if it is text: Ruby raises an error where it reads one that is not valid UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError:
        raise Refused from None
    return word


# What chef-run checks before it looks at the targets.


def _check_loading(arguments: Sequence[str], isfile: Callable[[str], bool], access: Callable[[str, int], bool]) -> None:
    if any(flag in arguments for flag in LOADING):
        path = loaded_config(arguments)
        if path is None or not isfile(path) or not access(path, os.R_OK):
            raise Refused


def _check_files(options: list[tuple[str, str]], access: Callable[[str, int], bool]) -> None:
    for name, value in options:
        if name == "config" and not access(value, os.F_OK):
            raise Refused
        if name == "identity-file" and not access(value, os.R_OK):
            raise Refused


def _check_positional(positional: list[str], access: Callable[[str, int], bool]) -> None:
    """Targets, and a recipe (a file, `cookbook`, `cookbook::recipe`) or a resource, name and properties."""
    if len(positional) < 2:
        raise Refused
    if len(positional) == 2:
        recipe = positional[1]
        if not access(recipe, os.F_OK) and not re.search(RECIPE, _checked(recipe)):
            raise Refused
    for word in positional[3:]:
        if not re.search(PROPERTY, _checked(word)):
            raise Refused


# Step two: chef-run's target resolver.


def _names(target: str) -> Iterator[str]:
    """The names of a comma list, each expanded, each once."""
    found = set()
    if target.strip(","):
        for given in dict.fromkeys(_lower(target).rstrip(",").split(",")):
            for name in _expanded(given):
                if name not in found:
                    found.add(name)
                    yield name


def _lower(text: str) -> str:
    """In lower case as Ruby has it: Python writes a capital sigma in another way at the end of a word."""
    return text.replace("\u03a3", "\u03c3").lower()


def _expanded(name: str) -> list[str]:
    """The names that a name with up to two ranges stands for, the last range outermost."""
    names = [name]
    for _ in range(3):
        if not all("[" in one for one in names):  # in no time, and most have none
            return names
        ranges = [re.search(RANGE, one) for one in names]
        if None in ranges:
            return names
        names = [f"{found[1]}{step}{found[4]}" for found in ranges if found for step in _steps(found[2], found[3])]
        if not 0 < len(names) <= MAX_EXPANDED:
            raise Refused
    raise Refused


def _steps(low: str, high: str) -> list[str]:
    """What stands between the ends of a range: numbers, or Ruby's succession of words."""
    if max(len(low), len(high)) > MAX_RANGE_END_SIZE:
        raise Refused
    first, last = _integer(low), _integer(high)
    if first is not None and last is not None:
        return _numbers(min(first, last), max(first, last), 0)
    if first is not None or last is not None:
        raise Refused
    low, high = min(low, high), max(low, high)
    if low.isdigit() and high.isdigit():  # such as 08, which is no number: the zeros stay
        return _numbers(int(low), int(high), len(low))
    return _words(low, high)


def _integer(word: str) -> int | None:
    """What Ruby's `Integer()` makes of a word: 10, 0d10, 0xa, 0o12, 012 and 0b1010 are the same."""
    for prefix, base in (("0x", 16), ("0o", 8), ("0b", 2), ("0d", 10), ("0", 8), ("", 10)):
        digits = word[len(prefix) :]
        if word.startswith(prefix) and digits:
            return int(digits, base) if set(digits) <= set("0123456789abcdef"[:base]) else None
    return None


def _numbers(first: int, last: int, width: int) -> list[str]:
    if last - first >= MAX_EXPANDED:
        raise Refused
    return [str(number).zfill(width) for number in range(first, last + 1)]


def _words(low: str, high: str) -> list[str]:
    if not low.isascii():
        raise Refused
    if len(low) == len(high) == 1 and high.isascii():
        return [chr(code) for code in range(ord(low), ord(high) + 1)]
    found: list[str] = []
    word, beyond = low, _successor(high)
    while word != beyond and len(found) <= MAX_EXPANDED:
        found.append(word)
        if word == high:
            break
        word = _successor(word)
        if len(word) > len(high.encode()):
            break
    return found


def _successor(word: str) -> str:
    """The word after this one: a9 is followed by b0, zz by aaa."""
    stem = word.rstrip("9z")
    carried = "".join("0" if letter == "9" else "a" for letter in word[len(stem) :])
    if stem:
        return stem[:-1] + chr(ord(stem[-1]) + 1) + carried
    return ("1" if word[0] == "9" else "a") + carried


# Step three: the URL that the transport library makes of each name.


def _url(name: str, protocol: str) -> str:
    """The URL that chef-run hands on: the name's own scheme or the run's protocol, and no credentials."""
    prefixed = next((line for line in name.split("\n") if "://" in line[1:]), None)
    if prefixed is not None:
        end = prefixed.index("://", 1)
        protocol, name = prefixed[:end], prefixed[end + 3 :]
        if protocol not in TRANSPORTS:
            raise Refused
    with_credentials = next((line for line in name.split("\n") if "@" in line), name)
    return f"{protocol}://{with_credentials.rpartition('@')[2]}"


def _host(url: str) -> tuple[str, str] | None:
    """The host and the transport; None for a URL that names no host, with which chef-run connects to nothing.

    The library lets the query of a URL overrule the rest of it: `ssh://web01?host=web02` is web02.
    """
    parts = re.match(URL, url)
    scheme, authority, path, query = parts.groups() if parts else (None, None, "", None)
    if not scheme or not re.fullmatch(SCHEME, scheme):
        raise Refused
    host, port = _host_and_port(authority or "")
    if not host and not path:
        if scheme == "ssh" or port:
            raise Refused
        authority = None
    overruled = _query(query or "")
    transport = overruled.get("backend", scheme)
    if transport not in TRANSPORTS:  # there are others (mock, local), and none of them reaches a host
        raise Refused
    plain = host[1:-1] if _bracketed(host) else host
    named = overruled.get("host", None if authority is None else plain)
    return None if named is None else (named, transport)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """The host and the port, None if there is none or it is 0."""
    host = re.sub(r"^[^\[\]]*@", "", authority)
    name, colon, ending = host.rpartition(":")
    port = None
    if colon and not set(ending) & set("@[]"):
        host = name
        digits = re.search(PORT, _decoded(ending))
        if ending and not digits:
            raise Refused
        port = int(digits[0].lstrip("0")[:5] or "0") or None if digits else None
    if "\n" in authority or re.search(NOT_IN_HOST, host):
        raise Refused
    if _bracketed(host) and not re.fullmatch(IN_BRACKETS, host[1:-1]):
        raise Refused
    return host, port


def _bracketed(host: str) -> bool:
    return host.startswith("[") and host.endswith("]")


def _query(query: str) -> dict[str, str | None]:
    """The values of a query, of which the last of several counts."""
    found: dict[str, str | None] = {}
    for pair in dict.fromkeys(reversed(query.split("&"))):
        key, equals, value = pair.partition("=")
        found.setdefault(_decoded(key), _decoded(value) if equals else None)
    return found


def _decoded(text: str) -> str:
    """Without percent-encoding."""
    if "%" not in text:
        return text
    raw = re.sub(b"%([0-9A-Fa-f]{2})", lambda code: bytes([int(code[1], 16)]), text.encode())
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Refused from None


def _target(host: str, transport: str) -> Target:
    name = _lower(host).encode()
    return Target(hostname_hash.sha256(name), hostname_hash.sha1(name), transport)

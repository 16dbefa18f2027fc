"""chef-run's own command-line grammar: from its arguments to the hosts that it connects to.

Pure: no file, no environment, no process. What leaves this module is hashes and transports.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

VALUE, NONE, NEGATABLE = "value", "none", "negatable"

# chef-run's options: long name -> (short letter, what it takes).
OPTIONS = {
    "config": ("c", VALUE),
    "identity-file": ("i", VALUE),
    "protocol": ("p", VALUE),
    "user": ("", VALUE),
    "password": ("", VALUE),
    "cookbook-repo-paths": ("", VALUE),
    "sudo-command": ("", VALUE),
    "sudo-options": ("", VALUE),
    "sudo-password": ("", VALUE),
    "chef-license": ("", VALUE),
    "ssl": ("", NEGATABLE),
    "ssl-verify": ("", NEGATABLE),
    "sudo": ("", NEGATABLE),
    "install": ("", NEGATABLE),
    "version": ("v", NONE),
    "help": ("h", NONE),
}


class Target:
    """A host of this run, as it may be recorded: hex digests of its lower-case name, and the transport."""

    __slots__ = ("sha1", "sha256", "transport")

    def __init__(self, sha256: str, sha1: str, transport: str) -> None:
        self.sha256 = sha256
        self.sha1 = sha1
        self.transport = transport


class Refused(Exception):
    """chef-run refuses this command line."""


def config_files(arguments: Sequence[str]) -> list[str]:
    """Every file that ``-c`` or ``--config`` could name in these arguments."""
    found = []
    for here, argument in enumerate(arguments):
        name, equals, glued = argument.partition("=")
        name = name.lower().replace("_", "-")
        if name.startswith("--c") and ("--config-path".startswith(name)):
            found += [glued] if equals else list(arguments[here + 1 : here + 2])
        elif argument.startswith("-") and not argument.startswith("--") and "c" in argument:
            glued = argument.partition("c")[2]
            found += [glued, glued[1:]] if glued else list(arguments[here + 1 : here + 2])
    return [path for path in found if path]


def loaded_config(arguments: Sequence[str]) -> str | None:
    """The configuration file that chef-run loads instead of the default: the word after the first ``-c``."""
    for flag in ("-c", "--config-path"):
        if flag in arguments:
            following = arguments.index(flag) + 1
            return arguments[following] if following < len(arguments) else None
    return None


def targets(
    arguments: Sequence[str], *, default_protocol: str = "ssh", posixly_correct: bool = False
) -> list[Target]:
    """The hosts that chef-run connects to, in its order; none where it connects to none."""
    try:
        options, positional = _parse(list(arguments), posixly_correct)
        if "help" in options or "version" in options or len(positional) < 2:
            return []
        protocol = options.get("protocol", default_protocol)
        return [_target(url, protocol) for url in _expand(positional[0].lower())]
    except Refused:
        return []


def _parse(words: list[str], posixly_correct: bool) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    positional: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            return options, positional + words
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            name, takes = _complete(name.replace("_", "-"))
            if takes == VALUE and not equals:
                if not words:
                    raise Refused
                value = words.pop(0)
            elif takes != VALUE and equals:
                raise Refused
            options[name] = value
        elif word.startswith("-") and word != "-":
            name, takes = _short(word[1])
            rest = word[2:]
            if takes == VALUE:
                if not rest and not words:
                    raise Refused
                options[name] = rest or words.pop(0)
            else:
                options[name] = ""
                if rest:
                    words.insert(0, "-" + rest)
        elif posixly_correct:
            return options, [word, *words]
        else:
            positional.append(word)
    return options, positional


def _short(letter: str) -> tuple[str, str]:
    for name, (short, takes) in OPTIONS.items():
        if short == letter:
            return name, takes
    return _complete(letter)


def _complete(given: str) -> tuple[str, str]:
    given = given.lower()
    spellings = dict.fromkeys(OPTIONS)
    spellings.update(dict.fromkeys("no-" + name for name, (_, takes) in OPTIONS.items() if takes == NEGATABLE))
    matching = [given] if given in spellings else [name for name in spellings if name.startswith(given)]
    if len(matching) != 1:
        raise Refused
    return matching[0], OPTIONS[matching[0][3:] if matching[0].startswith("no-") else matching[0]][1]


def _expand(hosts: str) -> list[str]:
    import re

    found: dict[str, None] = {}
    for name in hosts.rstrip(",").split(","):
        expanded = [name]
        for low, high in reversed(re.findall(r"\[([0-9a-z]+):([0-9a-z]+)\]", name)):
            if low.isdigit() != high.isdigit():
                raise Refused
            steps: list[str]
            if low.isdigit():
                if abs(int(low) - int(high)) >= 24:
                    raise Refused
                steps = [str(n) for n in range(min(int(low), int(high)), max(int(low), int(high)) + 1)]
            elif len(low) == len(high) == 1:
                steps = [chr(n) for n in range(ord(min(low, high)), ord(max(low, high)) + 1)]
            else:
                raise Refused
            expanded = [one.replace(f"[{low}:{high}]", step) for step in steps for one in expanded]
            if len(expanded) > 24:
                raise Refused
        found.update(dict.fromkeys(expanded))
    return list(found)


def _target(url: str, protocol: str) -> Target:
    import hashlib
    import os

    scheme, separator, rest = url.partition("://")
    if separator:
        if scheme not in ("ssh", "winrm"):
            raise Refused
        protocol, url = scheme, rest
    if protocol not in ("ssh", "winrm"):
        raise Refused
    host = url.rpartition("@")[2].partition("/")[0]
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    else:
        name, colon, _ = host.rpartition(":")
        host = name if colon else host
    data = os.fsencode(host)
    return Target(hashlib.sha256(data).hexdigest(), hashlib.sha1(data).hexdigest(), protocol)  # noqa: S324

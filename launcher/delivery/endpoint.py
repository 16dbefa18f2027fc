"""Where sessions are sent to, in which format, and which certificate authorities are trusted there."""

from __future__ import annotations

import ipaddress
import os
import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from launcher.consent.config import in_words
from launcher.consent.situation import Situation

VARIABLE = "CHEF_TELEMETRY_ENDPOINT"
DEFAULT_PORTS = {"https": 443, "http": 80}

# What every reader of a URL takes for the same host and port. Of `https://a.example\.b.example`, urllib.parse makes
# another host than urllib3, which in turn makes `[::1]` of `junk[::1]junk`.
_PLACE = re.compile(
    r"""(?P<host> \[ [0-9a-f:.]+ \] | [a-z0-9_-]{1,63} (?: \. [a-z0-9_-]{1,63} )* )  (?: : (?P<port> [0-9]{0,5} ) )?""",
    re.VERBOSE,
)
_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")  # what may be taken for an IPv4 address


class Refused(Exception):
    """Not the URL of an endpoint. The text says why, and does not quote the URL, which may hold a password."""


class Endpoint(NamedTuple):
    """A base URL, what named it, the format that it takes, and why nothing can be sent to it (None if it can).

    `ca_file` holds the only certificate authorities to trust; None for those that this machine trusts.
    """

    url: str
    named_by: str
    format: str
    ca_file: str | None
    problem: str | None


def choose(situation: Situation) -> Endpoint | None:
    """The endpoint. None if the distribution has none of its own: nothing is ever sent then."""
    if situation.profile.endpoint is None:
        return None
    url, named_by = _preferred_url(situation, default=situation.profile.endpoint)
    config = situation.config
    problem, format, ca_file = None, "chef", None
    try:
        url = _normalized(url)
    except Refused as error:
        problem = str(error)
    if config:
        format = config.text("telemetry", "format") or format
        ca_file = config.text("telemetry", "ca_file")
        if ca_file:
            ca_file = os.path.join(os.path.dirname(config.path), os.path.expanduser(ca_file))
        # It cannot be known what a value that is no string is meant to say; nothing is sent on a guess.
        for key in ("endpoint", "format", "ca_file"):
            if config.get("telemetry", key) is not None and not config.text("telemetry", key):
                problem = f"[telemetry] {key} must be a non-empty string"
                named_by = in_words(config.where("telemetry", key))
    return Endpoint("" if problem else url, named_by, format, ca_file, problem)


def _preferred_url(situation: Situation, default: str) -> tuple[str, str]:
    """The URL that takes precedence, and what names it."""
    policy, config, profile = situation.policy, situation.config, situation.profile
    for section in ("telemetry", None):
        value = policy.get(section, "endpoint")
        if value is not None:
            # A value that is no string is no URL, and is refused.
            where = in_words(policy.where(section, "endpoint"))
            return value if isinstance(value, str) else "", f"endpoint in {where}"
    if situation.variables.get(VARIABLE):
        return situation.variables[VARIABLE], VARIABLE
    if config:
        named = config.text("telemetry", "endpoint")
        if named:
            return named, f"[telemetry] endpoint in {config.path}"
        if any(config.get("telemetry", key) is True for key in ("dev", "dev_mode")):
            return profile.dev_endpoint or default, f"[telemetry] dev in {config.path}"
    return default, f"the default of {profile.name}"


def _normalized(text: str) -> str:
    """The URL as the HTTP library will use it, without a trailing slash. Raises Refused."""
    if not text.isprintable() or " " in text:  # some of which urlsplit would drop
        raise Refused("it contains characters that are not allowed in a URL")
    try:
        parts = urlsplit(text)
    except ValueError:
        raise Refused("it is not a URL") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise Refused("it is not an https:// URL")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise Refused("it must not contain a user, password, query or fragment")
    host, port = place(parts.netloc, parts.scheme)
    if parts.scheme == "http" and not is_loopback(host):
        raise Refused("http:// is allowed for this machine only; use https://")
    if {".", ".."} & set(parts.path.split("/")):
        raise Refused("its path must not contain . or ..")
    if re.search("%(?![0-9A-Fa-f]{2})", parts.path):
        raise Refused("its path contains a % without two hexadecimal digits")
    shown = host if port == DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
    path = re.sub("%..", lambda code: code[0].upper(), quote(parts.path, safe="%/:@!$&'()*+,;="))
    return f"{parts.scheme}://{shown}{path}".rstrip("/")


def place(text: str, scheme: str) -> tuple[str, int]:
    """The host, in lower case and an IPv6 address in brackets, and the port that `text` names: `host`, or `host:port`.

    Raises Refused for what programs read in different ways.
    """
    match = _PLACE.fullmatch(text.lower()) if text.isascii() else None
    if match is None:
        raise Refused("its host or port is invalid")
    host, port = match["host"], int(match["port"] or DEFAULT_PORTS[scheme])
    try:
        if host.startswith("["):
            ipaddress.IPv6Address(host[1:-1])
        elif _NUMERIC.fullmatch(host):
            ipaddress.IPv4Address(host)
    except ValueError:
        raise Refused("its host is not a valid address") from None
    if not 0 < port < 65536:
        raise Refused("its port is invalid")
    return host, port


def host(endpoint: Endpoint) -> str | None:
    """The host that what is sent goes to; None if nothing can be sent there."""
    return urlsplit(endpoint.url).hostname


def is_loopback(host: str) -> bool:
    """Whether a host, given by name or address, is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"

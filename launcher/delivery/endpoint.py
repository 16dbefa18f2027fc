"""Where sessions are sent to, in which format, and which certificate authorities are trusted there."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from launcher.consent.config import Config, Profile

VARIABLE = "CHEF_TELEMETRY_ENDPOINT"
DEFAULT_PORTS = {"https": 443, "http": 80}


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


def choose(variables: Mapping[str, str], config: Config | None, policy: Config, profile: Profile) -> Endpoint | None:
    """The endpoint. None if the distribution has none of its own: nothing is ever sent then."""
    if profile.endpoint is None:
        return None
    url, named_by = _preferred_url(variables, config, policy, profile, default=profile.endpoint)
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
                problem, named_by = f"[telemetry] {key} is no text", config.where("telemetry", key)
    return Endpoint("" if problem else url, named_by, format, ca_file, problem)


def _preferred_url(
    variables: Mapping[str, str], config: Config | None, policy: Config, profile: Profile, default: str
) -> tuple[str, str]:
    """The URL that takes precedence, and what names it."""
    for section, value in (("telemetry", policy.get("telemetry", "endpoint")), ("", policy.tables.get("endpoint"))):
        if value is not None:
            # A value that is no string is no URL, and is refused.
            return value if isinstance(value, str) else "", f"endpoint in {policy.where(section, 'endpoint')}"
    if variables.get(VARIABLE):
        return variables[VARIABLE], VARIABLE
    if config:
        named = config.text("telemetry", "endpoint")
        if named:
            return named, f"[telemetry] endpoint in {config.path}"
        if any(config.get("telemetry", key) is True for key in ("dev", "dev_mode")):
            return profile.dev_endpoint or default, f"[telemetry] dev in {config.path}"
    return default, f"the distribution {profile.name}"


def _normalized(text: str) -> str:
    """The URL as the HTTP library will use it, without a trailing slash. Raises Refused."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("it is not a URL") from None
    if parts.scheme not in DEFAULT_PORTS or not host:
        raise Refused("it is not an https:// URL")
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise Refused("it must hold no user, password, query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise Refused("http:// is for this machine only: use https://")
    if not text.isprintable() or " " in text or not host.isascii():
        raise Refused("it holds characters that no URL has")
    if {".", ".."} & set(parts.path.split("/")):
        raise Refused("its path must hold no . or ..")
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    path = re.sub("%..", lambda code: code[0].upper(), quote(parts.path, safe="%/:@!$&'()*+,;="))
    return f"{parts.scheme}://{place}{path}".rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host, given by name or address, is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"

"""Where sessions are sent to, in which format, and whose word is taken for who that is."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from launcher.consent.config import Config
from launcher.consent.profile import Profile

VARIABLE = "CHEF_TELEMETRY_ENDPOINT"
PORTS = {"https": 443, "http": 80}  # those that go without saying


class Endpoint(NamedTuple):
    """A base URL, what named it, the format that it takes, and why nothing can be sent to it (None if it can).

    `ca_file` holds the only authorities to trust; None for those that this machine trusts.
    """

    url: str
    named_by: str
    format: str
    ca_file: str | None
    problem: str | None


def choose(variables: Mapping[str, str], config: Config | None, policy: Config, profile: Profile) -> Endpoint | None:
    """The endpoint: the system policy's, or else the variable's, config.toml's, the distribution's.

    None in a distribution that has none of its own: there, nothing is ever sent.
    """
    if profile.endpoint is None:
        return None
    url, named_by = profile.endpoint, f"the distribution {profile.name}"
    if config:
        if any(config.get("telemetry", key) is True for key in ("dev", "dev_mode")):
            url, named_by = profile.dev_endpoint or url, f"[telemetry] dev in {config.path}"
        named = config.text("telemetry", "endpoint")
        if named:
            url, named_by = named, f"[telemetry] endpoint in {config.path}"
    if variables.get(VARIABLE):
        url, named_by = variables[VARIABLE], VARIABLE
    for section, value in (("", policy.tables.get("endpoint")), ("telemetry", policy.get("telemetry", "endpoint"))):
        if value is not None:  # what is no text is no URL, and is refused
            url, named_by = value if isinstance(value, str) else "", f"endpoint in {policy.where(section, 'endpoint')}"
    format = (config.text("telemetry", "format") if config else None) or "chef"
    ca_file = config.text("telemetry", "ca_file") if config else None
    if config and ca_file:
        ca_file = os.path.join(os.path.dirname(config.path), os.path.expanduser(ca_file))
    url, problem = _checked(url)
    # What is meant by a value that is no text cannot be known; nothing goes out on a guess.
    for key in ("endpoint", "format", "ca_file") if config else ():
        if config and config.get("telemetry", key) is not None and not config.text("telemetry", key):
            problem, named_by = f"[telemetry] {key} is no text", config.where("telemetry", key)
    return Endpoint("" if problem else url, named_by, format, ca_file, problem)


def _checked(text: str) -> tuple[str, str | None]:
    """The URL as the HTTP library will use it, without a slash at its end; or nothing, and what is wrong with it.

    One that is refused may hold a password: nobody is to see it by way of us.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "", "it is not a URL"
    if parts.scheme not in PORTS or not host:
        return "", "it is not an https:// URL"
    if "@" in parts.netloc or "?" in text or "#" in text:
        return "", "it must hold no user, password, query or fragment"
    if parts.scheme == "http" and not is_loopback(host):
        return "", "http:// is for this machine only: use https://"
    if not text.isprintable() or " " in text or not host.isascii():
        return "", "it holds characters that no URL has"
    if {".", ".."} & set(parts.path.split("/")):
        return "", "its path must hold no . or .."
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, PORTS[parts.scheme]) else f"{host}:{port}"
    path = re.sub("%..", lambda code: code[0].upper(), quote(parts.path, safe="%/:@!$&'()*+,;="))
    return f"{parts.scheme}://{place}{path}".rstrip("/"), None


def is_loopback(host: str) -> bool:
    """Whether a host, by its name or its address, is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"

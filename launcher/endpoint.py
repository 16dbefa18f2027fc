"""Where sessions are sent to, in which format, and whose word is taken for who that is."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from launcher.config import Config, Profile

VARIABLE = "CHEF_TELEMETRY_ENDPOINT"


class Endpoint(NamedTuple):
    """A base URL, what named it, the format that it takes, and why nothing can be sent to it (None if it can).

    `ca_file` holds the only authorities to trust; None for those that this machine trusts.
    """

    url: str
    named_by: str
    format: str
    ca_file: str | None
    problem: str | None


def choose(variables: Mapping[str, str], config: Config | None, profile: Profile) -> Endpoint | None:
    """The endpoint of this environment: the variable's, config.toml's, the distribution's; None if it has none."""
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
    format = (config.text("telemetry", "format") if config else None) or "chef"
    ca_file = config.text("telemetry", "ca_file") if config else None
    url = url.rstrip("/")
    problem = _problem(url)
    # A URL that is refused may hold a password; nobody is to see it by way of us.
    return Endpoint("" if problem else url, named_by, format, ca_file and os.path.expanduser(ca_file), problem)


def _problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "it is not a URL"
    if parts.scheme not in ("https", "http") or not host:
        return "it is not an https:// URL"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "it must hold no user, password, query or fragment"
    if parts.scheme == "http" and not _is_loopback(host):
        return "http:// is for this machine only: use https://"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

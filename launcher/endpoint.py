"""Where sessions are sent to, in which format, and whose word is taken for who that is."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import NamedTuple

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

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
    return Endpoint(url, named_by, format, ca_file, problem)


def _checked(text: str) -> tuple[str, str | None]:
    """The URL as it will be used, without a slash at its end; or nothing, and what is wrong with it.

    One that is refused may hold a password: nobody is to see it by way of us.
    """
    try:
        url = parse_url(text)  # what the HTTP library makes of it: `show` shows no other
    except LocationParseError:
        return "", "it is not a URL"
    if url.scheme not in ("https", "http") or not url.host:
        return "", "it is not an https:// URL"
    if url.auth or url.query is not None or url.fragment is not None:
        return "", "it must hold no user, password, query or fragment"
    if url.scheme == "http" and not is_loopback(url.host):
        return "", "http:// is for this machine only: use https://"
    if url.port == {"https": 443, "http": 80}[url.scheme]:
        url = url._replace(port=None)
    return url.url.rstrip("/"), None


def is_loopback(host: str) -> bool:
    """Whether a host, by its name or its address, is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"

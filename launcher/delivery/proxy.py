"""The proxy by which a URL is reached: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, or the system's settings."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import getproxies, proxy_bypass, proxy_bypass_environment  # type: ignore[attr-defined]

from launcher.delivery.endpoint import DEFAULT_PORTS, Refused, is_loopback, place


class Unusable(Exception):
    """The setting is not the URL of an HTTP proxy. The text names it, and does not quote its value."""


class Proxy(NamedTuple):
    """A proxy: its URL without user and password, and these two, decoded, as `user:password`; None without them."""

    url: str
    user: str | None


def choose(url: str) -> Proxy | None:
    """The proxy by which the URL of an endpoint is reached; None if it is reached without one. Raises Unusable."""
    parts = urlsplit(url)
    settings = getproxies()
    name = parts.scheme if settings.get(parts.scheme) else "all"
    proxy = settings.get(name)
    if not proxy or _is_exempt(*place(parts.netloc, parts.scheme), settings.get("no")):
        return None
    try:
        proxy_parts = urlsplit(proxy if "://" in proxy else "http://" + proxy)
        userinfo, _, rest = proxy_parts.netloc.rpartition("@")
        host, port = place(rest, "https" if proxy_parts.scheme == "https" else "http")
    except (ValueError, Refused):
        raise Unusable(f"{name}_proxy is not the URL of an HTTP proxy") from None
    # Nothing leaves this machine unencrypted, not by a proxy either.
    if parts.scheme == "http" and not is_loopback(host):
        return None
    if proxy_parts.scheme not in DEFAULT_PORTS:
        raise Unusable(f"{name}_proxy is not the URL of an HTTP proxy")
    # Latin-1 keeps them byte for byte, whatever their encoding.
    user = unquote_to_bytes(userinfo).decode("latin-1")
    return Proxy(f"{proxy_parts.scheme}://{host}:{port}", user or None)


def _is_exempt(host: str, port: int, exempt: str | None) -> bool:
    """Whether the proxy is not for this host: by NO_PROXY, of which `exempt` is the value, or the system's settings.

    The standard library knows names, with or without a port, and `*`; addresses and networks are added here, as curl
    has them. (requests has a rule of its own, for IPv4 alone.) No name is looked up for this.
    """
    if not exempt:
        return bool(proxy_bypass(f"{host}:{port}"))
    entries = [entry.rstrip(".") for entry in re.split(r"[\s,]+", exempt) if entry]
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return bool(proxy_bypass_environment(f"{host}:{port}", {"no": ",".join(entries)}))
    networks = (_network(entry, port) for entry in entries)
    return entries == ["*"] or any(network is not None and address in network for network in networks)


def _network(entry: str, port: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network of an entry of NO_PROXY; an address is a network of one. None for another port, or a name."""
    network, only_port = entry, ""
    if entry.startswith("["):
        network, _, rest = entry[1:].partition("]")
        network, only_port = (network + rest, "") if rest.startswith("/") else (network, rest[1:])
    elif entry.count(":") == 1:
        network, _, only_port = entry.partition(":")
    if only_port not in ("", str(port)):
        return None
    try:
        return ipaddress.ip_network(network, strict=False)
    except ValueError:
        return None


def refusal(error: BaseException) -> str | None:
    """The status with which a proxy has refused a tunnel, None if it has not. Nothing else that it sent is quoted."""
    refused = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    return f"HTTP status {refused[1]}" if refused else None

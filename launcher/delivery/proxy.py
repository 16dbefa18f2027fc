"""The proxy by which a URL is reached: HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or the system's settings."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import getproxies, proxy_bypass

from launcher.delivery.endpoint import DEFAULT_PORTS, is_loopback


class Unusable(Exception):
    """The setting is not the URL of an HTTP proxy. The text names it, and does not quote its value."""


class Proxy(NamedTuple):
    """A proxy: its URL without user and password, and these two, decoded, as `user:password`; None without them."""

    url: str
    user: str | None


def choose(url: str) -> Proxy | None:
    """The proxy by which `url` is reached; None if it is reached without one. Raises Unusable."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    # NO_PROXY may hold an IPv6 address with or without its brackets.
    if not proxy or proxy_bypass(parts.netloc) or proxy_bypass(parts.hostname or ""):
        return None
    try:
        proxy_parts = urlsplit(proxy if "://" in proxy else "http://" + proxy)
        host, port = proxy_parts.hostname or "", proxy_parts.port
    except ValueError:
        host, port = "", None
    # Nothing leaves this machine unencrypted, not by a proxy either.
    if parts.scheme == "http" and host and not is_loopback(host):
        return None
    if not host or proxy_parts.scheme not in ("http", "https"):
        raise Unusable(f"{parts.scheme}_proxy is not the URL of an HTTP proxy")
    place = f"[{host}]" if ":" in host else host
    port = port or DEFAULT_PORTS[proxy_parts.scheme]
    # Latin-1 keeps them byte for byte, whatever their encoding.
    user = unquote_to_bytes(proxy_parts.netloc.rpartition("@")[0]).decode("latin-1")
    return Proxy(f"{proxy_parts.scheme}://{place}:{port}", user or None)


def refusal(error: BaseException) -> str | None:
    """The status with which a proxy has refused a tunnel, None if it has not. Nothing else that it sent is quoted."""
    refused = re.search(r"Tunnel connection failed: (\d{3})", str(error))
    return f"HTTP status {refused[1]}" if refused else None

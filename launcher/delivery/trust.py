"""Whose word is taken for who the endpoint is: `[telemetry] ca_file`, SSL_CERT_FILE, or what this machine trusts."""

from __future__ import annotations

import os
import ssl

from launcher.delivery.endpoint import Endpoint


class Unusable(Exception):
    """A file of authorities that holds none. The text names the setting."""


def context(endpoint: Endpoint) -> ssl.SSLContext:
    """What a connection to the endpoint is secured with. Raises Unusable."""
    named = os.environ.get("SSL_CERT_FILE")
    setting = "[telemetry] ca_file" if endpoint.ca_file else "SSL_CERT_FILE"
    try:
        # Without a file of its own, it trusts what SSL_CERT_FILE and SSL_CERT_DIR say, or else the system does.
        context = ssl.create_default_context(cafile=endpoint.ca_file)
        if named and not endpoint.ca_file:
            context.load_verify_locations(cafile=named)  # which tells, where the default keeps silent
    except (OSError, ValueError) as error:  # the latter, for a path that can be none
        reason = getattr(error, "strerror", None) or "no path"
        raise Unusable(f"{setting} holds no certificates that can be used ({reason})") from None
    return context

"""The certificate authorities that are trusted: those of `[telemetry] ca_file`, SSL_CERT_FILE, or this machine's."""

from __future__ import annotations

import os
import ssl

from launcher.delivery.endpoint import Endpoint


class Unusable(Exception):
    """A file of certificate authorities that holds none. The text names the setting."""


def context(endpoint: Endpoint) -> ssl.SSLContext:
    """The TLS settings of a connection to the endpoint. Raises Unusable."""
    named = os.environ.get("SSL_CERT_FILE")
    setting = "[telemetry] ca_file" if endpoint.ca_file else "SSL_CERT_FILE"
    try:
        # Without a cafile, the default is SSL_CERT_FILE and SSL_CERT_DIR, or else what the system trusts.
        context = ssl.create_default_context(cafile=endpoint.ca_file)
        if named and not endpoint.ca_file:
            context.load_verify_locations(cafile=named)  # raises where the default ignores errors
    except (OSError, ValueError) as error:  # ValueError for a path with a NUL byte
        reason = getattr(error, "strerror", None) or "no path"
        raise Unusable(f"{setting} contains no usable certificates ({reason})") from None
    return context

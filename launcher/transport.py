"""One request to the endpoint, and what its outcome means: every answer and every failure ends up in a closed set."""

from __future__ import annotations

import enum
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from launcher.encode import Request

TIMEOUT = urllib3.Timeout(connect=5, read=10)  # seconds
MOST_READ = 4096  # bytes of an answer; nothing in it matters but that it is no web page


class Result(enum.Enum):
    """What becomes of a session."""

    ACKNOWLEDGED = "acknowledged"  # it has arrived: removed here
    REJECTED = "rejected"  # it will never be taken: put aside
    LATER = "later"  # kept, and tried again after a delay


class Outcome(NamedTuple):
    """How one request ended. `says` is for people, and quotes nothing that came over the wire."""

    result: Result
    says: str
    status: int = 0
    retry_after: float = 0  # seconds, as the server asked


class Connection:
    """A connection to one endpoint, kept alive from request to request."""

    def __init__(self, url: str, pool: urllib3.PoolManager | urllib3.ProxyManager) -> None:
        self._url = url
        self._pool = pool

    def post(self, request: Request) -> Outcome:
        """Send one request. Never raises for what the network or the server does."""
        try:
            response = self._pool.request(
                "POST",
                self._url + request.path,
                body=request.body,
                headers=request.headers,
                redirect=False,
                retries=False,
                timeout=TIMEOUT,
                preload_content=False,
            )
            try:
                beginning = response.read(MOST_READ)
                if response.read(1):  # more than it reads: the connection cannot serve another request
                    response.close()
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return Outcome(Result.LATER, explain(error))
        return classify(response.status, response.headers, beginning)


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """A connection to the endpoint `url`, by the proxy that is set for it, trusting what SSL_CERT_FILE says."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    context = ssl.create_default_context()
    if proxy and not proxy_bypass(parts.netloc):
        if "://" not in proxy:
            proxy = "http://" + proxy
        headers = urllib3.make_headers(proxy_basic_auth=urlsplit(proxy).netloc.rpartition("@")[0] or None)
        pool: urllib3.PoolManager = urllib3.ProxyManager(proxy, proxy_headers=headers, ssl_context=context)
    else:
        pool = urllib3.PoolManager(ssl_context=context)
    with pool:
        yield Connection(url, pool)


def classify(status: int, headers: urllib3.HTTPHeaderDict, beginning: bytes) -> Outcome:
    """What an answer means: its status, its headers, the beginning of its body."""
    says = f"HTTP status {status}"
    if 200 <= status < 300:
        # A captive portal answers everything with its own page.
        if "html" in headers.get("Content-Type", "").lower() or beginning.lstrip().startswith(b"<"):
            return Outcome(Result.LATER, says + " with a web page: is there a login page between?", status)
        return Outcome(Result.ACKNOWLEDGED, says, status)
    if 400 <= status < 500 and status not in (408, 425, 429):
        return Outcome(Result.REJECTED, says, status)
    return Outcome(Result.LATER, says, status, _seconds(headers.get("Retry-After", "")))


def _seconds(retry_after: str) -> float:
    """A Retry-After header in seconds from now; 0 where it says nothing."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0


def explain(error: Exception) -> str:
    """A failure in words of our own: the library's may hold URLs, and with them what a proxy's URL holds."""
    for kind, says in _FAILURES:
        if isinstance(error, kind):
            return says or f"no connection ({_reason(error)})"
    return "no connection"


# The first that fits counts: some are kinds of others. None: the operating system's own words are the best.
_FAILURES: list[tuple[type[Exception], str | None]] = [
    (urllib3.exceptions.ProxyError, "the proxy does not connect us"),
    (urllib3.exceptions.NameResolutionError, "the endpoint's name cannot be resolved"),
    (urllib3.exceptions.NewConnectionError, None),
    (urllib3.exceptions.ConnectTimeoutError, "no connection in time"),
    (urllib3.exceptions.ReadTimeoutError, "no answer in time"),
    (urllib3.exceptions.SSLError, "no secure connection: is the server's certificate one that this machine trusts?"),
    (urllib3.exceptions.ProtocolError, "the connection broke"),
    (OSError, None),
]


def _reason(error: BaseException) -> str:
    """What the operating system said, somewhere behind `error`."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return "for an unknown reason"

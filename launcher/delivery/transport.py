"""One request to the endpoint, and what its outcome means: every answer and every failure ends up in a closed set."""

from __future__ import annotations

import enum
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import urllib3

from launcher.delivery import proxy, trust
from launcher.delivery.encode import Request
from launcher.delivery.endpoint import Endpoint

LONGEST = 15.0  # seconds that one request takes at the most, from the name lookup to the end of the answer
STEP = urllib3.Timeout(connect=5, read=10)  # seconds: of a connection, of a TLS handshake, of each wait for an answer
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
    """A connection to one endpoint, kept alive from request to request; see `connect`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pool: urllib3.PoolManager | None = None

    def post(self, request: Request, seconds: float = LONGEST) -> Outcome:
        """Send one request. Never raises for what the network or the server does, nor takes more than `seconds`.

        After an outcome LATER the connection may be in no state to be used again.
        """
        outcome: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        # In a thread that can be left behind. Time-outs bound each single step, but nothing ends a name lookup, nor
        # an answer that comes a byte a second.
        threading.Thread(target=lambda: outcome.put(self._post(request)), daemon=True).start()
        try:
            return outcome.get(timeout=seconds)
        except queue.Empty:
            return Outcome(Result.LATER, "no whole answer in time")

    def close(self) -> None:
        """Let the connection go."""
        if self._pool:
            self._pool.clear()

    def _post(self, request: Request) -> Outcome:
        try:
            if self._pool is None:
                self._pool = _open_pool(self._endpoint)
            response = self._pool.request(
                "POST",
                self._endpoint.url + request.path,
                body=request.body,
                headers=request.headers,
                redirect=False,
                retries=False,
                timeout=STEP,
                preload_content=False,
                decode_content=False,
            )
            try:
                beginning = response.read(MOST_READ)
                if response.read(1):  # more than it reads: the connection cannot serve another request
                    response.close()
            finally:
                response.release_conn()
            by_proxy = isinstance(self._pool, urllib3.ProxyManager)
            return classify(response.status, response.headers, beginning, by_proxy=by_proxy)
        except Exception as error:  # what nobody foresaw, too: there is nobody above to tell
            return Outcome(Result.LATER, explain(error))


@contextmanager
def connect(endpoint: Endpoint) -> Iterator[Connection]:
    """A connection to the endpoint, by the proxy that is set for it. It is made with the first request."""
    connection = Connection(endpoint)
    try:
        yield connection
    finally:
        connection.close()


def _open_pool(endpoint: Endpoint) -> urllib3.PoolManager:
    """Raises trust.Unusable, proxy.Unusable, or what urllib3 raises."""
    context = trust.context(endpoint)
    by = proxy.choose(endpoint.url)
    if by is None:
        return urllib3.PoolManager(ssl_context=context)
    headers = urllib3.make_headers(proxy_basic_auth=by.user or None)
    return urllib3.ProxyManager(by.url, proxy_headers=headers, proxy_ssl_context=context, ssl_context=context)


def classify(status: int, headers: urllib3.HTTPHeaderDict, beginning: bytes, *, by_proxy: bool = False) -> Outcome:
    """What an answer means: its status, its headers, the beginning of its body; `by_proxy` if one was asked."""
    says = f"HTTP status {status}"
    if 200 <= status < 300:
        # A captive portal answers everything with its own page.
        if "html" in headers.get("Content-Type", "").lower() or beginning.lstrip().startswith(b"<"):
            return Outcome(Result.LATER, says + " with a web page: is there a login page between?", status)
        return Outcome(Result.ACKNOWLEDGED, says, status)
    if 400 <= status < 500 and status not in (408, 425, 429):
        if status == 407 and by_proxy:  # the proxy's word, not the service's
            return Outcome(Result.LATER, "the proxy wants another user or password (HTTP status 407)", status)
        return Outcome(Result.REJECTED, says, status)
    return Outcome(Result.LATER, says, status, _seconds(headers.get("Retry-After", "")))


def _seconds(retry_after: str) -> float:
    """A Retry-After header in seconds from now; 0 where it says nothing."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):  # the last, of Python 3.9
        return 0


def explain(error: Exception) -> str:
    """A failure in words of our own: the library's may hold URLs, and with them what a proxy's URL holds."""
    if isinstance(error, (proxy.Unusable, trust.Unusable)):
        return str(error)
    if isinstance(error, urllib3.exceptions.ProxyError):
        return f"the proxy does not connect us ({proxy.refusal(error.original_error) or _reason(error)})"
    for kind, says in _FAILURES:
        if isinstance(error, kind):
            return says or f"no connection ({_reason(error)})"
    return "no connection"


# The first that fits counts: some are kinds of others. None: the operating system's own words are the best.
_FAILURES: list[tuple[type[Exception], str | None]] = [
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

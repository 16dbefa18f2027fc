"""Sending one request to the endpoint. Every answer and every failure is classified into a closed set of results."""

from __future__ import annotations

import enum
import http.client
import json
import queue
import socket
import ssl
import threading
import time
import zlib
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import urllib3

from launcher.delivery import proxy, trust
from launcher.delivery.encode import Request
from launcher.delivery.endpoint import Endpoint

REQUEST_DEADLINE = 15.0  # seconds, from the name lookup to the end of the answer
SOCKET_TIMEOUTS = urllib3.Timeout(connect=5, read=10)  # seconds, for a connection, for each read
MAX_ANSWER_READ = 64 * 1024  # bytes: enough to tell a web page, and how much of a request was refused


class Result(enum.Enum):
    """What becomes of a session."""

    ACKNOWLEDGED = "acknowledged"  # it has arrived, and is removed here
    REJECTED = "rejected"  # it will never be accepted, and is moved to rejected/
    LATER = "later"  # it is kept, and sent again after a delay


class Outcome(NamedTuple):
    """How one request ended. `message` is for people, and quotes nothing that came over the wire."""

    result: Result
    message: str
    status: int | None = None  # None if there was no answer
    retry_after: float | None = None  # seconds, if the server asked for a delay


class Connection:
    """A connection to one endpoint, kept alive from request to request; see `connect`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pool: urllib3.HTTPConnectionPool | None = None
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def send(self, request: Request) -> None:
        """Begin to send one request; `answer` tells how it ended."""
        # In a thread that can be abandoned: timeouts bound each operation on the socket, but neither a name lookup nor
        # an answer that arrives one byte a second.
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()
        self._requests.put(request)

    def answer(self, seconds: float) -> Outcome | None:
        """How the request under way has ended; None if it has not within so many seconds.

        Never raises, whatever the network or the server does. After an outcome LATER, or if the request is given up,
        the connection is of no further use.
        """
        try:
            return self._outcomes.get(timeout=seconds)
        except queue.Empty:
            return None

    def _serve(self) -> None:
        while request := self._requests.get():
            self._outcomes.put(self._post(request))

    def close(self) -> None:
        """Close the connection."""
        self._requests.put(None)
        if self._pool:
            self._pool.close()

    def _post(self, request: Request) -> Outcome:
        try:
            if self._pool is None:
                self._pool = _open_pool(self._endpoint)
            response = self._pool.urlopen(
                "POST",
                _target(self._pool, self._endpoint) + request.path,
                body=request.body,
                headers=request.headers,
                redirect=False,
                retries=False,
                assert_same_host=False,
                timeout=SOCKET_TIMEOUTS,
                preload_content=False,
                decode_content=False,
            )
            try:
                beginning = response.read(MAX_ANSWER_READ)
                if response.read(1):  # with the rest unread, the connection cannot serve another request
                    response.close()
            finally:
                response.release_conn()
            by_proxy = self._pool.proxy is not None
            return classify(response.status, response.headers, beginning, by_proxy=by_proxy)
        except Exception as error:  # of any kind: in this thread nobody would see it
            return Outcome(Result.LATER, explain(error))


def connect(endpoint: Endpoint) -> closing[Connection]:
    """A connection to the endpoint, through the proxy that is set for it. The first request opens it."""
    return closing(Connection(endpoint))


def _open_pool(endpoint: Endpoint) -> urllib3.HTTPConnectionPool:
    """The connections to the endpoint. Raises trust.Unusable, proxy.Unusable, or what urllib3 raises."""
    by = proxy.choose(endpoint.url)
    # To load the authorities takes as long as to send a hundred sessions to this machine, which needs none of them.
    uses_tls = any(url.startswith("https:") for url in (endpoint.url, by.url if by else ""))
    context = trust.context(endpoint) if uses_tls or endpoint.ca_file else None
    if by is None:
        manager = urllib3.PoolManager(ssl_context=context)
    else:
        headers = urllib3.make_headers(proxy_basic_auth=by.user)
        manager = urllib3.ProxyManager(by.url, proxy_headers=headers, proxy_ssl_context=context, ssl_context=context)
    pool = manager.connection_from_url(endpoint.url)
    pool.ConnectionCls = type("Connection", (pool.ConnectionCls,), {"response_class": _FinalAnswer})
    return pool


def _target(pool: urllib3.HTTPConnectionPool, endpoint: Endpoint) -> str:
    """What is asked for in front of the path of a request: the URL, of a proxy that makes no tunnel; else its path."""
    return endpoint.url if pool.proxy and endpoint.url.startswith("http:") else urlsplit(endpoint.url).path


class _FinalAnswer(http.client.HTTPResponse):
    """The answer itself. The standard library passes over 100 (Continue) alone of the interim ones before it."""

    def begin(self) -> None:
        super().begin()
        while http.client.SWITCHING_PROTOCOLS < self.status < http.client.OK:
            self.headers = None  # type: ignore[assignment]  # or it would take itself to have begun
            super().begin()


def classify(status: int, headers: urllib3.HTTPHeaderDict, beginning: bytes, *, by_proxy: bool = False) -> Outcome:
    """What an answer means; `beginning` is that of its body, `by_proxy` whether it came through a proxy."""
    message, wait = f"HTTP status {status}", _seconds(headers.get("Retry-After", ""))
    is_final = 200 <= status < 300 or (400 <= status < 500 and status not in (408, 425, 429))
    if not is_final:
        return Outcome(Result.LATER, message, status, wait)
    if status == 407 and by_proxy:  # the proxy's answer, not the service's
        return Outcome(Result.LATER, "the proxy requires a different user or password (HTTP status 407)", status)
    body = _unpacked(beginning)
    if _is_web_page(headers, body):
        # The service answers programs. A login page, a firewall or a proxy has only people in mind.
        return Outcome(Result.LATER, f"{message} with a web page: is a login page or a proxy in between?", status, wait)
    if status >= 400:
        return Outcome(Result.REJECTED, message, status)
    if _refused_records(body) > 0:
        return Outcome(Result.REJECTED, f"{message}, but not everything was accepted", status)
    return Outcome(Result.ACKNOWLEDGED, message, status)


def _unpacked(beginning: bytes) -> bytes:
    """The beginning of a body without gzip or deflate, whether or not a header speaks of them; we ask for neither."""
    for wbits in (zlib.MAX_WBITS | 32, -zlib.MAX_WBITS):  # gzip or zlib, and deflate without either
        unpacked, rest = b"", beginning
        try:
            while rest and len(unpacked) < MAX_ANSWER_READ:  # gzip may have several members
                member = zlib.decompressobj(wbits=wbits)
                unpacked += member.decompress(rest, MAX_ANSWER_READ)
                rest = member.unused_data
        except zlib.error:
            pass
        if unpacked:
            return unpacked
    return beginning


def _is_web_page(headers: urllib3.HTTPHeaderDict, body: bytes) -> bool:
    """Whether it is one by its type, or by its first character, in any encoding of Unicode."""
    before = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n\f\v"  # byte order marks, the other half of UTF-16, and white space
    return "html" in headers.get("Content-Type", "").lower() or body.lstrip(before).startswith(b"<")


def _refused_records(body: bytes) -> int:
    """How many log records of a request an OTLP collector has refused for good, though it answers 200."""
    try:
        return int(json.loads(body)["partialSuccess"]["rejectedLogRecords"])
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return 0


def _seconds(retry_after: str) -> float | None:
    """A Retry-After header in seconds from now; None if there is none, or it is invalid."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):  # the last from Python 3.9
        return None


def explain(error: Exception) -> str:
    """A failure in our own words: the library's may quote URLs, and with a proxy's URL its password."""
    if isinstance(error, (proxy.Unusable, trust.Unusable)):
        return str(error)
    if isinstance(error, urllib3.exceptions.ProxyError):
        return f"the proxy refused the connection ({proxy.refusal(error.original_error) or _reason(error)})"
    for kind, message in _FAILURES:
        if isinstance(error, kind):
            return message.format(_reason(error))
    return "no connection"


# The first match counts: some are subclasses of others.
_FAILURES: list[tuple[type[Exception], str]] = [
    (urllib3.exceptions.NameResolutionError, "the endpoint's name cannot be resolved"),
    (urllib3.exceptions.NewConnectionError, "no connection ({})"),
    (urllib3.exceptions.ConnectTimeoutError, "connecting took too long"),
    (urllib3.exceptions.ReadTimeoutError, "no answer in time"),
    (urllib3.exceptions.SSLError, "no secure connection ({})"),
    (urllib3.exceptions.ProtocolError, "the connection was lost"),
    (OSError, "no connection ({})"),
]


def _reason(error: BaseException) -> str:
    """What the system or the TLS library says of the error that led to `error`; nothing that came over the wire."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"this machine does not trust its certificate: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failure: {(cause.reason or 'unknown reason').replace('_', ' ').lower()}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        for kind, message in _REASONS:
            if isinstance(cause, kind):
                return message
        wrapped = next((each for each in cause.args if isinstance(each, BaseException)), None)
        cause = wrapped or cause.__cause__ or cause.__context__
    return "unknown reason"


# Of errors that bring no words of their own.
_REASONS: list[tuple[type[Exception], str]] = [
    (socket.timeout, "no answer in time"),
    (ConnectionError, "the connection was lost"),
    (http.client.HTTPException, "the answer is not HTTP"),
]

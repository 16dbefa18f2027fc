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
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import NamedTuple

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
    retry_after: float = 0  # seconds, as the server asked


class Connection:
    """A connection to one endpoint, kept alive from request to request; see `connect`."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pool: urllib3.PoolManager | None = None

    def post(self, request: Request, seconds: float) -> Outcome:
        """Send one request, within so many seconds. Never raises, whatever the network or the server does.

        After an outcome LATER the connection may be unusable.
        """
        outcome: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        # In a thread that can be abandoned: timeouts bound each operation on the socket, but neither a name lookup nor
        # an answer that arrives one byte a second.
        threading.Thread(target=lambda: outcome.put(self._post(request)), daemon=True).start()
        try:
            return outcome.get(timeout=seconds)
        except queue.Empty:
            return Outcome(Result.LATER, "no whole answer in time")

    def close(self) -> None:
        """Close the connection."""
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
            by_proxy = isinstance(self._pool, urllib3.ProxyManager)
            return classify(response.status, response.headers, beginning, by_proxy=by_proxy)
        except Exception as error:  # of any kind: in this thread nobody would see it
            return Outcome(Result.LATER, explain(error))


@contextmanager
def connect(endpoint: Endpoint) -> Iterator[Connection]:
    """A connection to the endpoint, through the proxy that is set for it. The first request opens it."""
    connection = Connection(endpoint)
    try:
        yield connection
    finally:
        connection.close()


def _open_pool(endpoint: Endpoint) -> urllib3.PoolManager:
    """The connections to the endpoint. Raises trust.Unusable, proxy.Unusable, or what urllib3 raises."""
    context = trust.context(endpoint)
    by = proxy.choose(endpoint.url)
    if by is None:
        manager = urllib3.PoolManager(ssl_context=context)
    else:
        headers = urllib3.make_headers(proxy_basic_auth=by.user)
        manager = urllib3.ProxyManager(by.url, proxy_headers=headers, proxy_ssl_context=context, ssl_context=context)
    pool = manager.connection_from_url(endpoint.url)
    pool.ConnectionCls = type("Connection", (pool.ConnectionCls,), {"response_class": _FinalAnswer})
    return manager


class _FinalAnswer(http.client.HTTPResponse):
    """The answer itself. The standard library passes over 100 (Continue) alone of the interim ones before it."""

    def begin(self) -> None:
        super().begin()
        while http.client.SWITCHING_PROTOCOLS < self.status < http.client.OK:
            self.headers = None  # type: ignore[assignment]  # by which it knows that it has begun
            super().begin()


def classify(status: int, headers: urllib3.HTTPHeaderDict, beginning: bytes, *, by_proxy: bool = False) -> Outcome:
    """What an answer means; `beginning` is that of its body, `by_proxy` whether it came through a proxy."""
    message, wait = f"HTTP status {status}", _seconds(headers.get("Retry-After", ""))
    is_final = 200 <= status < 300 or (400 <= status < 500 and status not in (408, 425, 429))
    if not is_final:
        return Outcome(Result.LATER, message, status, wait)
    if status == 407 and by_proxy:  # the proxy's answer, not the service's
        return Outcome(Result.LATER, "the proxy wants another user or password (HTTP status 407)", status)
    body = _unpacked(beginning)
    if _is_web_page(headers, body):
        # The service answers programs. A login page, a firewall or a proxy has only people in mind.
        return Outcome(Result.LATER, f"{message} with a web page: does something between us answer?", status, wait)
    if status >= 400:
        return Outcome(Result.REJECTED, message, status)
    if _refused_records(body) > 0:
        return Outcome(Result.REJECTED, f"{message}, and not all was taken", status)
    return Outcome(Result.ACKNOWLEDGED, message, status)


def _unpacked(beginning: bytes) -> bytes:
    """The beginning of a body without gzip or deflate, whether or not a header speaks of them; we ask for neither."""
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(beginning, MAX_ANSWER_READ) or beginning
    except zlib.error:
        return beginning


def _is_web_page(headers: urllib3.HTTPHeaderDict, body: bytes) -> bool:
    """Whether it is one by its type, or by its first character, in any encoding of Unicode."""
    before = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"  # byte order marks, the other half of UTF-16, and white space
    return "html" in headers.get("Content-Type", "").lower() or body.lstrip(before).startswith(b"<")


def _refused_records(body: bytes) -> int:
    """How many log records of a request an OTLP collector has refused for good, though it answers 200."""
    try:
        return int(json.loads(body)["partialSuccess"]["rejectedLogRecords"])
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return 0


def _seconds(retry_after: str) -> float:
    """A Retry-After header in seconds from now; 0 if there is none, or it is invalid."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError, IndexError):  # the last from Python 3.9
        return 0


def explain(error: Exception) -> str:
    """A failure in our own words: the library's may quote URLs, and with a proxy's URL its password."""
    if isinstance(error, (proxy.Unusable, trust.Unusable)):
        return str(error)
    if isinstance(error, urllib3.exceptions.ProxyError):
        return f"the proxy does not connect us ({proxy.refusal(error.original_error) or _reason(error)})"
    for kind, message in _FAILURES:
        if isinstance(error, kind):
            return message.format(_reason(error))
    return "no connection"


# The first match counts: some are subclasses of others.
_FAILURES: list[tuple[type[Exception], str]] = [
    (urllib3.exceptions.NameResolutionError, "the endpoint's name cannot be resolved"),
    (urllib3.exceptions.NewConnectionError, "no connection ({})"),
    (urllib3.exceptions.ConnectTimeoutError, "no connection in time"),
    (urllib3.exceptions.ReadTimeoutError, "no answer in time"),
    (urllib3.exceptions.SSLError, "no secure connection ({})"),
    (urllib3.exceptions.ProtocolError, "the connection broke"),
    (OSError, "no connection ({})"),
]


def _reason(error: BaseException) -> str:
    """What the system or the TLS library says of the error that led to `error`; nothing that came over the wire."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not one that this machine trusts: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS fails: {(cause.reason or 'for an unknown reason').replace('_', ' ').lower()}"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        for kind, message in _REASONS:
            if isinstance(cause, kind):
                return message
        wrapped = next((each for each in cause.args if isinstance(each, BaseException)), None)
        cause = wrapped or cause.__cause__ or cause.__context__
    return "for an unknown reason"


# Of errors that bring no words of their own.
_REASONS: list[tuple[type[Exception], str]] = [
    (socket.timeout, "no answer in time"),
    (ConnectionError, "the connection broke"),
    (http.client.HTTPException, "what answers does not speak HTTP"),
]

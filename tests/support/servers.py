"""Real servers on 127.0.0.1 that keep what they got to the byte, and answer as a test says."""

from __future__ import annotations

import json
import os
import select
import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Callable

from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Request:
    head: bytes
    """The request line and the headers, as they came, with the empty line that ends them."""
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def headers(self) -> dict[str, str]:
        """By their names in lower case."""
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        pairs = (line.split(":", 1) for line in lines)
        return {name.lower(): value.strip() for name, value in pairs}

    @property
    def session_id(self) -> str:
        """The id of the session that it carries, in the format `chef`."""
        return str(json.loads(self.body)["session_id"])


@dataclass(frozen=True)
class Answer:
    """What a server does with one request, once it has all of it."""

    status: int = 202
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    interim: tuple[int, ...] = ()
    """The statuses of interim answers before it."""
    delay: float = 0
    """Seconds before it answers."""
    after: threading.Event | None = None
    """What it waits for before it answers."""
    drip: float = 0
    """Seconds between one byte of the answer and the next."""
    reset: bool = False
    """Break the connection instead, with a TCP reset."""
    cut: bool = False
    """Break it amid the answer."""
    silent: bool = False
    """Keep the connection, and never answer."""


class Collector(socketserver.ThreadingTCPServer):
    """Serves from a thread while it is used as a context.

    `answers` are given in their order, and after the last one what `otherwise` gives. `requests` are what came, in
    its order. `errors` are the connections that came to nothing, such as a refused certificate.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), _Handler)
        self.socket.setblocking(False)  # a client that is gone again by the time that it would be accepted
        self.tls = tls
        self.url = url_of(self.socket, tls is not None)
        self.requests: list[Request] = []
        self.answers: deque[Answer] = deque()
        self.otherwise: Callable[[Request], Answer] = lambda request: Answer()
        self.errors: list[BaseException | None] = []
        self.closing = threading.Event()

    def wait_for_requests(self, count: int) -> list[Request]:
        """The requests, as soon as there are `count` of them."""
        wait_until(lambda: len(self.requests) >= count, f"{count} requests; there are {len(self.requests)}")
        return self.requests

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, and so is TLS: nothing that a client does holds up the one that accepts."""
        if not self.tls:
            super().finish_request(request, client_address)
            return
        secured = self.tls.wrap_socket(request, server_side=True)
        try:
            super().finish_request(secured, client_address)
        finally:
            self.shutdown_request(secured)

    def handle_error(self, request: object, client_address: object) -> None:
        self.errors.append(sys.exc_info()[1])

    def __enter__(self) -> Collector:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Handler(socketserver.StreamRequestHandler):
    server: Collector

    def handle(self) -> None:
        while (request := self.read_request()) is not None:
            answer = self.server.answers.popleft() if self.server.answers else self.server.otherwise(request)
            self.server.requests.append(request)
            if answer.reset:
                return self.reset()
            if answer.silent:
                self.server.closing.wait()
                return None
            if answer.after:
                answer.after.wait(30)
            self.server.closing.wait(answer.delay)
            if not self.write(answer):
                return None
        return None

    def write(self, answer: Answer) -> bool:
        """Whether the connection can go on."""
        content = encode_answer(answer)
        if answer.cut:
            self.wfile.write(content[: len(content) // 2])
            self.reset()
            return False
        if answer.drip:
            for number in content:
                self.wfile.write(bytes([number]))
                if self.server.closing.wait(answer.drip):
                    return False
        else:
            self.wfile.write(content)
        return True

    def read_request(self) -> Request | None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return None
            head += line
        length = int(Request(head, b"").headers.get("content-length", "0"))
        body = self.rfile.read(length)
        return Request(head, body) if len(body) == length else None  # else the client has gone

    def reset(self) -> None:
        # Lingering for no time at all is how TCP spells a reset; detaching closes it under the open files.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


class TlsFront(socketserver.ThreadingTCPServer):
    """TLS in front of what listens on a port of this machine. Serves from a thread while it is used as a context."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, tls: ssl.SSLContext, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.tls = tls
        self.behind = ("127.0.0.1", port)
        self.url = url_of(self.socket, secure=True)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust it, or has gone."""

    def __enter__(self) -> TlsFront:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()


class _Passing(socketserver.BaseRequestHandler):
    server: TlsFront

    def handle(self) -> None:
        tls = self.server.tls.wrap_socket(self.request, server_side=True)
        with tls as client, socket.create_connection(self.server.behind) as behind:
            while True:
                ready = [client] if client.pending() else select.select([client, behind], [], [])[0]
                for source, target in ((client, behind), (behind, client)):
                    if source in ready:
                        content = source.recv(65536)
                        if not content:
                            return
                        target.sendall(content)


class Silence:
    """A server that never gets as far as HTTP: it takes connections, if it `accepts` any, and reads nothing."""

    def __init__(self, scheme: str, accepts: bool) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = url_of(self._socket, scheme == "https")
        self._accepts = accepts
        self._taken: list[socket.socket] = []

    def _accept(self) -> None:
        try:
            while True:
                self._taken.append(self._socket.accept()[0])
        except OSError:  # closed
            return

    def __enter__(self) -> Silence:
        if self._accepts:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in (self._socket, *self._taken):
            each.close()


def url_of(listener: socket.socket, secure: bool) -> str:
    host, port = listener.getsockname()[:2]
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def encode_answer(answer: Answer) -> bytes:
    headers = {"Content-Length": str(len(answer.body)), **answer.headers}
    lines = [f"HTTP/1.1 {answer.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    interim = "".join(f"HTTP/1.1 {status} Scripted\r\nLink: </x>\r\n\r\n" for status in answer.interim)
    return "\r\n".join([interim + lines[0], *lines[1:], "", ""]).encode("latin-1") + answer.body

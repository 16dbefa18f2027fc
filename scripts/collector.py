#!/usr/bin/env python3
"""A telemetry collector for this machine alone: it takes sessions on 127.0.0.1 and shows what it got.

It prints its address, then a line for each session. It ends on Ctrl-C or SIGTERM, and if its standard input is a pipe,
with that.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import ssl
import stat
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable, NoReturn


class Collector(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, log: str | None, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.log = log
        self.writing = threading.Lock()
        if tls:
            # A client's handshake is for its own thread to wait for, not for the one that accepts them all.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}"

    def record(self, request: dict[str, object], lines: list[str]) -> None:
        with self.writing:
            if self.log:
                with open(self.log, "a", encoding="utf-8") as file:
                    file.write(json.dumps(request) + "\n")
            for line in lines:
                print(line, flush=True)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body of an answer leave together, or TCP waits 40 ms between them
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, lines = receive(self.path, body)
        request: dict[str, object] = {
            "method": self.command,
            "path": self.path,
            "headers": self.headers.items(),
            "body": body.decode("utf-8", "backslashreplace"),
        }
        self.server.record(request, lines)
        self.answer(status)

    def do_GET(self) -> None:
        self.answer(404)

    def answer(self, status: int) -> None:
        body = json.dumps({"accepted": status == 202}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the sessions are what is shown."""


def receive(path: str, body: bytes) -> tuple[int, list[str]]:
    """The answer's status, and a line for each session in the body."""
    if path not in DESCRIPTIONS:
        return 404, [f"refused: nothing is received at {path}"]
    try:
        return 202, DESCRIPTIONS[path](json.loads(body))
    except (ValueError, LookupError, TypeError) as error:
        return 400, [f"refused: not a session ({error!r})"]


def describe_event(event: Any) -> list[str]:
    return [f"received session {event['session_id']}: {json.dumps(event['payload']['properties'])}"]


def describe_log_records(export: Any) -> list[str]:
    return [
        f"received log record: {json.dumps(record)}"
        for resource in export["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


DESCRIPTIONS: dict[str, Callable[[Any], list[str]]] = {
    "/events": describe_event,
    "/v1/logs": describe_log_records,
}


def stop(signal_number: int, frame: object) -> NoReturn:
    raise SystemExit


def wait_for_the_end() -> None:
    """Return when the pipe on standard input ends. A terminal is not read from: in the background, that stops us."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:  # closed
        mode = 0
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        sys.stdin.buffer.read()
    else:
        threading.Event().wait()


def give_up(problem: str, error: Exception) -> NoReturn:
    sys.exit(f"collector.py: {problem} ({getattr(error, 'strerror', None) or error})")


def main() -> None:
    parser = argparse.ArgumentParser(description="Receives sessions on 127.0.0.1 and prints them.")
    parser.add_argument("--port", type=int, default=0, help="the port; by default, one that is free")
    parser.add_argument("--log", metavar="FILE", help="append each request to FILE as a line of JSON")
    parser.add_argument("--certfile", help="serve HTTPS with this certificate")
    parser.add_argument("--keyfile", help="the key of the certificate, if it is in another file")
    options = parser.parse_args()
    tls = None
    if options.certfile:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            tls.load_cert_chain(options.certfile, options.keyfile)
        except OSError as error:
            give_up("cannot use this certificate and its key; check --certfile and --keyfile", error)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        collector = Collector(options.port, options.log, tls)
    except (OSError, OverflowError) as error:
        give_up(f"cannot use port {options.port}; choose another, or leave out --port for one that is free", error)
    with collector:
        threading.Thread(target=collector.serve_forever, args=(0.05,), daemon=True).start()
        print(f"collecting at {collector.url}", flush=True)
        try:
            wait_for_the_end()
        finally:
            collector.shutdown()


if __name__ == "__main__":
    main()

"""scripts/collector.py, as the process that a person or the demo starts."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

COLLECTOR = Path(__file__).parent.parent / "scripts" / "collector.py"
SESSION = {
    "session_id": "00000000-0000-4000-8000-000000000001",
    "payload": {"event": "run", "properties": {"command": "chef-run"}},
}


@contextmanager
def collecting(*options: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running collector, and its address as it printed it."""
    command = [sys.executable, str(COLLECTOR), *map(str, options)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process, readline(process).rpartition(" ")[2]
        finally:
            process.kill()


def readline(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().rstrip("\n")


def post(url: str, body: object, tls: ssl.SSLContext | None = None) -> tuple[int, object]:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
    )
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        with opener.open(urllib.request.Request(url, data), timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_session_is_accepted_shown_on_a_line_and_logged(tmp_path: Path) -> None:
    log = tmp_path / "requests.jsonl"
    with collecting("--log", log) as (process, url):
        assert post(f"{url}/events", SESSION) == (202, {"accepted": True})
        assert readline(process) == (
            'received session 00000000-0000-4000-8000-000000000001: {"command": "chef-run"}'
        )
    logged = json.loads(log.read_text(encoding="utf-8"))
    assert (logged["method"], logged["path"], json.loads(logged["body"])) == ("POST", "/events", SESSION)
    assert ["Content-Length", str(len(json.dumps(SESSION)))] in logged["headers"]


def test_each_log_record_of_an_otlp_export_is_shown() -> None:
    records = [{"body": {"stringValue": "one"}}, {"body": {"stringValue": "two"}}]
    export = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    with collecting() as (process, url):
        assert post(f"{url}/v1/logs", export)[0] == 202
        assert [readline(process), readline(process)] == [
            f"received log record: {json.dumps(record)}" for record in records
        ]


def test_any_other_address_is_not_found() -> None:
    with collecting() as (_, url):
        assert post(f"{url}/elsewhere", SESSION) == (404, {"accepted": False})


@pytest.mark.parametrize("body", [b"{torn", {"no": "session"}, ["not", "an", "object"]])
def test_what_is_no_session_is_refused(body: object) -> None:
    with collecting() as (_, url):
        assert post(f"{url}/events", body) == (400, {"accepted": False})


def test_with_a_certificate_it_serves_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    both = tmp_path / "certificate.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(both))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with collecting("--certfile", both) as (_, url):
        assert url.startswith("https://127.0.0.1:")
        assert post(f"{url}/events", SESSION, trusting)[0] == 202


def test_it_ends_with_its_standard_input() -> None:
    with collecting() as (process, _):
        assert process.stdin
        process.stdin.close()
        assert process.wait(10) == 0


def test_it_ends_quietly_on_sigterm() -> None:
    with collecting() as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read() == ""

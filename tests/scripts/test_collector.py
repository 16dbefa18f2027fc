"""The servers that take sessions in place of the real one: scripts/collector.py, and the tests' own."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest
import trustme
import urllib3

from tests.support.homes import Home
from tests.support.servers import Answer, Collector
from tests.support.waiting import wait_until

COLLECTOR = Path(__file__).parents[2] / "scripts" / "collector.py"
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
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
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
        assert readline(process) == ('received session 00000000-0000-4000-8000-000000000001: {"command": "chef-run"}')
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


@pytest.mark.parametrize("background", ["", "</dev/null"])
def test_it_goes_on_in_the_background(background: str) -> None:
    """Whoever reads from the terminal there is stopped, and /dev/null ends at once."""
    command = ["-c", f'set -m; "$@" {background} & echo "process $!"; wait', "bash", sys.executable, str(COLLECTOR)]
    with pexpect.spawn("bash", command, timeout=10, encoding="utf-8") as terminal:
        terminal.expect(r"process (\d+)\r\n")
        process = int(terminal.match.group(1))
        try:
            terminal.expect(r"collecting at (\S+)\r\n")
            url = str(terminal.match.group(1))
            for _ in range(2):
                assert post(f"{url}/events", SESSION)[0] == 202
                terminal.expect("received session")
        finally:
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("what", ["port", "port number", "certificate"])
def test_what_it_cannot_use_is_one_line_with_what_to_do(tmp_path: Path, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = {
            "port": ["--port", str(taken.getsockname()[1])],
            "port number": ["--port", "65536"],
            "certificate": ["--certfile", str(tmp_path / "none.pem")],
        }[what]
        done = subprocess.run([sys.executable, str(COLLECTOR), *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("collector.py: cannot use ")
    assert options[0] in done.stderr


def test_it_ends_quietly_on_sigterm() -> None:
    with collecting() as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stderr
        assert process.stderr.read() == ""


@pytest.fixture
def pool(collector: Collector, home: Home) -> Iterator[urllib3.PoolManager]:
    """A client that trusts what the home trusts."""
    with urllib3.PoolManager(ca_certs=home.env["SSL_CERT_FILE"], retries=False, timeout=10) as manager:
        yield manager


def test_the_tests_collector_keeps_requests_to_the_byte(collector: Collector, pool: urllib3.PoolManager) -> None:
    headers = {"X-Case": "Kept As It Was", "Accept-Encoding": "identity"}
    for body in (b"\x00\xff", b""):
        assert pool.request("POST", f"{collector.url}/a?b", body=body, headers=headers).status == 202
    first, second = collector.wait_for_requests(2)
    assert first.head.startswith(b"POST /a?b HTTP/1.1\r\n")
    assert b"\r\nX-Case: Kept As It Was\r\n" in first.head
    assert first.head.endswith(b"\r\n\r\n")
    assert (first.line, first.headers["x-case"]) == ("POST /a?b HTTP/1.1", "Kept As It Was")
    assert (first.body, second.body) == (b"\x00\xff", b"")


def test_the_tests_collector_answers_as_told_and_then_accepts(collector: Collector, pool: urllib3.PoolManager) -> None:
    collector.answers.append(Answer(503, b"busy", {"Retry-After": "120"}))
    answers = [pool.request("POST", collector.url, body=b"x") for _ in range(2)]
    assert [answer.status for answer in answers] == [503, 202]
    assert (answers[0].data, answers[0].headers["Retry-After"]) == (b"busy", "120")


def test_the_tests_collector_can_take_a_request_and_hang_up(
    plain_collector: Collector,
) -> None:
    plain_collector.answers.append(Answer(reset=True))
    broken = pytest.raises(urllib3.exceptions.ProtocolError, match="reset by peer")
    with urllib3.PoolManager(retries=False, timeout=10) as manager, broken:
        manager.request("POST", plain_collector.url, body=b"x")
    assert len(plain_collector.requests) == 1


def test_the_tests_collector_can_keep_a_client_waiting(collector: Collector, pool: urllib3.PoolManager) -> None:
    collector.answers.append(Answer(silent=True))
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        pool.request("POST", collector.url, body=b"x", timeout=urllib3.Timeout(connect=10, read=0.2))
    collector.wait_for_requests(1)


def test_the_tests_collector_notes_a_client_without_trust_in_it(collector: Collector) -> None:
    with (
        urllib3.PoolManager(retries=False, timeout=10) as manager,
        pytest.raises(urllib3.exceptions.SSLError),
    ):
        manager.request("POST", collector.url, body=b"x")
    [error] = wait_until(lambda: collector.errors, "the refused handshake")
    assert isinstance(error, ssl.SSLError)
    assert collector.requests == []


def test_the_tests_collector_serves_without_encryption_too(plain_collector: Collector, home: Home) -> None:
    assert home.env["CHEF_TELEMETRY_ENDPOINT"] == plain_collector.url
    assert post(f"{plain_collector.url}/events", SESSION) == (202, {})

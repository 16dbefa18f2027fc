"""Nothing is lost: a session goes only once the service has it, whatever happens between."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
import zlib
from email.utils import formatdate
from typing import Any

import pytest
import trustme
from urllib3 import HTTPHeaderDict

from launcher.delivery import attempt, receipts
from launcher.delivery.transport import Result, classify
from launcher.home import spool
from tests.support.homes import Home
from tests.support.processes import senders, wait_for_no_sender
from tests.support.programs import Launcher
from tests.support.servers import Answer, Collector
from tests.support.waiting import wait_until

HTML = {"Content-Type": "text/html; charset=utf-8"}


def test_flush_sends_the_oldest_first_and_says_so(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    oldest_first = stocked.oldest_first()
    done = launcher.run("flush")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"Sent 2 sessions.\n")
    assert [f"session-{request.session_id}.json" for request in collector.requests] == [
        path.name for path in oldest_first
    ]
    assert stocked.sessions() == []
    assert launcher.run("flush").stdout == b"No session is waiting to be sent.\n"


def test_one_connection_serves_all_requests(
    stocked: Home, launcher: Launcher, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[None] = []
    accept = collector.get_request

    def count_and_accept() -> tuple[socket.socket, Any]:
        connections.append(None)
        return accept()

    monkeypatch.setattr(collector, "get_request", count_and_accept)
    launcher.run("flush")
    assert (len(connections), len(collector.requests)) == (1, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422, 499])
def test_what_the_service_refuses_for_good_is_put_aside(
    stocked: Home, launcher: Launcher, collector: Collector, status: int
) -> None:
    collector.answers.append(Answer(status=status))
    done = launcher.run("flush")
    assert done.returncode == 0
    assert done.stdout.endswith(b"Sent 1 session, moved 1 to rejected/.\n")
    assert stocked.sessions() == []
    assert len(list((stocked.telemetry / "rejected").iterdir())) == 1
    assert len(stocked.receipts()) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (Answer(status=500), "HTTP status 500"),
        (Answer(status=503), "HTTP status 503"),
        (Answer(status=511, headers=HTML), "HTTP status 511"),
        (Answer(status=408), "HTTP status 408"),
        (Answer(status=425), "HTTP status 425"),
        (Answer(status=429), "HTTP status 429"),
        (Answer(status=302, headers={"Location": "/elsewhere"}), "HTTP status 302"),
        (Answer(status=200, headers=HTML, body=b"<p>log in"), "with a web page"),
        (Answer(status=200, headers={}, body=b"\n <!doctype html>"), "with a web page"),
        (Answer(status=403, headers=HTML, body=b"<p>blocked"), "HTTP status 403 with a web page"),
        (Answer(status=451, headers={}, body=gzip.compress(b"<html>", mtime=0)), "HTTP status 451 with a web page"),
        (Answer(status=101), "HTTP status 101"),
        (Answer(reset=True), "the connection was lost"),
    ],
)
def test_any_other_answer_keeps_the_sessions_and_stops_sending(
    stocked: Home, launcher: Launcher, collector: Collector, answer: Answer, says: str
) -> None:
    kept = stocked.sessions()
    collector.answers.append(answer)
    started = time.time()
    done = launcher.run("flush")
    assert done.returncode == 1
    assert (done.stdout, done.stderr.count(b"\n")) == (b"", 1)  # each thing once
    assert says.encode() in done.stderr
    assert len(collector.requests) == 1
    assert stocked.sessions() == kept
    report = launcher.status()
    assert says in report["last_failure"]["says"]
    assert report["next_attempt"] > started


PAGE = "<!DOCTYPE html><title>Blocked</title>"
PAGES = {
    "by its type": (HTML, b"blocked"),
    "XHTML by its type": ({"Content-Type": "application/xhtml+xml"}, b""),
    "by its first character": ({}, PAGE.encode()),
    "labelled as JSON": ({"Content-Type": "application/json"}, PAGE.encode()),
    "behind white space": ({}, b"\r\n\t " + PAGE.encode()),
    "behind a byte order mark": ({}, PAGE.encode("utf-8-sig")),
    "behind both": ({}, b"\xef\xbb\xbf\n\n" + PAGE.encode()),
    "UTF-16": ({}, PAGE.encode("utf-16")),
    "UTF-16, the other way round": ({}, b"\xfe\xff" + PAGE.encode("utf-16-be")),
    "gzip": ({"Content-Encoding": "gzip"}, gzip.compress(PAGE.encode())),
    "gzip, unlabelled": ({}, gzip.compress(PAGE.encode("utf-8-sig"))),
    "gzip, the beginning": ({}, gzip.compress(PAGE.encode() + os.urandom(999))[:500]),
    "behind a form feed": ({}, b"\f" + PAGE.encode()),
    "gzip, the second member": ({}, gzip.compress(b"") + gzip.compress(PAGE.encode())),
    "deflate without a head": ({}, zlib.compress(PAGE.encode())[2:-4]),
    "deflate": ({"Content-Encoding": "deflate"}, zlib.compress(PAGE.encode())),
}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("status", [200, 202, 400, 401, 403, 404, 407, 413, 451])
def test_a_web_page_is_never_the_services_word(status: int, page: str) -> None:
    headers, beginning = PAGES[page]
    outcome = classify(status, HTTPHeaderDict({**headers, "Retry-After": "60"}), beginning)
    assert (outcome.result, outcome.retry_after) == (Result.LATER, 60)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"error": "<html>"}', b"forbidden", gzip.compress(b"{}", mtime=0), b"\xff\xfe{\0"]
)
@pytest.mark.parametrize(("status", "result"), [(200, Result.ACKNOWLEDGED), (403, Result.REJECTED)])
def test_what_is_no_web_page_is_the_services_word(status: int, result: Result, body: bytes) -> None:
    assert classify(status, HTTPHeaderDict({"Content-Type": "application/json"}), body).result is result


@pytest.mark.parametrize("interim", [(100,), (102,), (103, 103), (102, 100, 103)])
@pytest.mark.parametrize("status", [202, 404])
def test_interim_answers_are_passed_over(
    stocked: Home, launcher: Launcher, collector: Collector, interim: tuple[int, ...], status: int
) -> None:
    collector.otherwise = lambda request: Answer(status=status, interim=interim)
    done = launcher.run("flush")
    assert (done.returncode, done.stdout.count(f"HTTP status {status}".encode())) == (0, 2)
    assert len(collector.requests) == 2
    assert stocked.sessions() == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"x" * 10_000_000),
        Answer(status=204, body=b"", headers={}),
        Answer(headers={"Content-Encoding": "gzip"}, body=b"not compressed"),
        Answer(status=299, headers={"Content-Type": "\xff"}, body=b"\0" * 5000),
    ],
    ids=["far too long", "empty", "wrongly labelled", "odd"],
)
def test_an_acknowledgement_is_one_whatever_else_stands_in_it(
    stocked: Home, launcher: Launcher, plain_collector: Collector, answer: Answer
) -> None:
    plain_collector.answers.append(answer)
    done = launcher.run("flush")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(plain_collector.requests) == 2
    assert stocked.sessions() == []


@pytest.mark.parametrize("status", [500, 302, 404])
def test_nothing_that_came_over_the_wire_is_ever_shown_or_kept(
    stocked: Home, launcher: Launcher, plain_collector: Collector, status: int
) -> None:
    said = {"Content-Type": "text/s3cret", "Retry-After": "s3cret", "Location": "http://s3cret", "X-S3cret": "s3cret"}
    plain_collector.answers.append(Answer(status=status, body=b"s3cret", headers=said))
    done = launcher.run("flush")
    reported = launcher.run("status", "--json")
    assert b"s3cret" not in done.stdout + done.stderr + reported.stdout
    kept = b"".join(path.read_bytes() for path in stocked.telemetry.rglob("*") if path.is_file())
    assert b"s3cret" not in kept


def test_a_refused_connection_is_explained(stocked: Home, launcher: Launcher) -> None:
    done = launcher.run("flush")
    assert done.returncode == 1
    assert done.stderr == b"chef-run-launcher: not sent: no connection (Connection refused)\n"


def test_a_certificate_that_is_not_trusted_gets_nothing(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    trustme.CA().cert_pem.write_to_path(stocked.env["SSL_CERT_FILE"])
    done = launcher.run("flush")
    assert b"no secure connection" in done.stderr
    assert collector.requests == []
    assert len(stocked.sessions()) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://telemetry.invalid",
        "ftp://127.0.0.1",
        "https://me:pw@127.0.0.1",
        "rubbish",
        "https://127.0.0.1:port",
        "https://127.0.0.1/a/../b",
        "https://127.0.0.1/a b",
        "https://127.0.0.1/\x07",
        "https://bücher.example",
        "https://127.0.0.1?token=pw",
    ],
)
@pytest.mark.parametrize("command", ["flush", "status", "dry-run"])
def test_an_unsafe_endpoint_is_refused_and_its_secrets_not_shown(
    stocked: Home, launcher: Launcher, url: str, command: str
) -> None:
    stocked.env["CHEF_TELEMETRY_ENDPOINT"] = url
    done = launcher.run(command)
    assert b"refused: " in done.stdout + done.stderr
    assert b"me:pw" not in done.stdout + done.stderr


@pytest.mark.parametrize("wish", ["nonsense", "-1", "1e9", "Jan 01 , . -1 1-Jan-2024 .", "\xff", ""])
def test_a_wish_that_is_none_is_passed_over(wish: str) -> None:
    outcome = classify(503, HTTPHeaderDict({"Retry-After": wish}), b"")
    assert (outcome.result, outcome.retry_after) == (Result.LATER, None)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_servers_wish_to_be_left_alone_holds_across_runs(
    stocked: Home, launcher: Launcher, collector: Collector, form: str
) -> None:
    wish = "3600" if form == "seconds" else formatdate(time.time() + 3600, usegmt=True)
    collector.answers.append(Answer(status=503, headers={"Retry-After": wish}))
    launcher.run("flush")
    assert 3590 < (stocked.telemetry / ".next-attempt").stat().st_mtime - time.time() < 3610
    launcher.exec("web03", "a", "b")
    assert senders(stocked) == []
    assert len(collector.requests) == 1


def test_a_run_tries_again_once_the_delay_has_passed(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    collector.answers.append(Answer(status=503))
    launcher.run("flush")
    os.utime(stocked.telemetry / ".next-attempt", (1, 1))
    launcher.exec("web03", "a", "b")
    wait_until(lambda: len(stocked.sessions()) == 1, "the two sessions have gone")
    wait_for_no_sender(stocked)
    assert not (stocked.telemetry / ".next-attempt").exists()


def test_a_clock_set_back_does_not_stop_delivery(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    future = time.time() + 10 * 365 * 86400
    (stocked.telemetry / ".next-attempt").write_text("1 HTTP status 503")
    for path in [stocked.telemetry / ".next-attempt", *stocked.sessions()]:
        os.utime(path, (future, future))
    launcher.exec("web03", "a", "b")
    collector.wait_for_requests(2)


def test_a_killed_sender_loses_nothing_and_is_not_retried_soon(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    collector.answers.append(Answer(silent=True))
    launcher.exec("web03", "a", "b")
    collector.wait_for_requests(1)
    (sender,) = senders(stocked)
    os.kill(sender, signal.SIGKILL)
    wait_for_no_sender(stocked)
    assert len(stocked.sessions()) == 3
    report = launcher.status()
    assert report["last_failure"] == {"attempts": 1, "says": "interrupted"}
    assert launcher.run("flush").returncode == 0
    assert stocked.sessions() == []


def test_there_is_one_sender_at_a_time(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    collector.answers.append(Answer(silent=True))
    launcher.exec("web03", "a", "b")
    collector.wait_for_requests(1)
    done = launcher.run("flush")
    assert (done.returncode, done.stderr) == (1, b"chef-run-launcher: not sent: another process is already sending\n")
    assert launcher.status()["sending"]
    assert b"in progress" in launcher.run("status").stdout
    (sender,) = senders(stocked)
    os.kill(sender, signal.SIGKILL)


def test_turning_telemetry_off_stops_a_delivery_under_way(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    """Between two requests."""
    off = threading.Event()
    collector.answers.append(Answer(after=off))
    launcher.exec("web03", "a", "b")
    collector.wait_for_requests(1)
    stocked.config.write_text("[telemetry]\nenabled = false\n")
    off.set()
    wait_for_no_sender(stocked)
    assert len(collector.requests) == 1


def test_a_lock_removed_by_hand_stops_the_sender_that_had_it(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    removed = threading.Event()
    collector.answers.append(Answer(after=removed))
    launcher.exec("web03", "a", "b")
    collector.wait_for_requests(1)
    (stocked.telemetry / ".lock").unlink()
    removed.set()
    wait_until(lambda: not senders(stocked), "the sender has ended")
    assert len(collector.requests) == 1
    assert launcher.run("flush").returncode == 0
    assert len(collector.requests) == 3


@pytest.mark.parametrize("output", ["/dev/full", "| true"])
def test_an_output_that_nobody_reads_stops_no_delivery(
    stocked: Home, launcher: Launcher, collector: Collector, output: str
) -> None:
    redirection = f"> {output}" if output.startswith("/") else output
    done = subprocess.run(
        ["sh", "-c", f'"$0" flush {redirection}', str(launcher.path)], env=stocked.env, capture_output=True, check=False
    )
    assert len(collector.requests) == 2
    assert stocked.sessions() == []
    assert done.stderr.count(b"\n") <= 1
    assert b"Traceback" not in done.stderr
    assert b"defect" not in done.stderr


def test_a_session_that_is_removed_by_hand_is_not_sent(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    removed, kept = stocked.sessions()
    removed.unlink()
    launcher.run("flush")
    (request,) = collector.requests
    assert kept.name == f"session-{request.session_id}.json"


def test_a_session_changed_by_hand_beyond_the_schema_is_not_sent(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    changed, _ = stocked.sessions()
    record = json.loads(changed.read_text())
    changed.write_text(json.dumps({**record, "user": "root"}))
    launcher.run("flush")
    assert b"root" not in b"".join(request.body for request in collector.requests)
    assert len(collector.requests) == 1
    assert (stocked.telemetry / "rejected" / changed.name).exists()


def test_sessions_that_waited_for_thirty_days_go_and_are_counted(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    old, _ = stocked.sessions()
    os.utime(old, (time.time() - spool.MAX_AGE - 60,) * 2)
    launcher.run("flush")
    assert len(collector.requests) == 1
    assert launcher.status()["dropped"] == 1


def test_of_too_many_sessions_the_oldest_go_and_are_counted(stocked: Home, launcher: Launcher) -> None:
    oldest = stocked.oldest_first()[0]
    text = oldest.read_text()
    for number in range(spool.MAX_WAITING):
        (stocked.telemetry / f"session-00000000-0000-4000-8000-{number:012}.json").write_text(text)
    launcher.exec("web03", "a", "b")
    assert len(stocked.sessions()) == spool.MAX_WAITING
    assert not oldest.exists()
    assert launcher.status()["dropped"] == 3


def test_what_is_shown_is_what_is_sent_byte_for_byte(
    stocked: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    shown = launcher.run("show", "--wire").stdout
    assert launcher.run("dry-run").stdout.endswith(shown)
    launcher.run("flush")
    kept = stocked.receipts()
    for request, receipt in zip(plain_collector.requests, kept):
        assert (request.head + request.body) in shown
        assert receipt["sha256"] == hashlib.sha256(request.body).hexdigest()
        assert receipt["sha256"].encode() in shown
    assert len(plain_collector.requests) == len(kept) == 2


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("http://LocalHost:{port}", "http://localhost:{port}"),
        ("HTTP://127.0.0.1:{port}/b/", "http://127.0.0.1:{port}/b"),
        ("http://127.0.0.1:{port}/a%c3%a4;x=(1)", "http://127.0.0.1:{port}/a%C3%A4;x=(1)"),
        ("http://127.0.0.1:{port}/ä", "http://127.0.0.1:{port}/%C3%A4"),
    ],
)
def test_an_endpoint_is_shown_as_it_is_used(
    stocked: Home, launcher: Launcher, plain_collector: Collector, written: str, used: str
) -> None:
    port = plain_collector.url.rpartition(":")[2]
    stocked.env["CHEF_TELEMETRY_ENDPOINT"] = written.format(port=port)
    assert launcher.status()["endpoint"]["url"] == used.format(port=port)
    if "localhost" in used and not resolves("localhost"):
        pytest.skip("needs localhost in /etc/hosts")
    shown = launcher.run("show", "--wire").stdout
    assert launcher.run("flush").returncode == 0
    for request in plain_collector.wait_for_requests(2):
        assert (request.head + request.body) in shown


def resolves(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, None))
    except OSError:
        return False


def test_the_port_that_goes_without_saying_is_not_said(home: Home, launcher: Launcher) -> None:
    home.env["CHEF_TELEMETRY_ENDPOINT"] = "https://collector.example:443/base"
    assert launcher.status()["endpoint"]["url"] == "https://collector.example/base"


def test_a_receipt_is_on_the_disk_before_its_session_goes(
    stocked: Home, plain_collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first at once; those that arrive soon after it share one wait for the disk."""
    stocked.has_waiting(*(f"db{number}" for number in range(16)))
    on_disk: list[tuple[int, int]] = []
    wait_for_disk = os.fsync

    def note(descriptor: int) -> None:
        wait_for_disk(descriptor)
        on_disk.append((len(stocked.receipts()), len(stocked.sessions())))

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(attempt, "SETTLE_AFTER", 10)
    assert attempt.flush(stocked.env, lambda session_id, outcome: None) == attempt.Delivery(sent=18)
    assert on_disk == [(1, 18), (18, 17)]
    assert stocked.sessions() == []


def test_what_has_arrived_goes_while_the_next_awaits_an_answer(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    stocked.has_waiting("web03")
    collector.answers.extend([Answer(), Answer(), Answer(silent=True)])
    with launcher.start("flush") as flush:
        wait_until(lambda: len(stocked.sessions()) == 1, "two sessions have gone")
        assert len(stocked.receipts()) == 2
        assert flush.poll() is None
        flush.kill()


def test_receipts_stay_small(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    path = stocked.telemetry / "receipts.jsonl"
    path.write_text('{"day": "2026-01-01", "session": "old"}\n' * 10000)
    launcher.run("flush")
    assert [line["session"] == "old" for line in stocked.receipts()[-3:]] == [True, False, False]
    assert receipts.MAX_RECEIPTS_SIZE // 3 < path.stat().st_size < receipts.MAX_RECEIPTS_SIZE

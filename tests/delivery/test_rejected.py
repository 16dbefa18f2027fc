"""What was refused for good: why, and how it is sent all the same once the reason is gone."""

from __future__ import annotations

import os
import time

import pytest

from launcher.home import spool
from tests.support.homes import Home
from tests.support.programs import Launcher
from tests.support.servers import Answer, Collector, Request


def put_aside(home: Home) -> list[str]:
    return sorted(path.name for path in (home.telemetry / "rejected").glob("*"))


@pytest.fixture
def refused(stocked: Home, launcher: Launcher, collector: Collector) -> Home:
    """A home of which the service has refused both sessions."""
    collector.answers.extend([Answer(status=404), Answer(status=422)])
    launcher.run("flush")
    collector.requests.clear()
    assert len(put_aside(stocked)) == 2
    return stocked


def test_status_and_doctor_name_the_last_reason(refused: Home, launcher: Launcher) -> None:
    assert launcher.status()["last_rejection"] == "HTTP status 422"
    says = "2 sessions, the last for this reason: HTTP status 422; once that is corrected, chef-run-launcher flush "
    says += "--rejected sends what is there again"
    for command, title in (("status", "rejected"), ("doctor", "problem rejected:")):
        assert f" {title} {says} " in " ".join(launcher.run(command).stdout.decode().split())


def test_where_nothing_was_refused_no_reason_is_named(stocked: Home, launcher: Launcher) -> None:
    assert launcher.status()["last_rejection"] is None
    assert b"rejected" not in launcher.run("doctor").stdout


def test_once_nothing_is_put_aside_no_reason_is_named(refused: Home, launcher: Launcher) -> None:
    for name in put_aside(refused):
        (refused.telemetry / "rejected" / name).unlink()
    assert launcher.status()["last_rejection"] is None


def test_purge_forgets_the_reason(refused: Home, launcher: Launcher) -> None:
    assert launcher.run("purge", "--yes").returncode == 0
    assert not (refused.telemetry / ".last-rejection").exists()


def test_a_file_that_is_no_session_is_a_reason(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    """Which names what the file does not satisfy, and quotes nothing of it."""
    stocked.sessions()[0].write_text('{"schema": 1, "s3cret": 1}')
    launcher.run("flush")
    reason = launcher.status()["last_rejection"]
    assert reason.startswith("its file does not hold a valid session: ")
    assert "s3cret" not in reason
    for command in ("status", "doctor"):
        said = " ".join(launcher.run(command).stdout.decode().split())
        assert "flush --rejected sends what is there again; 1 file there without a valid session can only be" in said


def test_flush_rejected_sends_what_was_put_aside(refused: Home, launcher: Launcher, collector: Collector) -> None:
    aside = put_aside(refused)
    assert launcher.run("flush").stdout == b"No session is waiting to be sent.\n"
    assert put_aside(refused) == aside
    done = launcher.run("flush", "--rejected")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"Sent 2 sessions.\n")
    assert sorted(f"session-{request.session_id}.json" for request in collector.requests) == aside
    assert (put_aside(refused), refused.sessions()) == ([], [])
    assert launcher.run("flush", "--rejected").stdout == b"No session is waiting to be sent.\n"


def test_they_go_with_what_waits_the_oldest_first(refused: Home, launcher: Launcher, collector: Collector) -> None:
    aside = put_aside(refused)
    refused.has_waiting("web03")
    assert launcher.run("flush", "--rejected").stdout.endswith(b"Sent 3 sessions.\n")
    assert {f"session-{request.session_id}.json" for request in collector.requests[:2]} == set(aside)


def test_what_is_refused_again_is_put_aside_again(refused: Home, launcher: Launcher, collector: Collector) -> None:
    aside = put_aside(refused)
    refusing(collector, aside[0], status=400)
    done = launcher.run("flush", "--rejected")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, b"Sent 1 session, moved 1 to rejected/.")
    assert put_aside(refused) == aside[:1]
    assert launcher.status()["last_rejection"] == "HTTP status 400"


def test_what_cannot_be_sent_now_waits_for_a_later_run(refused: Home, launcher: Launcher, collector: Collector) -> None:
    collector.answers.append(Answer(status=503))
    assert launcher.run("flush", "--rejected").returncode == 1
    assert (len(refused.sessions()), put_aside(refused)) == (2, [])
    os.utime(refused.telemetry / ".next-attempt", (1, 1))
    launcher.exec("web03", "a", "b")
    collector.wait_for_requests(3)


def test_with_telemetry_off_they_stay_where_they_are(refused: Home, launcher: Launcher, collector: Collector) -> None:
    aside = put_aside(refused)
    refused.env["CHEF_TELEMETRY_OPT_OUT"] = ""
    assert launcher.run("flush", "--rejected").returncode == 1
    assert put_aside(refused) == aside
    assert collector.requests == []


def test_one_that_waits_is_not_replaced_by_one_put_aside(
    refused: Home, launcher: Launcher, collector: Collector
) -> None:
    name = put_aside(refused)[0]
    aside = refused.telemetry / "rejected" / name
    (refused.telemetry / name).write_bytes(aside.read_bytes())
    aside.write_text("torn")
    assert launcher.run("flush", "--rejected").stdout.endswith(b"Sent 2 sessions.\n")
    assert aside.read_text() == "torn"


def test_what_is_put_aside_goes_after_thirty_days(refused: Home, launcher: Launcher, collector: Collector) -> None:
    for name in put_aside(refused):
        os.utime(refused.telemetry / "rejected" / name, (time.time() - spool.MAX_AGE - 60,) * 2)
    assert launcher.run("flush", "--rejected").stdout == b"No session is waiting to be sent.\n"
    assert collector.requests == []


def refusing(collector: Collector, name: str, status: int) -> None:
    def answer(request: Request) -> Answer:
        return Answer(status=status if request.session_id in name else 202)

    collector.otherwise = answer

"""Whatever is wrong with the network, a run is as it is without us, and the sender ends in time and loses nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.delivery import attempt, sender
from launcher.home import lock
from tests.support.homes import Home
from tests.support.mounts import run_with
from tests.support.processes import descriptors, senders, wait_for_no_sender
from tests.support.programs import INSTALLED, Launcher, Program, install_as_chef_run
from tests.support.servers import Answer, Collector, Silence
from tests.support.waiting import wait_until

OUTPUT = "#!/bin/sh\necho out; echo err >&2; exit 7\n"
EXPECTED = (7, b"out\n", b"err\n")
# What a shell does with `out=$(chef-run …)`: it waits until nobody holds the pipe any more.
# With a descriptor that is none of ours, such as make's job server hands down.
SUBSTITUTION = 'out=$("$0" exec web03 a b 7<"$0"); code=$?; echo "$out"; exit $code'
HTML = {"Content-Type": "text/html"}


@contextmanager
def scripted(answer: Answer) -> Iterator[str]:
    with Collector() as server:
        server.otherwise = lambda request: answer
        yield server.url


@contextmanager
def silent(scheme: str, accepts: bool) -> Iterator[str]:
    with Silence(scheme, accepts) as server:
        yield server.url


@contextmanager
def refused() -> Iterator[str]:
    yield "http://127.0.0.1:1"


def run_substituted(home: Home, launcher: Path, mounts: str | None = None) -> tuple[float, tuple[int, bytes, bytes]]:
    """Seconds that `out=$(chef-run …)` takes, and how it ended: code, output, errors."""
    command = ["sh", "-c", SUBSTITUTION, str(launcher)]
    started = time.monotonic()
    if mounts:
        done = run_with(mounts, *command, env=home.env)
    else:
        done = subprocess.run(command, env=home.env, capture_output=True, check=False)
    return time.monotonic() - started, (done.returncode, done.stdout, done.stderr)


@dataclass
class Trouble:
    """Something that a sender needs five seconds or more to give up on."""

    serve: Callable[[], AbstractContextManager[str]]
    says: str
    mounts: str | None = None


RESOLVER = f"127.61.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"  # of this process alone
SETTINGS = f"nameserver {RESOLVER}\\noptions timeout:30 attempts:5\\n"
USE_RESOLVER = f'printf \'{SETTINGS}\' >"$HOME/resolv.conf" && mount --bind "$HOME/resolv.conf" /etc/resolv.conf'


@contextmanager
def unresolvable() -> Iterator[str]:
    """A name, and a resolver that takes every question for it and answers none. Skips where there can be none."""
    run_with("mount --bind /etc/resolv.conf /etc/resolv.conf", "true", env=os.environ)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        try:
            resolver.bind((RESOLVER, 53))
        except OSError as error:
            pytest.skip(f"needs the right to listen on {RESOLVER}:53, as root: {error.strerror}")
        yield "https://collector.example"
        resolver.settimeout(0)
        assert b"collector" in resolver.recv(512)


TROUBLES = {
    "a black hole": Trouble(lambda: silent("http", accepts=True), "no answer in time"),
    "a server that never accepts": Trouble(lambda: silent("http", accepts=False), "no answer in time"),
    "a TLS handshake that stalls": Trouble(lambda: silent("https", accepts=True), "no answer in time"),
    "an answer of a byte a second": Trouble(lambda: scripted(Answer(drip=1)), "no complete answer in time"),
    "a name that never resolves": Trouble(unresolvable, "no complete answer in time", USE_RESOLVER),
}
# Seconds: what a run may differ by on a busy machine, and less than any sender takes in trouble.
NOTICEABLE = 4.0
SKIPPED: type[BaseException] = pytest.skip.Exception


@dataclass
class Troubled:
    """A run whose sender has got into trouble, and what it looked like just after."""

    home: Home
    started: float
    seconds: float
    seconds_undisturbed: float
    ended: tuple[int, bytes, bytes]
    descriptors: set[str]
    nice: int


@pytest.fixture(scope="module")
def all_troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Troubled | BaseException]]:
    """A run for each kind of trouble, one after the other, so that all of their senders are in it at the same time."""
    runs: dict[str, Troubled | BaseException] = {}
    with ExitStack() as stack:
        for name, trouble in TROUBLES.items():
            try:
                url = stack.enter_context(trouble.serve())
                runs[name] = get_into_trouble(tmp_path_factory.mktemp("trouble"), url, trouble.mounts)
            except SKIPPED as reason:
                runs[name] = reason
        yield runs


def get_into_trouble(folder: Path, url: str, mounts: str | None) -> Troubled:
    home = Home(folder / "home")
    chef_run = install_as_chef_run(Path(__file__), folder)
    chef_run.write_text(OUTPUT)
    home.env["CHEF_RUN_LAUNCHER_REAL"] = str(chef_run)
    home.has_waiting("web01", "web02")
    home.env["CHEF_TELEMETRY_ENDPOINT"] = url

    home.postpone()
    undisturbed, _ = run_substituted(home, INSTALLED, mounts)
    assert senders(home) == []
    (home.telemetry / ".next-attempt").unlink()
    started = time.monotonic()
    seconds, ended = run_substituted(home, INSTALLED, mounts)
    (pid,) = wait_until(lambda: senders(home), "the sender is at work")
    held = wait_until(lambda: descriptors_in_trouble(pid), "the sender has opened a socket")
    return Troubled(home, started, seconds, undisturbed, ended, held, os.getpriority(os.PRIO_PROCESS, pid))


def descriptors_in_trouble(pid: int) -> set[str]:
    """What the descriptors of a process stand for, once one is a socket: by then it reads no files any more."""
    found = set(descriptors(pid).values())
    return found if any(name.startswith("socket:") for name in found) else set()


@pytest.fixture(params=TROUBLES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def troubled(all_troubled: dict[str, Troubled | BaseException], name: str) -> Troubled:
    run = all_troubled[name]
    if isinstance(run, Troubled):
        return run
    raise run


def test_a_run_neither_awaits_a_sender_in_trouble_nor_shows_it(troubled: Troubled) -> None:
    assert troubled.ended == EXPECTED
    assert troubled.seconds < troubled.seconds_undisturbed + NOTICEABLE


def test_a_sender_in_trouble_holds_nothing_of_the_callers(troubled: Troubled) -> None:
    folders = {str(path) for path in (troubled.home.path, troubled.home.workstation, troubled.home.telemetry)}
    held = {"/dev/null", str(troubled.home.telemetry / ".lock")}
    assert held <= troubled.descriptors
    others = troubled.descriptors - held - folders  # which it opens as it needs them
    assert {name.partition(":")[0] for name in others} <= {"socket"}
    assert troubled.nice == 19


def test_a_sender_in_trouble_ends_in_time_and_keeps_the_sessions(troubled: Troubled, name: str) -> None:
    """It says why."""
    wait_for_no_sender(troubled.home)
    assert time.monotonic() - troubled.started < sender.LIFETIME + NOTICEABLE
    assert len(troubled.home.sessions()) == 4
    assert (troubled.home.telemetry / ".next-attempt").read_text() == f"1 {TROUBLES[name].says}\n"


@pytest.mark.parametrize(
    "serve",
    [
        refused,
        lambda: scripted(Answer(reset=True)),
        lambda: scripted(Answer(cut=True)),
        lambda: scripted(Answer(status=404)),
        lambda: scripted(Answer(status=429, headers={"Retry-After": "100"})),
        lambda: scripted(Answer(status=500, body=b"Traceback")),
        lambda: scripted(Answer(status=503, headers={"Retry-After": "nonsense"})),
        lambda: scripted(Answer(status=200, headers=HTML, body=b"<html>")),
        lambda: scripted(Answer(status=302, headers={"Location": "https://127.0.0.1:1/"})),
    ],
    ids=["refused", "reset", "cut", "404", "429", "500", "503", "html", "302"],
)
def test_an_answer_of_no_use_changes_no_run_and_loses_nothing(
    stocked: Home, launcher: Launcher, chef_run: Program, serve: Callable[[], AbstractContextManager[str]]
) -> None:
    chef_run.path.write_text(OUTPUT)
    with serve() as url:
        stocked.env["CHEF_TELEMETRY_ENDPOINT"] = url
        assert run_substituted(stocked, launcher.path)[1] == EXPECTED
        wait_for_no_sender(stocked)
    put_aside = list((stocked.telemetry / "rejected").glob("*"))
    assert len(stocked.sessions()) + len(put_aside) == 3
    assert not (stocked.telemetry / "receipts.jsonl").read_text()


START = """
import sys, time
from launcher.delivery import attempt, sender
from launcher.home import lock
from launcher.home.layout import Home as Layout
from launcher.relay.handover import caller_signals
sender.LIFETIME = 1
sender.start(Layout(sys.argv[1]), time.time(), caller_signals())
"""


def test_a_sender_that_outlives_its_time_is_ended_wherever_it_is(stocked: Home) -> None:
    with silent("http", accepts=True) as url:
        stocked.env["CHEF_TELEMETRY_ENDPOINT"] = url
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", START, str(stocked.path)], env=stocked.env, check=True)
        wait_for_no_sender(stocked)
        assert 0.9 < time.monotonic() - started < 9  # after 10, it would have given up by itself
    assert (stocked.telemetry / ".next-attempt").read_text() == "1 interrupted\n"


def test_a_sender_whose_time_is_up_says_so_and_is_no_failure(
    stocked: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    """It has sent something: what failed before counts no more."""
    plain_collector.otherwise = lambda request: Answer(delay=0.7)
    stocked.has_waiting(*(f"db{number}" for number in range(8)))
    (stocked.telemetry / ".next-attempt").write_text("5 interrupted\n")
    held = lock.take(stocked.layout)
    assert held is not None
    until = time.monotonic() + attempt.MIN_REQUEST_TIME + 2
    attempt.deliver(stocked.env, held, stored_before=time.time(), until=until)
    lock.release(stocked.layout, held)
    assert 1 <= len(plain_collector.requests) <= 5
    assert len(stocked.sessions()) == 10 - len(plain_collector.requests)
    report = launcher.status()
    assert report["last_failure"] == {"attempts": 1, "says": "the time limit was reached; a later run continues"}

"""Fixtures of every test. What they are made of is in tests/support."""

from __future__ import annotations

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from launcher.consent.config import load_profile
from tests.support import servers
from tests.support.homes import Home
from tests.support.processes import launchers
from tests.support.programs import INSTALLED, Launcher, Program, copy_of_the_launcher, install_as_chef_run
from tests.support.recordings import WHY_SKIPPED, Recording, recordings
from tests.support.waiting import wait_until

STAND_IN = Path(__file__).parent.parent / "scripts" / "stand_in_chef_run.py"
REPLAY = Path(__file__).parent / "support" / "replay.py"


def pytest_configure() -> None:
    """Scripts in the background, and nohup, ignore signals; the programs under test must not inherit that."""
    for name in ("SIGINT", "SIGQUIT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_sessionstart() -> None:
    """The tests run chef-run by its name, with made-up hosts: it must not be anybody's real one."""
    installed = [path for path in load_profile().chef_run if os.path.isabs(path) and os.path.exists(path)]
    if installed:
        pytest.exit(f"this machine has {installed[0]}, which the tests would run: run them in a container", 2)


@pytest.fixture(scope="session", autouse=True)
def no_process_of_ours_is_left_when_the_tests_are_over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    yield
    here = tmp_path_factory.getbasetemp()  # not those of tests that run beside these
    wait_until(lambda: not launchers(here), "no launcher, relay or sender is left", seconds=40)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A HOME that nobody has used; its environment reaches no server unless a test says so."""
    home = Home(tmp_path / "home")
    yield home
    home.layout.close()


@pytest.fixture
def chef_run(tmp_path: Path, home: Home) -> Program:
    """The stand-in, as an executable called chef-run. The launcher finds it."""
    return real_chef_run(STAND_IN, tmp_path, home)


@pytest.fixture
def stocked(home: Home, chef_run: Program) -> Home:
    """A home in which two sessions wait, with a chef-run that says nothing."""
    chef_run.path.write_text("#!/bin/sh\nexit 0\n")
    home.has_waiting("web01", "web02")
    return home


@pytest.fixture
def replay(tmp_path: Path, home: Home) -> Program:
    """An executable called chef-run that plays a recording: see Recording.set_up. The launcher finds it."""
    return real_chef_run(REPLAY, tmp_path, home)


def real_chef_run(script: Path, tmp_path: Path, home: Home) -> Program:
    path = install_as_chef_run(script, tmp_path / "real")
    home.env["CHEF_RUN_LAUNCHER_REAL"] = str(path)
    return Program(path, tmp_path, home.env)


@pytest.fixture
def launcher(tmp_path: Path, home: Home) -> Launcher:
    """The installed chef-run-launcher, in the home."""
    return Launcher(INSTALLED, tmp_path, home.env)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the launcher, to be broken."""
    return copy_of_the_launcher(tmp_path / "copy")


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def collector(tmp_path: Path, home: Home, authority: trustme.CA) -> Iterator[servers.Collector]:
    """A collector over HTTPS. The home's environment names it, and trusts its certificate."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificates))
    home.env["SSL_CERT_FILE"] = str(certificates)
    yield from serving(servers.Collector(tls), home)


@pytest.fixture
def plain_collector(home: Home) -> Iterator[servers.Collector]:
    """A collector over HTTP without encryption. The home's environment names it."""
    yield from serving(servers.Collector(), home)


def serving(server: servers.Collector, home: Home) -> Iterator[servers.Collector]:
    home.env["CHEF_TELEMETRY_ENDPOINT"] = server.url
    with server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with an argument called `recording` runs once for each of them."""
    if "recording" in metafunc.fixturenames:
        skipped = pytest.param(None, marks=pytest.mark.skip(reason=WHY_SKIPPED), id="none")
        metafunc.parametrize("recording", recordings() or [skipped], ids=name_of)


def name_of(recording: object) -> str | None:
    return recording.name if isinstance(recording, Recording) else None

"""How much of the hosts is recorded and sent: what `hosts` says, in config.toml and in the system policy."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from launcher.record import hosts_key, session
from tests.support.hashes import sha256
from tests.support.homes import Home
from tests.support.mounts import run_with, system_policy
from tests.support.processes import wait_for_no_sender
from tests.support.programs import Launcher, Program
from tests.support.servers import Collector

PLAIN = sha256("web01")


def targets(home: Home) -> list[dict[str, Any]]:
    """Those of the session that was stored last, which must satisfy the schema."""
    found: list[dict[str, Any]] = session.from_bytes(home.oldest_first()[-1].read_bytes())["targets"]
    return found


@pytest.fixture
def key(home: Home) -> Path:
    return home.telemetry / ".hosts-key"


@pytest.mark.parametrize(
    ("hosts", "recorded"),
    [
        ("sha256", [{"hostname_sha256": PLAIN, "transport": "ssh", "os": "linux"}]),
        ("count", [{"transport": "ssh", "os": "linux"}]),
        ("off", []),
        ("nonsense", []),
    ],
)
def test_what_is_recorded_of_a_host(
    home: Home, launcher: Launcher, chef_run: Program, hosts: str, recorded: list[dict[str, str]]
) -> None:
    home.use(f'[telemetry]\nhosts = "{hosts}"\n')
    launcher.exec("web01", "directory", "/tmp/foo")
    assert targets(home) == recorded


def test_a_salted_hash_is_the_same_for_the_same_host_alone(
    home: Home, launcher: Launcher, chef_run: Program, key: Path
) -> None:
    home.use('[telemetry]\nhosts = "salted"\n')
    launcher.exec("web01,web02", "directory", "/tmp/foo")
    first, other = (target["hostname_sha256"] for target in targets(home))
    launcher.exec("web01", "directory", "/tmp/foo")
    (again,) = (target["hostname_sha256"] for target in targets(home))
    assert first == again == hashlib.sha256(key.read_bytes() + bytes.fromhex(PLAIN)).hexdigest()
    assert len({first, other, PLAIN}) == 3
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32


def test_the_key_never_leaves_and_is_used_only_when_asked_for(
    home: Home, launcher: Launcher, chef_run: Program, plain_collector: Collector, key: Path
) -> None:
    home.use('[telemetry]\nhosts = "salted"\n')
    launcher.exec("web01", "directory", "/tmp/foo")
    secret = key.read_bytes()
    launcher.run("flush")
    (request,) = plain_collector.requests
    assert secret.hex().encode() not in request.head + request.body
    home.config.write_text("")
    launcher.exec("web01", "directory", "/tmp/foo")
    assert targets(home)[0]["hostname_sha256"] == PLAIN


@pytest.mark.parametrize("content", [b"", b"short", None])
def test_a_key_that_is_none_is_made_anew(
    home: Home, launcher: Launcher, chef_run: Program, key: Path, content: bytes | None
) -> None:
    home.use('[telemetry]\nhosts = "salted"\n')
    key.symlink_to("elsewhere") if content is None else key.write_bytes(content)
    launcher.exec("web01", "directory", "/tmp/foo")
    assert len(key.read_bytes()) == 32
    assert len(targets(home)) == 1


@pytest.mark.parametrize(("policy", "user", "level"), [("count", "sha256", "count"), ("salted", "off", "off")])
def test_the_system_policy_can_only_tighten(
    home: Home, launcher: Launcher, chef_run: Program, policy: str, user: str, level: str
) -> None:
    home.use(f'[telemetry]\nhosts = "{user}"\n')
    report = launcher.status(system_policy(f'hosts = "{policy}"'))
    assert report["on"]
    assert report["hosts"]["level"] == level
    where = "/etc/chef-workstation/telemetry.toml:1" if level == policy else f"{home.config}:2"
    assert report["hosts"]["where"] == where


@pytest.mark.parametrize("hosts", ["salted", "count", "off"])
def test_what_was_stored_leaves_no_looser_than_is_allowed_now(
    home: Home, launcher: Launcher, plain_collector: Collector, hosts: str
) -> None:
    """Whatever was allowed when it was stored."""
    home.has_waiting("web01")
    home.config.write_text(f'[telemetry]\nhosts = "{hosts}"\n')
    hosts_key.ensure(home.layout)
    os.utime(home.sessions()[0], (time.time() + 60,) * 2)  # times prove nothing: clocks are set, and files copied
    shown = launcher.run("show", "--wire").stdout
    assert launcher.run("flush").returncode == 0
    (request,) = plain_collector.requests
    assert PLAIN.encode() not in request.body
    assert request.body in shown
    sent = json.loads(request.body)["payload"]["properties"]["targets"]
    assert sent == ([] if hosts == "off" else [{"transport": "ssh", "os": "linux"}])


def test_what_was_salted_when_it_was_stored_leaves_so(
    home: Home, launcher: Launcher, chef_run: Program, plain_collector: Collector
) -> None:
    home.has_waiting("web01")
    home.config.write_text('[telemetry]\nhosts = "salted"\n')
    home.postpone()
    launcher.exec("web01", "directory", "/tmp/foo")
    salted = targets(home)
    launcher.run("flush")
    before, after = (
        json.loads(request.body)["payload"]["properties"]["targets"] for request in plain_collector.requests
    )
    assert "hostname_sha256" not in before[0]
    assert after == salted


def test_the_endpoint_that_the_system_policy_pins_is_used(
    home: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    """Whatever config.toml and the environment say."""
    home.has_waiting("web01")
    home.config.write_text('[telemetry]\nendpoint = "http://127.0.0.1:1"\ndev = true\n')
    pinned = system_policy(f'endpoint = "{plain_collector.url}"')
    home.env["CHEF_TELEMETRY_ENDPOINT"] = "http://127.0.0.1:2"
    assert run_with(pinned, launcher.path, "flush", env=home.env).returncode == 0
    assert len(plain_collector.requests) == 1
    named_by = launcher.status(pinned)["endpoint"]["named_by"]
    assert named_by == "endpoint in /etc/chef-workstation/telemetry.toml:1"


@pytest.mark.parametrize("pinned", ["3", '""', '"http://collector.example"'])
def test_a_pinned_endpoint_that_is_none_sends_nothing_anywhere(
    home: Home, launcher: Launcher, plain_collector: Collector, pinned: str
) -> None:
    home.has_waiting("web01")
    done = run_with(system_policy(f"endpoint = {pinned}"), launcher.path, "flush", env=home.env)
    assert done.returncode == 1
    assert b"refused" in done.stderr
    assert plain_collector.requests == []


def test_a_dry_run_shows_what_would_be_recorded_of_a_host(home: Home, launcher: Launcher, chef_run: Program) -> None:
    home.use('[telemetry]\nhosts = "salted"\n')
    text = launcher.run("dry-run", "web01", "directory", "/tmp/foo").stdout.decode()
    assert PLAIN not in text
    assert "(uses a key that is created at the end of the run)" in text
    home.config.write_text('[telemetry]\nhosts = "count"\n')
    assert "hostname_sha256" not in launcher.run("dry-run", "web01", "directory", "/tmp/foo").stdout.decode()
    wait_for_no_sender(home)


def test_status_says_which_lines_turn_it_off_and_limit_hosts(home: Home, launcher: Launcher) -> None:
    home.use('# mine\n[telemetry]\nhosts = "count"\nenabled = false\n')
    text = "".join(launcher.run("status").stdout.decode().split())  # lines are folded anywhere
    assert f"*config[telemetry]enabledisfalse({home.config}:4)" in text
    assert f"notrecorded,onlyhowmanythereare({home.config}:3)" in text


def test_a_run_without_a_key_to_be_had_is_counted_as_lost(home: Home, launcher: Launcher, chef_run: Program) -> None:
    """A key that can be neither read nor replaced."""
    home.use('[telemetry]\nhosts = "salted"\n')
    (home.telemetry / ".hosts-key").mkdir()
    assert launcher.exec("web01", "directory", "/tmp/foo").returncode == 0
    assert not home.sessions()
    assert launcher.status()["lost"] == {"file_system": 1}

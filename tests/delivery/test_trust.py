"""Who is believed to be the endpoint: the machine's authorities, SSL_CERT_FILE's, or those of `[telemetry] ca_file`."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
import trustme

from tests.support.daemons import nginx
from tests.support.homes import Home
from tests.support.processes import wait_for_no_sender
from tests.support.programs import Launcher
from tests.support.servers import Answer, Collector


def trust_only(home: Home, path: str) -> None:
    home.config.write_text(f'[telemetry]\nca_file = "{path}"\n')


def test_the_authority_that_ca_file_names_is_trusted(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    Path(stocked.env.pop("SSL_CERT_FILE")).rename(stocked.path / "ours.pem")
    assert b"no secure connection" in launcher.run("flush").stderr
    trust_only(stocked, "~/ours.pem")
    assert launcher.run("flush").returncode == 0
    assert len(collector.requests) == 2


def test_a_path_that_is_relative_means_the_same_to_the_sender(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    beside_config = stocked.workstation / "ours.pem"
    here = launcher.cwd / "here.pem"
    Path(stocked.env["SSL_CERT_FILE"]).rename(here)
    stocked.env["SSL_CERT_FILE"] = "here.pem"
    launcher.exec("web03", "a", "b")
    collector.wait_for_requests(2)
    wait_for_no_sender(stocked)
    here.rename(beside_config)
    trust_only(stocked, "ours.pem")
    launcher.exec("web04", "a", "b")
    collector.wait_for_requests(3)


def test_where_ca_file_names_one_no_other_is_trusted(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    trust_only(stocked, str(other))
    assert b"no secure connection" in launcher.run("flush").stderr
    assert collector.requests == []


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_file_of_no_use_is_named_and_nothing_is_sent(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    trust_only(stocked, str(path))
    done = launcher.run("flush")
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert b"[telemetry] ca_file contains no usable certificates (" in done.stderr
    assert collector.requests == []
    assert len(stocked.sessions()) == 2


@pytest.mark.parametrize(("name", "days"), [("example.org", 1), ("127.0.0.1", -1)], ids=["name", "time"])
def test_a_certificate_of_another_name_or_time_gets_nothing(
    stocked: Home, launcher: Launcher, authority: trustme.CA, collector: Collector, name: str, days: int
) -> None:
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name, not_after=until).configure_cert(tls)
    with Collector(tls) as server:
        stocked.env["CHEF_TELEMETRY_ENDPOINT"] = server.url
        assert b"no secure connection" in launcher.run("flush").stderr
        assert server.requests == []
    assert len(stocked.sessions()) == 2


@pytest.fixture
def certificate(authority: trustme.CA, stocked: Home, tmp_path: Path) -> Path:
    path = tmp_path / "nginx.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(path))
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    stocked.env["SSL_CERT_FILE"] = str(tmp_path / "authority.pem")
    return path


def test_nginx_takes_all_that_waits_over_one_connection(
    stocked: Home, launcher: Launcher, certificate: Path, tmp_path: Path
) -> None:
    stocked.has_waiting(*(f"db{number}" for number in range(20)))
    with nginx(tmp_path, certificate, "location = /events { return 202 '{}'; }") as (url, log):
        stocked.env["CHEF_TELEMETRY_ENDPOINT"] = url
        assert launcher.run("flush").stdout.endswith(b"Sent 22 sessions.\n")
    lines = [line.split() for line in log.read_text().splitlines()]
    assert {tuple(line[1:5]) for line in lines} == {("POST", "/events", "HTTP/1.1", "202")}
    assert len(lines) == 22
    assert len({line[0] for line in lines}) == 1


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ("client_max_body_size 100; location = /events { proxy_pass http://127.0.0.1:1; }", 413),
        ("location = /events { deny all; }", 403),
        ("location = /elsewhere { return 202; }", 404),
        ("gzip on; gzip_min_length 1; location = /events { return 401; }", 401),
        ("default_type text/plain; location = /events { return 200 '\ufeff<html>log in'; }", 200),
    ],
)
def test_what_nginx_says_by_a_page_of_its_own_keeps_the_sessions(
    stocked: Home, launcher: Launcher, certificate: Path, tmp_path: Path, rule: str, status: int
) -> None:
    with nginx(tmp_path, certificate, rule) as (url, _):
        stocked.env["CHEF_TELEMETRY_ENDPOINT"] = url
        assert f"not sent: HTTP status {status} with a web page".encode() in launcher.run("flush").stderr
    assert len(stocked.sessions()) == 2


def test_what_a_service_behind_nginx_refuses_is_put_aside(
    stocked: Home, launcher: Launcher, plain_collector: Collector, certificate: Path, tmp_path: Path
) -> None:
    plain_collector.otherwise = lambda request: Answer(status=403)
    with nginx(tmp_path, certificate, f"location = /events {{ proxy_pass {plain_collector.url}; }}") as (url, _):
        stocked.env["CHEF_TELEMETRY_ENDPOINT"] = url
        assert launcher.run("flush").stdout.endswith(b"Sent 0 sessions, moved 2 to rejected/.\n")


def test_what_nginx_has_nobody_for_is_kept(
    stocked: Home, launcher: Launcher, certificate: Path, tmp_path: Path
) -> None:
    with nginx(tmp_path, certificate, "location = /events { proxy_pass http://127.0.0.1:1; }") as (url, _):
        stocked.env["CHEF_TELEMETRY_ENDPOINT"] = url
        assert b"not sent: HTTP status 502" in launcher.run("flush").stderr
    assert len(stocked.sessions()) == 2

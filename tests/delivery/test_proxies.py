"""Through a real forward proxy, and around it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import ProxyError

from launcher.delivery.transport import Result, classify, explain
from tests.support.daemons import tinyproxy
from tests.support.homes import Home
from tests.support.programs import Launcher
from tests.support.servers import Answer, Collector

AUTH = "BasicAuth me pass"


@pytest.fixture
def collector_on_ipv6(home: Home, authority: trustme.CA, tmp_path: Path) -> Iterator[Collector]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("::1").configure_cert(tls)
    certificates = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(certificates))
    try:
        server = Collector(tls, "::1")
    except OSError:
        pytest.skip("no IPv6 here")
    home.env.update(SSL_CERT_FILE=str(certificates), CHEF_TELEMETRY_ENDPOINT=server.url)
    with server:
        yield server


def says(launcher: Launcher) -> str:
    """What `flush` says of a delivery that failed."""
    done = launcher.run("flush")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    return done.stderr.decode()


def test_https_goes_through_a_tunnel_closed_to_the_proxy(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path
) -> None:
    shown = launcher.run("show", "--wire").stdout
    with tinyproxy(tmp_path) as (port, log):
        stocked.env["HTTPS_PROXY"] = f"http://127.0.0.1:{port}"
        assert launcher.run("flush").returncode == 0
    text = log.read_text()
    assert f"CONNECT {collector.url.removeprefix('https://')} HTTP/1." in text
    assert "events" not in text
    assert len(collector.requests) == 2
    assert all((each.head + each.body).replace(b"\r\n", b"\n") in shown for each in collector.requests)


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_user_and_password_of_the_proxy_are_the_proxys_alone(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path, variable: str, scheme: str
) -> None:
    with tinyproxy(tmp_path, AUTH) as (port, _):
        stocked.env[variable] = f"{scheme}me:p%61ss@127.0.0.1:{port}"
        assert launcher.run("flush").returncode == 0
    assert len(collector.requests) == 2
    assert not any("authorization" in name for each in collector.requests for name in each.headers)


@pytest.mark.parametrize(("user", "status"), [("", 407), ("me:s3cret@", 401)])
def test_a_proxy_that_refuses_us_loses_nothing(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path, user: str, status: int
) -> None:
    """And the password is told nobody."""
    with tinyproxy(tmp_path, AUTH) as (port, _):
        stocked.env["HTTPS_PROXY"] = f"http://{user}127.0.0.1:{port}"
        assert f"not sent: the proxy does not connect us (HTTP status {status})" in says(launcher)
    assert len(stocked.sessions()) == 2
    assert collector.requests == []
    assert b"s3cret" not in (stocked.telemetry / ".next-attempt").read_bytes()


def test_without_a_tunnel_a_proxys_refusal_is_not_the_services(
    stocked: Home, launcher: Launcher, plain_collector: Collector, tmp_path: Path
) -> None:
    with tinyproxy(tmp_path, AUTH) as (port, _):
        stocked.env["HTTP_PROXY"] = f"http://127.0.0.1:{port}"
        says(launcher)
        assert len(stocked.sessions()) == 2
        stocked.env["http_proxy"] = f"http://me:p%61ss@127.0.0.1:{port}"
        assert launcher.run("flush").returncode == 0
    assert len(plain_collector.requests) == 2
    assert classify(407, HTTPHeaderDict(), b"", by_proxy=True).result is Result.LATER


def test_without_encryption_no_proxy_on_another_machine_is_used(
    stocked: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    stocked.env["HTTP_PROXY"] = "http://proxy.invalid:3128"
    assert launcher.run("flush").returncode == 0
    assert len(plain_collector.requests) == 2


def test_without_a_proxy_407_is_the_services_own_word(
    stocked: Home, launcher: Launcher, plain_collector: Collector
) -> None:
    plain_collector.answers.append(Answer(status=407))
    launcher.run("flush")
    assert len(list((stocked.telemetry / "rejected").iterdir())) == 1


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "example.org,127.0.0.1"])
def test_no_proxy_goes_around_it(
    stocked: Home, launcher: Launcher, collector: Collector, variable: str, exempt: str
) -> None:
    stocked.env.update({"HTTPS_PROXY": "http://127.0.0.1:1", variable: exempt})
    assert launcher.run("flush").returncode == 0
    assert len(collector.requests) == 2


@pytest.mark.parametrize("exempt", [None, "::1", "[::1]"])
def test_ipv6_is_as_good(
    stocked: Home, launcher: Launcher, collector_on_ipv6: Collector, tmp_path: Path, exempt: str | None
) -> None:
    shown = launcher.run("show", "--wire").stdout
    if exempt:
        stocked.env.update(HTTPS_PROXY="http://127.0.0.1:1", NO_PROXY=exempt)
    assert launcher.run("flush").returncode == 0
    assert len(collector_on_ipv6.requests) == 2
    assert collector_on_ipv6.requests[0].head.replace(b"\r\n", b"\n") in shown


@pytest.mark.parametrize(
    ("proxy", "explanation"),
    [
        ("http://127.0.0.1:1", "the proxy does not connect us (Connection refused)"),
        ("http://s3cret@proxy.invalid:3128", "the proxy does not connect us ("),
        ("socks5://127.0.0.1:1080", "https_proxy is not the URL of an HTTP proxy"),
        ("http://s3cret@[::1", "https_proxy is not the URL of an HTTP proxy"),
        ("http://127.0.0.1:port", "https_proxy is not the URL of an HTTP proxy"),
    ],
)
def test_a_proxy_that_is_none_is_explained_and_loses_nothing(
    stocked: Home, launcher: Launcher, collector: Collector, proxy: str, explanation: str
) -> None:
    """In one line, without its password."""
    stocked.env["HTTPS_PROXY"] = proxy
    said = says(launcher)
    assert explanation in said
    assert "s3cret" not in said
    assert collector.requests == []
    assert len(stocked.sessions()) == 2
    assert explanation in launcher.status()["last_failure"]["says"]


def test_of_a_proxys_answer_to_connect_only_the_number_is_quoted() -> None:
    error = ProxyError("x", OSError("Tunnel connection failed: 502 <b>s3cret</b>"))
    assert explain(error) == "the proxy does not connect us (HTTP status 502)"

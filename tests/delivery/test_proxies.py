"""Through a real forward proxy, and around it."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from http.client import BadStatusLine, RemoteDisconnected
from pathlib import Path

import pytest
import trustme
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import ProxyError

from launcher.delivery import proxy
from launcher.delivery.transport import Result, classify, explain
from tests.support.daemons import tinyproxy
from tests.support.homes import Home
from tests.support.programs import Launcher
from tests.support.servers import Answer, Collector, TlsFront, url_of

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
        pytest.skip("needs IPv6 on the loopback interface")
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
    assert all((each.head + each.body) in shown for each in collector.requests)


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
        assert f"not sent: the proxy refused the connection (HTTP status {status})" in says(launcher)
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
@pytest.mark.parametrize("exempt", ["127.0.0.1", "*", "example.org,127.0.0.1", "10.0.0.0/8,127.0.0.0/8"])
def test_no_proxy_goes_around_it(
    stocked: Home, launcher: Launcher, collector: Collector, variable: str, exempt: str
) -> None:
    stocked.env.update({"HTTPS_PROXY": "http://127.0.0.1:1", variable: exempt})
    assert launcher.run("flush").returncode == 0
    assert len(collector.requests) == 2


@pytest.mark.parametrize("exempt", [None, "::1", "[::1]", "::1/128"])
def test_ipv6_is_as_good(
    stocked: Home, launcher: Launcher, collector_on_ipv6: Collector, tmp_path: Path, exempt: str | None
) -> None:
    shown = launcher.run("show", "--wire").stdout
    if exempt:
        stocked.env.update(HTTPS_PROXY="http://127.0.0.1:1", NO_PROXY=exempt)
    assert launcher.run("flush").returncode == 0
    assert len(collector_on_ipv6.requests) == 2
    assert collector_on_ipv6.requests[0].head in shown


def chosen(monkeypatch: pytest.MonkeyPatch, url: str, **settings: str) -> str | None:
    """The URL of the proxy for an endpoint where these variables are set, and no others."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    found = proxy.choose(url)
    return found.url if found else None


@pytest.mark.parametrize(
    ("url", "exempt", "goes_around"),
    [
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3:8443/base", "192.168.0.0/16, 10.0.0.0/8", True),
        ("https://10.1.2.3", "10.9.9.9/8", True),
        ("https://10.1.2.3", "10.1.2.2/31", True),
        ("https://10.1.2.3", "10.1.2.4/31", False),
        ("https://10.1.2.3", "10.0.0.0/255.0.0.0", True),
        ("https://10.1.2.3", "0.0.0.0/0", True),
        ("https://10.1.2.3", "::/0", False),
        ("https://10.1.2.3", "10.0.0.0/99", False),
        ("https://10.1.2.3", "10.0.0.0/", False),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3", "10.1.2.30", False),
        ("https://10.example", "10.0.0.0/8", False),
        ("https://[fd00::7]", "fd00::/8", True),
        ("https://[fd00::7]", "[fd00::]/8", True),
        ("https://[fd00::7]", "fd00:0:0:0:0:0:0:7", True),
        ("https://[fd00::7]:8443", "[fd00::7]:8443", True),
        ("https://[fd00::7]", "fe80::/10 fd00::/8", True),
        ("https://[fe80::7]", "fd00::/8", False),
        ("https://a.example.org", "example.org", True),
        ("https://a.example.org", ".Example.org", True),
        ("https://A.example.org", "a.example.org", True),
        ("https://anexample.org", "example.org", False),
        ("https://a.example.org", "a.example.org:443", True),
        ("https://a.example.org:8443", "a.example.org:443", False),
        ("https://a.example.org", "other.org,*", False),
        ("https://a.example.org", "*", True),
        ("https://a.example.org", " , ,", False),
        ("https://a.example.org", "b.example.org\ta.example.org", True),
        ("https://a.example.org", "a.example.org.", True),
        ("https://10.0.0.1", "0.0.1", False),
        ("https://10.0.0.1", ".1", False),
        ("https://10.0.0.1:8443", "10.0.0.1:8443", True),
        ("https://10.0.0.1", "10.0.0.1:8443", False),
        ("https://10.0.0.1", "*", True),
        ("https://[::1:4318]", "[::1]:4318", False),
    ],
)
def test_no_proxy_takes_names_ports_addresses_and_networks(
    monkeypatch: pytest.MonkeyPatch, url: str, exempt: str, goes_around: bool
) -> None:
    wanted = None if goes_around else "http://proxy.example:3128"
    assert chosen(monkeypatch, url, HTTPS_PROXY="http://proxy.example:3128", NO_PROXY=exempt) == wanted
    assert chosen(monkeypatch, url, all_proxy="http://proxy.example:3128", no_proxy=exempt) == wanted


def test_all_proxy_counts_where_no_other_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("all_proxy", "ALL_PROXY"):
        found = chosen(monkeypatch, "https://a.example", **{name: "proxy.example:3128"}, HTTP_PROXY="http://other:1")
        assert found == "http://proxy.example:3128"
    found = chosen(monkeypatch, "https://a.example", ALL_PROXY="http://other:1", https_proxy="https://proxy.example")
    assert found == "https://proxy.example:443"


def test_an_all_proxy_of_another_kind_is_named_and_not_bypassed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(proxy.Unusable, match=r"^all_proxy is not the URL of an HTTP proxy$"):
        chosen(monkeypatch, "https://a.example", ALL_PROXY="socks5h://127.0.0.1:1080")


@pytest.mark.parametrize(
    "value", ["http://a\\.b:3128", "http://junk[::1]junk", "http://a:0", "http://[fe80::1%25eth0]:1"]
)
def test_a_proxy_that_can_be_read_in_two_ways_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(proxy.Unusable):
        chosen(monkeypatch, "https://a.example", HTTPS_PROXY=value)


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_proxy_may_itself_be_reached_by_tls(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path, tls: ssl.SSLContext
) -> None:
    with tinyproxy(tmp_path, AUTH) as (port, log), TlsFront(tls, port) as front:
        stocked.env["HTTPS_PROXY"] = front.url.replace("//", "//me:pass@")
        assert launcher.run("flush").returncode == 0
    assert f"CONNECT {collector.url.removeprefix('https://')} HTTP/1." in log.read_text()
    assert len(collector.requests) == 2


def test_a_proxy_by_tls_that_refuses_us_says_so(
    stocked: Home, launcher: Launcher, collector: Collector, tmp_path: Path, tls: ssl.SSLContext
) -> None:
    with tinyproxy(tmp_path, AUTH) as (port, _), TlsFront(tls, port) as front:
        stocked.env["HTTPS_PROXY"] = front.url
        assert "not sent: the proxy refused the connection (HTTP status 407)" in says(launcher)


@pytest.mark.parametrize(
    ("name", "authority_of", "reason"),
    [
        ("127.0.0.1", "others", "this machine does not trust its certificate: "),
        ("proxy.example", "ours", "this machine does not trust its certificate: IP address mismatch"),
    ],
)
def test_a_proxy_by_tls_that_is_not_trusted_says_why(
    stocked: Home,
    launcher: Launcher,
    collector: Collector,
    authority: trustme.CA,
    name: str,
    authority_of: str,
    reason: str,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    (authority if authority_of == "ours" else trustme.CA()).issue_cert(name).configure_cert(context)
    with TlsFront(context, 1) as front:
        stocked.env["HTTPS_PROXY"] = front.url
        said = says(launcher)
    assert f"not sent: the proxy refused the connection ({reason}" in said
    assert len(stocked.sessions()) == 2


class Greeting(socketserver.StreamRequestHandler):
    """What does not speak TLS."""

    def handle(self) -> None:
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_proxy_without_tls_named_by_https_says_why(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), Greeting) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        stocked.env["HTTPS_PROXY"] = url_of(server.socket, secure=True)
        assert "the proxy refused the connection (TLS failure: wrong version number)" in says(launcher)


@pytest.mark.parametrize(
    ("url", "explanation"),
    [
        ("http://127.0.0.1:1", "the proxy refused the connection (Connection refused)"),
        ("http://s3cret@proxy.invalid:3128", "the proxy refused the connection ("),
        ("socks5://127.0.0.1:1080", "https_proxy is not the URL of an HTTP proxy"),
        ("http://s3cret@[::1", "https_proxy is not the URL of an HTTP proxy"),
        ("http://127.0.0.1:port", "https_proxy is not the URL of an HTTP proxy"),
    ],
)
def test_a_proxy_that_is_none_is_explained_and_loses_nothing(
    stocked: Home, launcher: Launcher, collector: Collector, url: str, explanation: str
) -> None:
    """In one line, without its password."""
    stocked.env["HTTPS_PROXY"] = url
    said = says(launcher)
    assert explanation in said
    assert "s3cret" not in said
    assert collector.requests == []
    assert len(stocked.sessions()) == 2
    assert explanation in launcher.status()["last_failure"]["says"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.timeout("_ssl.c:989: The handshake operation timed out"), "no answer in time"),
        (RemoteDisconnected("s3cret"), "the connection was lost"),
        (BadStatusLine("s3cret"), "the answer is not HTTP"),
        (ValueError("s3cret"), "unknown reason"),
    ],
)
def test_errors_without_words_of_their_own_are_explained_too(error: Exception, reason: str) -> None:
    assert explain(ProxyError("s3cret", error)) == f"the proxy refused the connection ({reason})"


def test_of_a_proxys_answer_to_connect_only_the_number_is_quoted() -> None:
    error = ProxyError("x", OSError("Tunnel connection failed: 502 <b>s3cret</b>"))
    assert explain(error) == "the proxy refused the connection (HTTP status 502)"

"""Where sessions go: what is shown as the endpoint is where a connection is opened to, and what is asked for there."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest
import trustme
import urllib3
from hypothesis import example, given
from hypothesis import strategies as st

from launcher.consent.config import Config
from launcher.consent.situation import Situation
from launcher.delivery import encode, transport
from launcher.delivery.encode import Request
from launcher.delivery.endpoint import DEFAULT_PORTS, VARIABLE, Endpoint, choose

NO_POLICY = Config("/etc/nothing", exists=False)
REQUEST = Request("/events", {"Accept-Encoding": "identity", "Content-Length": "2", "User-Agent": "x"}, b"{}")
ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"

# From what people write, and from what readers of URLs disagree about.
NOISE = st.text(alphabet="aA1.-_[]:%\\@/0x2f é٣K。\u200b\t", max_size=5)
HOSTS = st.one_of(
    st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.ip_addresses(v=6).map(lambda address: f"[{address.exploded}]".upper()),
    st.sampled_from(["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "collector.example"]),
)
PORTS = st.one_of(st.just(""), st.integers(-1, 70000).map(":{}".format), st.sampled_from([":", ":0443", ":٤٤٣"]))
PATHS = st.text(alphabet="/aä%2fF.;=~!*'()$&+,:@[]|\\^\"<>{}`-", max_size=8).map("/{}".format)
URLS = st.builds(
    "{}://{}{}{}{}{}".format,
    st.sampled_from(["https", "http", "HTTPS"]),
    NOISE | st.just(""),
    HOSTS,
    NOISE | st.just(""),
    PORTS,
    PATHS | st.just(""),
)


def shown(url: str) -> str | None:
    """The endpoint that is shown for this setting; None if it is refused."""
    situation = Situation({VARIABLE: url})
    situation.policy = NO_POLICY
    chosen = choose(situation)
    assert chosen
    return None if chosen.problem else chosen.url


def as_read(url: str) -> tuple[str, int]:
    """The host and the port that people read in a URL that is shown."""
    match = re.fullmatch(r"(https?)://(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]+))?(/[!-~]*)?", url)
    assert match, url
    return match[2] or match[3], int(match[4] or DEFAULT_PORTS[match[1]])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of one authority: those of this machine take long to load."""
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return str(path)


def post(url: str, ca_file: str | None = None, connected: socket.socket | None = None) -> list[tuple[str, int]]:
    """Send a request there: the addresses to which urllib3 opens connections, of which each is `connected`."""
    addresses: list[tuple[str, int]] = []

    def create_connection(address: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        addresses.append(address)
        if connected is None:
            raise OSError
        return connected

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib3.util.connection, "create_connection", create_connection)
        patch.setenv("NO_PROXY", "*")
        with transport.connect(Endpoint(url, "a test", "chef", ca_file, None)) as connection:
            connection.send(REQUEST)
            assert connection.answer(30)
    return addresses


@given(url=URLS | st.text(max_size=20).map("https://{}".format))
@example(url="https://a.example\\.b.example")
@example(url="https://junk[::1]junk")
@example(url="https://[::1]junk")
@example(url="https://[fe80::1%25eth0]")
@example(url="https://[fe80::1%eth0]")
@example(url="https://a.example:0")
@example(url="https://a.example.")
@example(url="https://a%2eexample")
@example(url="https://\N{KELVIN SIGN}.example")
@example(url="https://0x7f.1")
@example(url="https://[::ffff:127.0.0.1]:0443/a")
def test_the_host_shown_is_the_host_connected_to(certificates: str, url: str) -> None:
    endpoint = shown(url)
    if endpoint is not None:
        assert post(endpoint, certificates) == [as_read(endpoint)]


@given(host=st.sampled_from(["127.0.0.1", "[::1]", "LocalHost", "127.1.2.3"]), port=PORTS, path=PATHS)
@example(host="127.0.0.1", port=":80", path="//a/")
@example(host="127.0.0.1", port="", path="/%zz")
def test_the_request_shown_is_the_request_made(host: str, port: str, path: str) -> None:
    endpoint = shown(f"http://{host}{port}{path}")
    if endpoint is None:
        return
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(ANSWER)
        post(endpoint, connected=ours)
        assert theirs.recv(65536) == encode.as_http(REQUEST, endpoint)


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("https://Collector.Example:443/", "https://collector.example"),
        ("https://collector.example:0443", "https://collector.example"),
        ("https://collector.example:", "https://collector.example"),
        ("HTTPS://collector_1.example:8443/a//b", "https://collector_1.example:8443/a//b"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://10.1.2.3", "https://10.1.2.3"),
        ("https://[2001:DB8::7]:8443", "https://[2001:db8::7]:8443"),
        ("http://[::1]:4318", "http://[::1]:4318"),
    ],
)
def test_what_people_write_is_taken(written: str, used: str) -> None:
    assert shown(written) == used


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example\\.b.example",
        "https://a.example\\@b.example",
        "https://junk[::1]junk",
        "https://[::1]junk",
        "https://[::1",
        "https://[fe80::1%25eth0]",
        "https://[1::2::3]",
        "https://[v1.a]",
        "https://a..example",
        "https://a.example.",
        "https://.example",
        f"https://{'a' * 64}.example",
        "https://a%2eexample",
        "https://a,b",
        "https://1.2.3",
        "https://1.2.3.256",
        "https://127.0.0.0x1",
        "https://2130706433",
        "https://a.example:0",
        "https://a.example:65536",
        "https://a.example:+443",
        "https://a.example:٤٤٣",
        "https://\N{KELVIN SIGN}.example",
        "https://a\N{IDEOGRAPHIC FULL STOP}example",
        "https://a.example\t.b.example",
        "https:///a.example",
        "https:a.example",
        "https://a.example/%zz",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(url: str) -> None:
    assert shown(url) is None

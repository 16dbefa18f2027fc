"""What chef-run's words tell, however they arrive."""

from __future__ import annotations

import os
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.reading.command_line import Target, targets
from launcher.reading.output import (
    BULK,
    CAREFUL,
    FAMILIES,
    MOST_FINDINGS,
    OS_NAMES,
    WINDOW,
    Observer,
    failed_hosts,
    findings,
    platforms,
)
from tests.support.hashes import sha1

UNSUPPORTED = "'freebsd' is not a supported target operating system at this time."
NO_PACKAGE = (
    "No artifacts found matching criteria.\n  product name: chef\n  channel: stable\n  version: latest\n"
    "  platform: rocky\n  platform version: 9.4\n  architecture: x86_64\n  compatibility mode: true\n"
)
ESCAPES = [
    b"\x1b[2K",
    b"\x1b[1G",
    b"\x1b[0m",
    b"\x1b[?25l",
    b"\x1b7",
    b"\x1b8",
    b"\x1b]0;title\x07",
    b"\x1b(B",
    b"\r",
]


def said(text: str | bytes, *, chunk: int = 0) -> dict[str, str]:
    """What an observer finds in it that is fed `chunk` bytes at a time, or all at once."""
    data = text.encode() if isinstance(text, str) else text
    observer = Observer()
    for start in range(0, len(data), chunk or len(data) or 1):
        observer.feed(data[start : start + (chunk or len(data))])
    return findings(observer.report())


def hosts(*names: str) -> list[Target]:
    return targets([",".join(names), "directory", "/tmp/foo"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"\n{UNSUPPORTED}\n\nWe plan to support a range", {"": "freebsd"}),
        (UNSUPPORTED, {"": "freebsd"}),
        (f"└── [✖] [web01] {UNSUPPORTED}\r\n", {sha1("web01"): "freebsd"}),
        (
            f"[ - ] [::1] {UNSUPPORTED}\n[ERR] [::1] ChefApply::TargetHost::UnsupportedTargetOS",
            {sha1("::1"): "freebsd"},
        ),
        (f"[ - ] [web[1-3]] {UNSUPPORTED}", {sha1("web[1-3]"): "freebsd"}),
        (f"\n  {NO_PACKAGE}", {"": "rocky"}),
        (f"[✖] [web01] {NO_PACKAGE}", {sha1("web01"): "rocky", "": "rocky"}),
        (
            f"[ - ] [a] {UNSUPPORTED}\n[ - ] [b] {NO_PACKAGE}",
            {sha1("a"): "freebsd", sha1("b"): "rocky", "": "rocky"},
        ),
        ("\n'mac_os_x' is not a supported target operating system", {"": "macos"}),
        ("\n'templeos' is not a supported target operating system", {}),
        ("\n'web01' is not a supported target operating system", {}),
        (f"log: {UNSUPPORTED}", {}),
        (f"\n{UNSUPPORTED}\n{UNSUPPORTED.replace('freebsd', 'openbsd')}", {}),
        ("  platform: rocky and more\n  platform version: 9", {}),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1, 2, 3, 7, 64])
def test_a_platform_is_read_only_where_chef_run_names_it(text: str, found: dict[str, str], chunk: int) -> None:
    assert said(text, chunk=chunk) == found


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_escape_sequences_and_chunk_ends_may_stand_anywhere(data: st.DataObject) -> None:
    sentences = {
        f"[✖] [web01] {UNSUPPORTED}\n": (sha1("web01"), "freebsd"),
        f"[ - ] [web02] {UNSUPPORTED.replace('free', 'open')}\n": (sha1("web02"), "openbsd"),
        f"[✖] [web03] {NO_PACKAGE}": (sha1("web03"), "rocky"),
        "└── [/] [web04] Connecting as root...": None,
        "\n": None,
    }
    spoken = data.draw(st.lists(st.sampled_from(sorted(sentences)), max_size=6))
    text = "".join(spoken).encode()
    for _ in range(data.draw(st.integers(0, 12))):
        place = data.draw(st.integers(0, len(text)))
        # Not into the middle of another sequence: that would be another sequence.
        if b"\x1b" not in text[max(0, place - 12) : place]:
            text = text[:place] + data.draw(st.sampled_from(ESCAPES)) + text[place:]
    observer = Observer()
    while text:
        size = data.draw(st.integers(1, 300))
        observer.feed(text[:size])
        text = text[size:]

    found = findings(observer.report())
    found.pop("", None)
    assert found == dict(sentence for sentence in map(sentences.get, spoken) if sentence)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(), st.sampled_from([UNSUPPORTED.encode(), NO_PACKAGE.encode(), *ESCAPES]))))
def test_any_bytes_leave_only_hashes_and_names_of_the_vocabulary(chunks: list[bytes]) -> None:
    observer = Observer()
    for chunk in chunks:
        observer.feed(chunk)
    assert set(findings(observer.report()).values()) <= set(OS_NAMES)


def test_memory_and_report_stay_bounded_whatever_is_said() -> None:
    observer = Observer()
    for number in range(3 * MOST_FINDINGS):
        observer.feed(f"[✖] [web{number}] {UNSUPPORTED}\n".encode())
        observer.feed(b"\x1b[" + b"1" * 5000 + b"x" * 5000)
        assert len(observer._seen) <= WINDOW
        assert len(observer._begun_escape) <= WINDOW
    assert len(observer.report()) == 21 * MOST_FINDINGS


def test_after_much_output_only_unbroken_sentences_are_found() -> None:
    """In bulk, nothing is looked for: it passes too fast for that."""
    observer = Observer()
    redraw = b"\x1b7\x1b[1A\x1b[1G [|] [web01] Connecting as root...\x1b8"
    for _ in range(CAREFUL // len(redraw) + 1):
        observer.feed(redraw)
    observer.feed(f"\x1b[1G[✖] [web01] {UNSUPPORTED}\x1b8\r\n[ - ] [web02] ".encode())
    observer.feed(NO_PACKAGE.replace("\n", "\r\n").encode())
    assert findings(observer.report()) == {sha1("web01"): "freebsd", sha1("web02"): "rocky", "": "rocky"}

    observer.feed(f"[✖] [web03] {UNSUPPORTED}\n".encode().ljust(BULK))
    assert sha1("web03") not in findings(observer.report())


def test_observing_bulk_takes_a_fifth_of_the_time_of_relaying_it() -> None:
    chunk = (b"a line of a log that passes through the output of chef-run\n" * 1200)[:BULK]
    observing, relaying = [], []
    for _ in range(3):
        observer = Observer()
        start = time.process_time()
        for _ in range(1000):
            observer.feed(chunk)
        observing.append(time.process_time() - start)

        source, sink = os.pipe()
        start = time.process_time()
        for _ in range(1000):
            os.write(sink, chunk)
            os.read(source, BULK)
        relaying.append(time.process_time() - start)
        os.close(source)
        os.close(sink)
    assert min(observing) < min(relaying) / 5


@pytest.mark.parametrize("report", [b"x", b"x" * 20, bytes(20) + b"\xff", bytes(21) + b"\0", b"\n" * 41])
def test_a_report_that_is_not_one_says_nothing(report: bytes) -> None:
    assert findings(report) == {}
    assert findings(random.Random(1).randbytes(21 * 50)) == {}


def test_errors_txt_names_each_failed_host() -> None:
    flat = " ".join(NO_PACKAGE.split())
    text = (
        f"Host: web01 Error: CHEFTARG001: {UNSUPPORTED}We plan to support a range\n"
        f"Host: web02 : An unexpected error has occurred: {flat}\n"
        "Host: web03 Error: CHEFNET001: A network error occurred: getaddrinfo: Name or service not known\n"
        f"Host: two Error: CHEFTARG001: {UNSUPPORTED}\n"
        f"Host: two Error: CHEFTARG001: {UNSUPPORTED.replace('freebsd', 'vmkernel')}\n"
        f" Host: web04 Error: CHEFTARG001: {UNSUPPORTED}\n"
    )
    assert failed_hosts(text.encode()) == {sha1("web01"): "freebsd", sha1("web02"): "rocky"}
    assert failed_hosts(b"\xff\n\0Host: ") == {}


def test_sources_are_joined_by_target_the_best_first() -> None:
    payload, text, errors = (
        {sha1("a"): "linux"},
        {sha1("a"): "freebsd", sha1("b"): "openbsd"},
        {sha1("c"): "hpux"},
    )
    assert platforms(hosts("a", "b", "c", "d"), payload, text, errors) == ["linux", "openbsd", "hpux", None]


def test_what_names_no_host_counts_for_an_only_target() -> None:
    """For several it would be a guess."""
    assert platforms(hosts("a"), {}, {"": "freebsd"}) == ["freebsd"]
    assert platforms(hosts("a"), {sha1("a"): "linux"}, {"": "freebsd"}) == ["linux"]
    assert platforms(hosts("a", "b"), {}, {"": "freebsd"}) == [None, None]
    assert platforms([], {}, {"": "freebsd"}) == []


def test_a_name_outside_the_vocabulary_never_enters_a_record() -> None:
    assert platforms(hosts("a"), {sha1("a"): "my secret"}, {}) == [None]
    assert platforms(hosts("a"), {sha1("a"): "my secret"}, {sha1("a"): "freebsd"}) == ["freebsd"]
    assert OS_NAMES[: len(FAMILIES)] == FAMILIES == ("linux", "windows", "macos", "solaris", "aix")
    assert len(set(OS_NAMES)) == len(OS_NAMES) < 256

"""What chef-run's words tell, however they arrive."""

from __future__ import annotations

import os
import random
import time
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.reading import output
from launcher.reading.output import (
    CAREFUL_SIZE,
    FAMILIES,
    KEPT,
    MAX_ESCAPE_SIZE,
    MAX_FINDINGS,
    OS_NAMES,
    Claims,
    Observer,
    failed_hosts,
    findings,
    platforms,
)
from tests.support.hashes import sha1
from tests.support.homes import targets_of

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


def said(text: str | bytes, *, chunk: int = 0) -> Claims:
    """What an observer finds in it that is fed `chunk` bytes at a time, or all at once."""
    data = text.encode() if isinstance(text, str) else text
    observer = Observer()
    for start in range(0, len(data), chunk or len(data) or 1):
        observer.feed(data[start : start + (chunk or len(data))])
    return findings(observer.report())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"\n{UNSUPPORTED}\n\nWe plan to support a range", {"": {"freebsd"}}),
        (UNSUPPORTED, {"": {"freebsd"}}),
        (f"└── [✖] [web01] {UNSUPPORTED}\r\n", {sha1("web01"): {"freebsd"}}),
        (
            f"[ - ] [::1] {UNSUPPORTED}\n[ERR] [::1] ChefApply::TargetHost::UnsupportedTargetOS",
            {sha1("::1"): {"freebsd"}},
        ),
        (f"[ - ] [web[1-3]] {UNSUPPORTED}", {sha1("web[1-3]"): {"freebsd"}}),
        (f"\n  {NO_PACKAGE}", {"": {"rocky"}}),
        (f"[✖] [web01] {NO_PACKAGE}", {sha1("web01"): {"rocky"}}),
        (f"[ - ] [a] {UNSUPPORTED}\n[ - ] [b] {NO_PACKAGE}", {sha1("a"): {"freebsd"}, sha1("b"): {"rocky"}}),
        (f"[✖] [a] {NO_PACKAGE}[✖] [b] {NO_PACKAGE}", {sha1("a"): {"rocky"}, sha1("b"): {"rocky"}}),
        (f"[{'a' * 255}] {UNSUPPORTED}", {sha1("a" * 255): {"freebsd"}}),
        (f"[{'a' * 256}] {UNSUPPORTED}", {}),
        (f"[web 01] {UNSUPPORTED}", {}),
        (f"[] {UNSUPPORTED}", {}),
        (f"web01] {UNSUPPORTED}", {}),
        ("\n'mac_os_x' is not a supported target operating system", {"": {"macos"}}),
        ("\n'templeos' is not a supported target operating system", {}),
        ("\n'web01' is not a supported target operating system", {}),
        (f"log: {UNSUPPORTED}", {}),
        (f"\n{UNSUPPORTED}\n{UNSUPPORTED.replace('freebsd', 'openbsd')}", {"": {"freebsd", "openbsd"}}),
        (f"\n{NO_PACKAGE.replace('rocky', 'rocky and more')}", {}),
        (NO_PACKAGE.partition("\n")[2], {}),
        (NO_PACKAGE.replace("\n  version", "\nversion"), {}),
        (NO_PACKAGE.replace("\n  version", "\n  one\n  two\n  three\n  four\n  version"), {}),
    ],
)
@pytest.mark.parametrize("chunk", [0, 1, 2, 3, 7, 64])
def test_a_platform_is_read_only_where_chef_run_names_it(text: str, found: Claims, chunk: int) -> None:
    assert said(text, chunk=chunk) == found


SENTENCES: dict[str, Claims] = {
    f"[✖] [web01] {UNSUPPORTED}\n": {sha1("web01"): {"freebsd"}},
    f"[ - ] [web02] {UNSUPPORTED.replace('free', 'open')}\n": {sha1("web02"): {"openbsd"}},
    f"[✖] [web03] {NO_PACKAGE}": {sha1("web03"): {"rocky"}},
    "└── [/] [web04] Connecting as root...": {},
    "\n": {},
}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_escape_sequences_may_stand_anywhere(data: st.DataObject) -> None:
    spoken = data.draw(st.lists(st.sampled_from(sorted(SENTENCES)), max_size=6))
    text = "".join(spoken).encode()
    for _ in range(data.draw(st.integers(0, 12))):
        place = data.draw(st.integers(0, len(text)))
        # Not into the middle of another sequence: that would be another sequence.
        if b"\x1b" not in text[max(0, place - 12) : place]:
            text = text[:place] + data.draw(st.sampled_from(ESCAPES)) + text[place:]

    expected = {host: names for sentence in spoken for host, names in SENTENCES[sentence].items()}
    assert said(text, chunk=data.draw(st.integers(1, 300))) == expected


@pytest.mark.parametrize(("size", "found"), [(50, {sha1("web01"): {"freebsd"}}), (51, {}), (5000, {})])
def test_what_is_too_long_for_an_escape_sequence_is_none(size: int, found: Claims) -> None:
    text = f"[web01] \x1b[{'1' * size}m{UNSUPPORTED}"
    for chunk in (1, 7, 64, len(text)):
        assert said(text, chunk=chunk) == found


def test_a_row_is_read_wherever_in_it_the_careful_reading_ends() -> None:
    text = f"\x1b7\x1b]0;title\x1b\\└── \x1b[0m[✖] [web01] {UNSUPPORTED}\x1b8\r\n"
    for careful in range(1, len(text.encode()) + 1):
        with patch.object(output, "CAREFUL_SIZE", careful):
            assert said(text) == {sha1("web01"): {"freebsd"}}


# What sentences, escape sequences and marks are made of, whole and in pieces, and what is none of them.
PIECES = st.one_of(
    st.sampled_from([sentence.encode() for sentence in SENTENCES]),
    st.sampled_from([f"\n{UNSUPPORTED}".encode(), f"[web01] {UNSUPPORTED.replace('freebsd', 'hpux')}".encode()]),
    st.sampled_from([f"\n  {NO_PACKAGE}".encode(), *NO_PACKAGE.encode().splitlines(keepends=True)]),
    st.sampled_from([*ESCAPES, b"\x1b", b"\x1b[", b"\x1b]", b"\x1b]0;" + b"t" * 190, b"\x1b\\", b"\x07", b"\x1b ("]),
    st.sampled_from([*output.MARKS, "✖".encode(), "✖".encode()[:2], b"\x96", b"[", b"] ", b"'", b"\r\n", b"  "]),
    st.builds(bytes.__mul__, st.sampled_from([b"[", b"1", b" ", b"x", b"\x1b[", b"  x\n"]), st.integers(1, 1500)),
    st.binary(max_size=30),
)


@settings(max_examples=1000, deadline=None)
@given(
    pieces=st.lists(PIECES, max_size=30),
    cuts=st.lists(st.integers(0, 1 << 16)),
    careful=st.integers(1, 4000),
    rows=st.integers(1, 1 << 16),
)
def test_findings_do_not_depend_on_where_output_is_cut(
    pieces: list[bytes], cuts: list[int], careful: int, rows: int
) -> None:
    text = b"".join(pieces)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    with patch.object(output, "CAREFUL_SIZE", careful), patch.object(output, "ROWS_SIZE", rows):
        whole, cut, bytewise = Observer(), Observer(), Observer()
        whole.feed(text)
        for start, end in zip(places, places[1:]):
            cut.feed(memoryview(text)[start:end])
        for start in range(len(text)):
            bytewise.feed(text[start : start + 1])
    assert findings(whole.report()) == findings(cut.report()) == findings(bytewise.report())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(), st.sampled_from([UNSUPPORTED.encode(), NO_PACKAGE.encode(), *ESCAPES]))))
def test_any_bytes_leave_only_hashes_and_names_of_the_vocabulary(chunks: list[bytes]) -> None:
    observer = Observer()
    for chunk in chunks:
        observer.feed(chunk)
    assert set().union(*findings(observer.report()).values()) <= set(OS_NAMES)


def test_memory_and_report_stay_bounded_whatever_is_said() -> None:
    observer = Observer()
    for number in range(3 * MAX_FINDINGS):
        observer.feed(f"[✖] [web{number}] {UNSUPPORTED}\n".encode())
        observer.feed(b"\x1b[" + b"1" * 5000 + b"x" * 5000)
        assert len(observer._seen) <= KEPT
        assert len(observer._begun_escape) <= MAX_ESCAPE_SIZE
        assert len(observer._found) <= MAX_FINDINGS + 1


def test_findings_that_are_too_many_to_be_told_are_none() -> None:
    observer = Observer()
    for number in range(MAX_FINDINGS):
        observer.feed(f"[✖] [web{number}] {UNSUPPORTED}\n".encode())
    assert len(observer.report()) == 21 * MAX_FINDINGS
    observer.feed(f"[✖] [web0] {UNSUPPORTED.replace('free', 'open')}\n".encode())
    assert observer.report() == b""


def test_after_much_output_only_rows_of_failed_targets_are_read() -> None:
    text = "\x1b7\x1b[1A\x1b[1G└── [|] [web01] Connecting as root...\x1b8".encode()
    text *= CAREFUL_SIZE // len(text) + 1
    text += f"\x1b[1G└── [✖] [web01] {UNSUPPORTED}\x1b8\r\n└── \x1b[0m[✖] [web02] ".encode()
    text += NO_PACKAGE.replace("\n", "\r\n").encode()
    text += f"[ - ] [web03] {UNSUPPORTED}\n".encode().rjust(2000)
    for chunk in (len(text), 1 << 16, 4000):
        assert said(text, chunk=chunk) == {sha1("web01"): {"freebsd"}, sha1("web02"): {"rocky"}}


@pytest.mark.parametrize(("missing", "found"), [(0, {sha1("web01"): {"freebsd"}}), (1, {})])
def test_after_very_much_output_nothing_is_read(missing: int, found: Claims) -> None:
    row = f"[✖] [web01] {UNSUPPORTED}".encode()
    end = row.index(output.UNSUPPORTED) + len(output.UNSUPPORTED)
    with patch.object(output, "CAREFUL_SIZE", 1000), patch.object(output, "ROWS_SIZE", 5000 + end - missing):
        for chunk in (0, 100, 7):
            assert said(b"x" * 6000 + row, chunk=chunk) == found


def test_observing_bulk_takes_a_fifth_of_the_time_of_relaying_it() -> None:
    size = 1 << 16
    chunk = memoryview((b"a line of a log that passes through the output of chef-run\n" * 1200)[:size])
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
            os.read(source, size)
        relaying.append(time.process_time() - start)
        os.close(source)
        os.close(sink)
    assert min(observing) < min(relaying) / 5


HOSTILE_OUTPUT = {
    "brackets": b"[",
    "brackets and a mark": b"[" * 1000 + UNSUPPORTED.encode(),
    "marks": UNSUPPORTED.encode(),
    "platforms": b"\n  platform version: ",
    "lines and no platform": b"[a] No artifacts found matching criteria.\n" + b"  x\n" * 5,
    "escape": b"\x1b",
    "CSI": b"\x1b[",
    "CSI without an end": b"\x1b[" + b"1" * 70,
    "OSC": b"\x1b]",
    "OSC without an end": b"\x1b]" + b"1" * 300,
    "rows": "[✖] [web01] ".encode(),
}


@pytest.mark.parametrize("unit", HOSTILE_OUTPUT.values(), ids=HOSTILE_OUTPUT)
@pytest.mark.parametrize("chunk", [1 << 12, 1 << 16, 1 << 23])
def test_whatever_is_said_is_read_in_bounded_time(unit: bytes, chunk: int) -> None:
    said = unit * ((1 << 23) // len(unit))
    observer = Observer()
    start = time.process_time()
    for place in range(0, len(said), chunk):
        observer.feed(said[place : place + chunk])
        observer.feed(UNSUPPORTED.encode())
    assert time.process_time() - start < 5


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
    assert failed_hosts(text.encode()) == {
        sha1("web01"): {"freebsd"},
        sha1("web02"): {"rocky"},
        sha1("web03"): set(),
        sha1("two"): {"freebsd", "vmkernel"},
    }
    assert failed_hosts(b"\xff\n\0Host: ") == {}


@pytest.mark.parametrize(
    "unit",
    [b"[", b"\n", b"Host: ", b"Host: a \n", b"Host: a " + b"No artifacts found matching criteria. platform: " * 9],
    ids=repr,
)
def test_whatever_errors_txt_holds_is_read_in_bounded_time(unit: bytes) -> None:
    text = unit * ((1 << 23) // len(unit))
    start = time.process_time()
    failed_hosts(text)
    failed_hosts(b"Host: " + text)
    assert time.process_time() - start < 5


def test_what_the_sources_say_is_put_together_by_host() -> None:
    payload, text, errors = ({sha1("a"): {"linux"}}, {sha1("b"): {"openbsd"}}, {sha1("c"): {"hpux"}, sha1("d"): set()})
    assert platforms(targets_of("a", "b", "c", "d", "e"), payload, text, errors) == [
        "linux",
        "openbsd",
        "hpux",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("payload", "text", "errors", "system"),
    [
        pytest.param({"linux"}, {"linux"}, {"linux"}, "linux", id="all the same"),
        pytest.param({"linux"}, set(), {"freebsd"}, None, id="two ports, one of them failed"),
        pytest.param({"linux"}, {"freebsd"}, set(), None, id="the payload and the output"),
        pytest.param(set(), {"openbsd"}, {"freebsd"}, None, id="the output and errors.txt"),
        pytest.param({"linux", "windows"}, set(), set(), None, id="two in one source"),
        pytest.param({"linux", "windows"}, {"rocky"}, {"linux"}, None, id="two in one source, one of them elsewhere"),
        pytest.param(set(), {"freebsd", "openbsd"}, {"freebsd"}, None, id="two in the output, one in errors.txt"),
        pytest.param({"linux"}, {"rocky"}, {"rocky"}, "linux", id="a family, and more precisely"),
        pytest.param({"linux"}, {"rocky"}, {"opensuse"}, "linux", id="a family, and two of it"),
        pytest.param({"solaris"}, {"smartos"}, set(), "solaris", id="another family"),
        pytest.param({"solaris"}, {"rocky"}, set(), None, id="a member of another family"),
        pytest.param(set(), {"rocky"}, {"opensuse"}, None, id="two of one family"),
        pytest.param(set(), {"rocky"}, {"linux"}, "linux", id="a family in the text"),
        pytest.param(set(), {"rocky"}, {"rocky"}, "rocky", id="only the text"),
        pytest.param({"windows"}, {"macos"}, set(), None, id="two families"),
    ],
)
def test_a_host_has_the_system_that_all_sources_agree_on(
    payload: set[str], text: set[str], errors: set[str], system: str | None
) -> None:
    sources: list[Claims] = [{sha1("a"): names} for names in (payload, text, errors)]
    assert platforms(targets_of("a:22", "a:2222", "b"), *sources) == [system, system, None]
    assert platforms(targets_of("a"), *reversed(sources)) == [system]


def test_what_names_no_host_counts_for_an_only_target() -> None:
    """For several it would be a guess."""
    assert platforms(targets_of("a"), {}, {"": {"freebsd"}}) == ["freebsd"]
    assert platforms(targets_of("a"), {sha1("a"): {"linux"}}, {"": {"rocky"}}) == ["linux"]
    assert platforms(targets_of("a"), {sha1("a"): {"linux"}}, {"": {"freebsd"}}) == [None]
    assert platforms(targets_of("a", "b"), {}, {"": {"freebsd"}}) == [None, None]
    assert platforms(targets_of("a", "b"), {sha1("a"): {"linux"}}, {"": {"freebsd"}}) == ["linux", None]
    assert platforms([], {}, {"": {"freebsd"}}) == []


def test_a_name_outside_the_vocabulary_never_enters_a_record() -> None:
    assert platforms(targets_of("a"), {sha1("a"): {"my secret"}}, {}) == [None]
    assert platforms(targets_of("a"), {sha1("a"): {"my secret"}}, {sha1("a"): {"freebsd"}}) == ["freebsd"]
    assert OS_NAMES[: len(FAMILIES)] == FAMILIES == ("linux", "windows", "macos", "solaris", "aix")
    assert len(set(OS_NAMES)) == len(OS_NAMES) < 256
    assert set(output.FAMILY) < set(OS_NAMES)
    assert set(output.FAMILY.values()) < set(FAMILIES)

"""The format `otlp`: OTLP/HTTP in JSON, held against OpenTelemetry's own definitions and a collector of others."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from launcher.consent import config
from launcher.delivery import attempt, encode
from launcher.delivery.transport import Outcome
from launcher.reading.command_line import targets
from launcher.record import session
from tests.support.daemons import rotel
from tests.support.homes import Home
from tests.support.programs import Launcher
from tests.support.servers import Answer, Collector, Request
from tests.support.waiting import wait_until

DAY = "2026-11-24"
FORMAT = '[telemetry]\nformat = "otlp"\n'


def record(
    *hosts: str, host: tuple[str | None, str | None] = ("debian", None), level: str = "sha256"
) -> session.Session:
    """A session of a run that connected to these hosts. Of every second one the operating system is not known."""
    command = [",".join(hosts), "directory", "/tmp/foo"]
    systems: list[str | None] = ["linux", None]
    os, version = host
    return session.build(
        session.new_id(),
        {"os": os, "version": version},
        targets(command),
        (systems * len(hosts))[: len(hosts)],
        level,
        b"key",
    )


# What a session can look like, from all that is known to nothing.
SHAPES = {
    "known": record("web01", host=("debian", "12.4")),
    "unknown": record("web01", "winrm://db01", "web02", "db02"),
    "no targets": record(),
    "no host": record("web01", host=(None, None)),
    "salted": record("web01", "winrm://db01", level="salted"),
    "count": record("web01", "winrm://db01", level="count"),
    "off": record("web01", "winrm://db01", level="off"),
    "many": record(*(f"web{number}" for number in range(300))),
}


def known(value: Any) -> Any:
    """The value without what is not known, as it is sent."""
    if isinstance(value, dict):
        return {name: known(each) for name, each in value.items() if each is not None}
    return [known(each) for each in value] if isinstance(value, list) else value


def sent(each: session.Session) -> dict[str, Any]:
    """What a request says of a session."""
    return {name: known(value) for name, value in each.items() if name != "schema"}


def parsed(body: bytes) -> ExportLogsServiceRequest:
    return Parse(body, ExportLogsServiceRequest(), ignore_unknown_fields=False)


def plain(value: AnyValue) -> Any:
    """An AnyValue as Python has it."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "kvlist_value":
        return {each.key: plain(each.value) for each in value.kvlist_value.values}
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind)


def records_of(export: ExportLogsServiceRequest) -> list[dict[str, Any]]:
    """The sessions that a request carries: what stands in each log record's body, and its id."""
    return [
        {"id": each.attributes[0].value.string_value, **plain(each.body)}  # it has but this one attribute
        for resource in export.resource_logs
        for scope in resource.scope_logs
        for each in scope.log_records
        if len(each.attributes) == 1
    ]


def ids_in(request: Request) -> list[str]:
    return [each["id"] for each in records_of(parsed(request.body))]


def test_opentelemetrys_own_definitions_read_it_without_a_rest() -> None:
    sessions = [record("web01", "winrm://db01"), record(), record("web02")]
    request = encode.encode(sessions, "otlp", DAY)
    assert request.path == "/v1/logs"
    assert request.headers["Content-Type"] == "application/json"
    assert records_of(parsed(request.body)) == [sent(each) for each in sessions]


def values_in(node: Any) -> Iterator[dict[str, Any]]:
    """Every AnyValue in a request's JSON."""
    for name, each in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if name in ("value", "body"):
            yield each
        yield from values_in(each)


@pytest.mark.parametrize("shape", SHAPES)
def test_no_value_is_without_a_kind(shape: str) -> None:
    """Which would be legal, and which real collectors refuse. What is not known is left out."""
    body = encode.encode([SHAPES[shape]], "otlp", DAY).body
    assert all(len(value) == 1 for value in values_in(json.loads(body)))
    assert records_of(parsed(body)) == [sent(SHAPES[shape])]


@pytest.fixture
def behind(tmp_path: Path, home: Home) -> Iterator[Collector]:
    """What a collector of others passes on what it has understood to. The home's environment names that one."""
    with Collector() as server:
        server.otherwise = lambda request: Answer(200, b"", {"Content-Type": "application/x-protobuf"})
        with rotel(tmp_path, server.url) as url:
            home.env["CHEF_TELEMETRY_ENDPOINT"] = url
            yield server


def ignore(session_id: str, outcome: Outcome) -> None:
    """What is sent is looked at elsewhere."""


def understood(behind: Collector, count: int) -> list[dict[str, Any]]:
    """The sessions that the collector has passed on, as soon as there are so many."""

    def passed_on() -> list[dict[str, Any]]:
        bodies = [gzip.decompress(request.body) for request in behind.requests]
        return [each for body in bodies for each in records_of(ExportLogsServiceRequest.FromString(body))]

    wait_until(lambda: len(passed_on()) >= count, f"{count} sessions have been passed on")
    return passed_on()


@pytest.mark.parametrize("alone", [True, False], ids=["one a request", "all in one"])
def test_another_collector_understands_each_session_as_stored(stocked: Home, behind: Collector, alone: bool) -> None:
    stocked.config.write_text(FORMAT)
    for path in stocked.sessions():
        path.unlink()
    stored = list(SHAPES.values())
    for each in stored:
        stocked.layout.telemetry.create(f"session-{each['id']}.json", session.to_bytes(each))
        if alone:
            assert attempt.flush(stocked.env, ignore) == attempt.Delivery(sent=1)
    if not alone:
        assert attempt.flush(stocked.env, ignore) == attempt.Delivery(sent=len(stored))
    assert stocked.sessions() == []
    found = sorted(understood(behind, len(stored)), key=lambda each: str(each["id"]))
    assert found == sorted((sent(each) for each in stored), key=lambda each: str(each["id"]))


def test_a_collector_of_others_takes_a_full_folder(stocked: Home, launcher: Launcher, behind: Collector) -> None:
    stocked.config.write_text(FORMAT)
    ids = stocked.has_waiting(*(f"db{number}" for number in range(498)))
    assert launcher.run("flush").stdout.endswith(b"Sent 500 sessions.\n")
    assert set(ids) < {each["id"] for each in understood(behind, 500)}
    assert len(stocked.receipts()) == 500


def test_it_says_who_sends_and_on_which_day_and_no_more() -> None:
    (resource,) = parsed(encode.encode([record("web01")], "otlp", DAY).body).resource_logs
    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert attributes["service.name"] == "chef-workstation"
    assert set(attributes) == {"service.name", "service.version"}
    (log,) = resource.scope_logs[0].log_records
    assert {field.name for field, _ in log.ListFields()} == {
        "observed_time_unix_nano",
        "event_name",
        "body",
        "attributes",
    }
    assert log.observed_time_unix_nano == 1795478400 * 10**9


def test_a_request_carries_100_sessions_or_fewer_large_ones() -> None:
    small = [record("web01") for _ in range(250)]
    assert [len(batch) for batch in encode.batches(small, "otlp", lambda each: each)] == [100, 100, 50]
    large = [record(*(f"web{number}" for number in range(400))) for _ in range(7)]
    sizes = [len(batch) for batch in encode.batches(large, "otlp", lambda each: each)]
    assert sizes == [3, 3, 1]
    assert len(encode.encode(large[:3], "otlp", DAY).body) < 512 * 1024


def test_the_format_chef_carries_one_session_a_request() -> None:
    assert [len(batch) for batch in encode.batches([record()] * 3, "chef", lambda each: each)] == [1, 1, 1]
    with pytest.raises(ValueError, match="unpack"):
        encode.encode([record(), record()], "chef", DAY)


@pytest.mark.parametrize("format", config.FORMATS)
def test_encoding_is_pure(format: str) -> None:
    each = record("web01")
    assert encode.encode([each], format, DAY) == encode.encode([json.loads(json.dumps(each))], format, DAY)


def test_one_request_delivers_all_and_each_session_has_a_receipt(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    stocked.config.write_text(FORMAT)
    ids = stocked.has_waiting(*(f"db{number}" for number in range(30)))
    shown = launcher.run("show", "--wire").stdout
    done = launcher.run("flush")
    assert done.stdout.endswith(b"Sent 32 sessions.\n")
    (request,) = collector.requests
    assert request.line == "POST /v1/logs HTTP/1.1"
    assert request.body in shown
    assert set(ids) < set(ids_in(request))
    receipts = stocked.receipts()
    assert [each["session"] for each in receipts] == ids_in(request)
    assert {each["sha256"] for each in receipts} == {hashlib.sha256(request.body).hexdigest()}
    assert stocked.sessions() == []


def test_one_session_that_is_refused_takes_no_other_along(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    stocked.config.write_text(FORMAT)
    ids = stocked.has_waiting(*(f"db{number}" for number in range(21)))
    bad = ids[7]
    collector.otherwise = lambda request: Answer(status=400 if bad in ids_in(request) else 200)
    done = launcher.run("flush")
    assert done.stdout.endswith(b"Sent 22 sessions, moved 1 to rejected/.\n")
    assert [path.name for path in (stocked.telemetry / "rejected").iterdir()] == [f"session-{bad}.json"]
    assert stocked.sessions() == []
    assert len(collector.requests) < 12


@pytest.mark.parametrize("number", ['"1"', "1"])
def test_of_a_request_taken_in_part_each_is_sent_again_alone(
    stocked: Home, launcher: Launcher, collector: Collector, number: str
) -> None:
    """The answer is 200, and does not tell which was refused."""
    stocked.config.write_text(FORMAT)
    ids = stocked.has_waiting(*(f"db{number}" for number in range(21)))
    bad = ids[7]
    refusal = f'{{"partialSuccess": {{"rejectedLogRecords": {number}, "errorMessage": "s3cret"}}}}'.encode()
    collector.otherwise = lambda request: Answer(200, refusal if bad in ids_in(request) else b"{}")
    done = launcher.run("flush")
    assert done.stdout.endswith(b"Sent 22 sessions, moved 1 to rejected/.\n")
    assert b"s3cret" not in done.stdout
    assert [path.name for path in (stocked.telemetry / "rejected").iterdir()] == [f"session-{bad}.json"]
    assert len(collector.requests) == 24
    assert max(Counter(each for request in collector.requests for each in ids_in(request)).values()) == 2
    assert len(stocked.receipts()) == 22


@pytest.mark.parametrize(
    "body",
    [
        b'{"partialSuccess": {"rejectedLogRecords": "0", "errorMessage": "use the other port"}}',
        b'{"partialSuccess": {"errorMessage": "use the other port"}}',
        b'{"partialSuccess": {}}',
        b'{"partialSuccess": null}',
        b"",
        b"ok",
    ],
)
def test_a_warning_is_no_refusal(stocked: Home, launcher: Launcher, collector: Collector, body: bytes) -> None:
    stocked.config.write_text(FORMAT)
    collector.answers.append(Answer(200, body))
    assert launcher.run("flush").stdout.endswith(b"Sent 2 sessions.\n")
    assert len(collector.requests) == 1


@pytest.mark.parametrize("type", ["application/json", "text/html"])
def test_what_is_too_large_together_goes_in_halves(
    stocked: Home, launcher: Launcher, collector: Collector, type: str
) -> None:
    """Whoever says so: the web server in front of a collector may have the narrower limit."""
    stocked.config.write_text(FORMAT)
    stocked.has_waiting(*(f"db{number}" for number in range(8)))
    collector.otherwise = lambda request: (
        Answer(413, headers={"Content-Type": type}) if len(request.body) > 3000 else Answer()
    )
    assert launcher.run("flush").stdout.endswith(b"Sent 10 sessions.\n")
    assert stocked.sessions() == []


def test_a_failure_keeps_all_of_a_request(stocked: Home, launcher: Launcher, collector: Collector) -> None:
    stocked.config.write_text(FORMAT)
    collector.answers.append(Answer(status=503))
    assert launcher.run("flush").returncode == 1
    assert len(stocked.sessions()) == 2
    assert launcher.run("flush").returncode == 0
    assert ids_in(collector.requests[0]) == ids_in(collector.requests[1])


def test_an_unknown_format_is_named_and_nothing_is_sent(
    stocked: Home, launcher: Launcher, collector: Collector
) -> None:
    stocked.config.write_text('[telemetry]\nformat = "xml"\n')
    done = launcher.run("flush")
    assert done.returncode == 1
    assert b"'xml' of [telemetry] format is not known: use chef or otlp" in done.stderr
    assert launcher.run("show", "--wire").returncode == 1
    assert collector.requests == []

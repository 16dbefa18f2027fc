"""The format `otlp`: OTLP/HTTP in JSON, held against OpenTelemetry's own definitions."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from launcher.delivery import encode
from launcher.reading.command_line import targets
from launcher.record import session
from tests.support.homes import Home
from tests.support.programs import Launcher
from tests.support.servers import Answer, Collector, Request

DAY = "2026-11-24"
FORMAT = '[telemetry]\nformat = "otlp"\n'


def record(*hosts: str) -> session.Session:
    command = [",".join(hosts), "directory", "/tmp/foo"]
    systems: list[str | None] = ["linux", None]
    return session.build(
        session.new_id(), {"os": "debian", "version": None}, targets(command), (systems * len(hosts))[: len(hosts)]
    )


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


def records_of(body: bytes) -> list[dict[str, Any]]:
    """The sessions that a request carries: what stands in each log record's body, and its id."""
    (resource,) = parsed(body).resource_logs
    (scope,) = resource.scope_logs
    return [
        {"id": each.attributes[0].value.string_value, **plain(each.body)}  # it has but this one attribute
        for each in scope.log_records
        if len(each.attributes) == 1
    ]


def ids_in(request: Request) -> list[str]:
    return [each["id"] for each in records_of(request.body)]


def test_opentelemetrys_own_definitions_read_it_without_a_rest() -> None:
    sessions = [record("web01", "winrm://db01"), record(), record("web02")]
    request = encode.encode(sessions, "otlp", DAY)
    assert request.path == "/v1/logs"
    assert request.headers["Content-Type"] == "application/json"
    wanted = [{name: each[name] for name in each if name not in ("schema",)} for each in sessions]
    assert records_of(request.body) == wanted


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


@pytest.mark.parametrize("format", encode.FORMATS)
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
    assert done.stdout.endswith(b"Sent 22 sessions, 1 put aside in rejected/.\n")
    assert [path.name for path in (stocked.telemetry / "rejected").iterdir()] == [f"session-{bad}.json"]
    assert stocked.sessions() == []
    assert len(collector.requests) < 12


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
    assert b"format 'xml' is not known: use chef or otlp" in done.stderr
    assert launcher.run("show", "--wire").returncode == 1
    assert collector.requests == []

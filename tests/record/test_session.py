"""The record: these fields and no others."""

from __future__ import annotations

import copy
import hashlib
import json
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.consent.decision import HOSTS
from launcher.reading import output
from launcher.reading.command_line import MAX_TARGETS, Target
from launcher.record import host_os, hosts_key, installation_id, session
from tests.support.homes import targets_of

HOST = {"os": "debian", "version": "12"}
ID = "7c900dc6-9fed-4bfb-924b-3d628ee45231"


def record() -> dict[str, Any]:
    return session.build(ID, HOST, [Target("0" * 64, "0" * 40, "ssh")], ["linux"])


def test_a_record_has_the_fields_of_the_contract() -> None:
    made = record()
    assert session.check(made) == {
        "schema": 1,
        "id": made["id"],
        "installation_id": ID,
        "command": "chef-run",
        "host": {"os": "debian", "version": "12"},
        "targets": [{"hostname_sha256": "0" * 64, "transport": "ssh", "os": "linux"}],
    }


def test_each_record_has_an_id_of_its_own() -> None:
    ids = {session.new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant, str(uuid.UUID(text)) == text) for text in ids} == {
        (4, uuid.RFC_4122, True)
    }


def test_a_hostname_is_kept_as_the_sum_that_anybody_can_compute() -> None:
    (target,) = targets_of("WEB01")
    assert target.sha256 == hashlib.sha256(b"web01").hexdigest()
    assert (
        target.sha256 == "1f94fe445ba97e785acb7ea6f44b8fcb451ba5ddfa72c603380bd96c9158ed0d"
    )  # printf web01 | sha256sum


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in record().items() if name != field}


def with_target(**fields: object) -> dict[str, Any]:
    changed = copy.deepcopy(record())
    changed["targets"][0].update(fields)
    return changed


@pytest.mark.parametrize(
    "refused",
    [
        None,
        [],
        "x",
        *[without(field) for field in record()],
        {**record(), "user": "root"},
        {**record(), "schema": 2},
        {**record(), "id": ID.upper()},
        {**record(), "id": ID + "\n"},
        {**record(), "id": "7c900dc6-9fed-1bfb-924b-3d628ee45231"},
        {**record(), "installation_id": "me"},
        {**record(), "command": "chef-run web01"},
        {**record(), "host": {**HOST, "name": "laptop"}},
        {**record(), "host": {"os": "Debian GNU/Linux", "version": "12"}},
        {**record(), "host": {"os": "debian", "version": "12 (bookworm)"}},
        {**record(), "targets": {}},
        with_target(hostname="web01"),
        with_target(hostname_sha256="web01"),
        with_target(hostname_sha256="0" * 64 + "\n"),
        with_target(transport="telnet"),
        with_target(os="my-own-os"),
    ],
)
def test_anything_else_is_refused_and_the_message_quotes_nothing(refused: object) -> None:
    with pytest.raises(session.InvalidSession) as raised:
        session.check(refused)
    message = str(raised.value)
    assert not any(word in message for word in ("root", "web01", "laptop", "my-own-os", "telnet", "bookworm"))


def test_the_schema_has_the_systems_that_are_told_apart() -> None:
    known = session.schema()["properties"]["targets"]["items"]["properties"]["os"]["enum"]
    assert known == [None, *output.OS_NAMES]


def test_a_file_is_indented_and_reads_back_as_the_record() -> None:
    made = record()
    content = session.to_bytes(made)
    assert content.startswith(b'{\n  "schema": 1,\n')
    assert session.from_bytes(content) == made == json.loads(content)


def test_a_record_too_large_for_its_file_is_refused() -> None:
    many = [Target("0" * 64, "0" * 40, "ssh")] * 1000
    with pytest.raises(session.TooLarge):
        session.to_bytes(session.build(ID, HOST, many, [None] * 1000))


@pytest.mark.parametrize("hosts", [level for level in HOSTS if level != "off"])
def test_no_record_has_room_for_as_many_targets_as_are_counted(hosts: str) -> None:
    many = [Target("0" * 64, "0" * 40, "ssh")] * MAX_TARGETS
    with pytest.raises(session.TooLarge):
        session.to_bytes(session.build(ID, HOST, many, [None] * MAX_TARGETS, hosts, b"key"))


# All that a run can build, of whatever it finds.
WORDS = st.one_of(st.text(max_size=40), st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._+~-]{0,33}\Z"))
HOSTNAMES = st.one_of(st.from_regex(r"\A(ssh://|winrm://)?[a-zA-Z0-9.-]{1,20}(:[0-9]{1,5})?\Z"), st.text(max_size=20))


@settings(max_examples=500, deadline=None)
@given(
    installation=st.one_of(st.uuids().map(str), st.just(installation_id.NIL)),
    host=st.builds(host_os.described, WORDS, WORDS),
    names=st.lists(HOSTNAMES, max_size=4),
    data=st.data(),
    hosts=st.sampled_from(HOSTS),
    key=st.binary(min_size=hosts_key.LENGTH, max_size=hosts_key.LENGTH),
)
def test_all_that_can_be_built_satisfies_the_schema(
    installation: str, host: dict[str, Any], names: list[str], data: st.DataObject, hosts: str, key: bytes
) -> None:
    found = targets_of(*names)
    platform = st.sampled_from([None, *output.OS_NAMES])
    platforms = data.draw(st.lists(platform, min_size=len(found), max_size=len(found)))
    made = session.build(installation, host, found, platforms, hosts, key)
    assert session.from_bytes(session.to_bytes(made)) == made


def test_with_the_key_an_id_tells_that_hashes_are_salted() -> None:
    key = bytes(range(32))
    made = session.build(ID, HOST, [Target("0" * 64, "0" * 40, "ssh")], ["linux"], "salted", key)
    assert session.is_salted(made, key)
    assert not session.is_salted(made, key[::-1])
    assert not session.is_salted(made, None)
    assert not session.is_salted(record(), key)
    # As earlier versions made it: they are still to be recognized.
    assert session.is_salted({"id": "05505d13-2fd3-4dff-96a6-c92eac1bcf06"}, key)

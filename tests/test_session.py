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

from launcher import observe, plain_session, session
from launcher.command_line import Target, targets

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
    (target,) = targets(["WEB01", "directory", "/tmp/foo"])
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


def test_the_operating_systems_of_the_schema_are_those_that_are_told_apart() -> None:
    known = session.schema()["properties"]["targets"]["items"]["properties"]["os"]["enum"]
    assert known == [None, *observe.OS_NAMES]


def test_a_file_is_indented_and_reads_back_as_the_record() -> None:
    made = record()
    content = session.to_bytes(made)
    assert content.startswith(b'{\n  "schema": 1,\n')
    assert session.from_bytes(content) == made == json.loads(content)


def test_a_record_too_large_for_its_file_is_refused() -> None:
    many = [Target("0" * 64, "0" * 40, "ssh")] * 1000
    with pytest.raises(session.TooLarge):
        session.to_bytes(session.build(ID, HOST, many, [None] * 1000))


# What a run does without the libraries, held together with them.

WORDS = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.from_regex(r"\A[a-z0-9][a-z0-9._-]{0,33}\Z"),
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._+~-]{0,33}\Z"),
)
IDS = st.one_of(
    st.builds(session.new_id),
    st.builds(lambda: str(uuid.uuid1())),
    st.from_regex(r"\A[0-9a-fA-F]{8}(-[0-9a-f]{4}){3,4}-[0-9a-f]{12}\Z"),
    st.just(ID + "\n"),
)
SUMS = st.one_of(st.from_regex(r"\A[0-9a-fA-F]{63,65}\n?\Z"), st.just("0" * 64))
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
TARGETS = st.fixed_dictionaries(
    {
        "transport": st.sampled_from(["ssh", "winrm", "telnet"]),
        "os": st.sampled_from([None, *observe.OS_NAMES, "beos"]),
    },
    optional={"hostname_sha256": SUMS, "hostname": st.text(max_size=9)},
)
RECORDS = st.fixed_dictionaries(
    {
        "schema": st.sampled_from([1, 1, 1, True, 1.0, 2, "1"]),
        "id": IDS,
        "installation_id": IDS,
        "command": st.sampled_from(["chef-run", "chef-run", "chef"]),
        "host": st.fixed_dictionaries({"os": WORDS, "version": WORDS}, optional={"name": WORDS}),
        "targets": st.one_of(st.lists(TARGETS, max_size=3), ANYTHING),
    },
)


@st.composite
def nearly_records(draw: st.DrawFn) -> Any:
    """Records, of which some have something else in one place, or lack or have a field too many."""
    made = draw(RECORDS)
    change = draw(st.sampled_from(["nothing", "nothing", "replace", "remove", "add"]))
    field = draw(st.sampled_from(sorted(made)))
    if change == "replace":
        made[field] = draw(ANYTHING)
    elif change == "remove":
        del made[field]
    elif change == "add":
        made[draw(st.text(max_size=9))] = draw(ANYTHING)
    return made


def satisfies(value: object) -> bool:
    try:
        session.check(value)
    except session.InvalidSession:
        return False
    return True


@settings(max_examples=500, deadline=None)
@given(nearly_records() | ANYTHING)
def test_what_is_seen_to_satisfy_the_schema_does(value: Any) -> None:
    if plain_session.satisfies_schema(value):
        assert satisfies(value)


@settings(max_examples=300, deadline=None)
@given(RECORDS)
def test_a_record_of_the_shape_that_runs_make_is_judged_as_the_schema_judges_it(value: Any) -> None:
    # Other than JSON Schema, it takes a 1 for a 1 only where it is written as one.
    assert plain_session.satisfies_schema(value) == (satisfies(value) and type(value["schema"]) is int)


@pytest.mark.parametrize("hosts", ["sha256", "salted", "count", "off"])
def test_all_that_is_built_is_seen_to_satisfy_the_schema(hosts: str) -> None:
    for host in (HOST, {"os": None, "version": None}):
        hosts_of_it = targets(["a,ssh://root:x@b:22,winrm://c[1:3]", "directory", "/tmp/foo"])
        for platforms in (["linux", None, *["windows"] * 3], [*observe.OS_NAMES[:5]]):
            made = session.build(ID, host, hosts_of_it, platforms, hosts, b"k" * 32)
            assert plain_session.satisfies_schema(made)


@settings(max_examples=300, deadline=None)
@given(nearly_records() | ANYTHING)
def test_the_text_of_a_record_is_as_json_writes_it(value: Any) -> None:
    assert plain_session.indented(value) == json.dumps(value, indent=2)


def test_what_is_not_seen_to_satisfy_the_schema_is_refused_when_it_is_stored() -> None:
    with pytest.raises(session.InvalidSession):
        session.to_bytes({**record(), "user": "root"})

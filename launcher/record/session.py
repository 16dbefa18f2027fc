"""The record of one run: the one place that makes it, and the schema that it must satisfy."""

from __future__ import annotations

import functools
import json
import os

from launcher.home import spool
from launcher.record import uuids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from launcher.home.files import Directory
    from launcher.reading.command_line import Target

    Session = dict[str, Any]
else:
    Session = dict  # the name, for modules that may import typing where this one may not

SCHEMA = os.path.join(os.path.dirname(__file__), "session.schema.json")


class InvalidSession(ValueError):
    """Does not satisfy the schema. The message names the part of the schema, and quotes nothing of the record."""


class TooLarge(InvalidSession):
    """More targets than a session file has room for: some four hundred."""


def build(
    installation_id: str,
    host: Mapping[str, str | None],
    targets: Sequence[Target],
    platforms: Sequence[str | None],
    hosts: str = "sha256",
    key: bytes | None = None,
) -> Session:
    """The record of a run on `host` that was to connect to `targets`, whose operating systems are `platforms`.

    These fields are the promises P1 to P6 of the privacy page, and there are no others. `hosts`, one of decision.HOSTS,
    may record less of the targets than the page names; "salted" needs the `key` of this installation.
    """
    salt = key if hosts == "salted" else None
    record = {
        "schema": 1,
        "id": new_id(salt),
        "installation_id": installation_id,
        "command": "chef-run",
        "host": {"os": host["os"], "version": host["version"]},
        "targets": [
            {"hostname_sha256": hash_of(target, salt), "transport": target.transport, "os": platform}
            for target, platform in zip(targets, platforms)
        ],
    }
    return tightened(record, hosts, salted=salt is not None)


def tightened(record: Session, hosts: str, *, salted: bool) -> Session:
    """The record with no more of its targets than `hosts` allows; `salted` tells whether its hashes are salted."""
    if hosts == "off":
        return {**record, "targets": []}
    if hosts == "count" or (hosts == "salted" and not salted):
        targets = [{name: target[name] for name in ("transport", "os")} for target in record["targets"]]
        return {**record, "targets": targets}
    return record


def hash_of(target: Target, salt: bytes | None) -> str:
    """The hash that is recorded in place of a target's name, salted with the key of this installation if given."""
    if salt is None:
        return target.sha256
    return _sha256(salt + bytes.fromhex(target.sha256)).hex()


def new_id(key: bytes | None = None) -> str:
    """A random UUID, version 4.

    With a key, its last six bytes are derived from the key and the other bytes, by which `is_salted` recognizes it.
    Without the key they cannot be told from random ones.
    """
    id = uuids.random()
    return uuids.text(id if key is None else id[:10] + _mark(key, id[:10]))


def is_salted(record: Session, key: bytes | None) -> bool:
    """Whether the hashes of a record are salted with this key. Its id tells, so that it needs no field for it."""
    id = bytes.fromhex(record["id"].replace("-", ""))
    return key is not None and id[10:] == _mark(key, id[:10])


def _mark(key: bytes, beginning: bytes) -> bytes:
    return _sha256(key + beginning)[:6]


def _sha256(content: bytes) -> bytes:
    import hashlib  # as in reading/hostname_hash.py

    return hashlib.sha256(content).digest()


def check(record: object) -> Session:
    """The record itself, if it satisfies the schema. Raises InvalidSession."""
    from launcher import make_importable

    make_importable("fastjsonschema")
    import fastjsonschema

    try:
        return _checker()(record)
    except fastjsonschema.JsonSchemaValueException as error:
        # The library's message quotes the value that it found.
        raise InvalidSession(f"{'/'.join(map(str, error.path))} does not satisfy {error.rule!r}") from None


@functools.lru_cache(maxsize=1)
def _checker() -> Callable[[object], Session]:
    import fastjsonschema

    checker: Callable[[object], Session] = fastjsonschema.compile(schema())
    return checker


def schema() -> dict[str, Any]:
    """The published JSON Schema."""
    with open(SCHEMA, encoding="utf-8") as file:
        loaded: dict[str, Any] = json.load(file)
    return loaded


def to_bytes(record: Session) -> bytes:
    """The content of the record's file: JSON, indented for people who look. Raises TooLarge."""
    content = (json.dumps(record, indent=2) + "\n").encode()
    if len(content) > spool.MAX_SESSION_SIZE:
        raise TooLarge(f"more than {spool.MAX_SESSION_SIZE} bytes")
    return content


def from_bytes(content: bytes) -> Session:
    """The record that a session file holds. Raises InvalidSession."""
    try:
        return check(json.loads(content))
    except InvalidSession:
        raise
    except (ValueError, RecursionError):
        raise InvalidSession("not JSON") from None


def read(directory: Directory, name: str) -> Session:
    """The record in a session file. Raises InvalidSession, OSError."""
    return from_bytes(directory.read(name, spool.MAX_SESSION_SIZE))

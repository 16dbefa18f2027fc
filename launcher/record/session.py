"""The record of one run: the one place that makes it, and the schema that it must satisfy."""

from __future__ import annotations

import hashlib
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from launcher.reading.command_line import Target

    Session = dict[str, Any]
else:
    Session = dict  # the name, for modules that may import typing where this one may not

SCHEMA = os.path.join(os.path.dirname(__file__), "session.schema.json")
LIMIT = 64 * 1024  # bytes of a session file; a larger one is not ours

_checker: Callable[[object], Session] | None = None


class InvalidSession(ValueError):
    """Not a record as the schema has it. The message says which part of the schema, and quotes nothing."""


class TooLarge(InvalidSession):
    """More targets than a session file has room for: some four hundred."""


def build(
    installation_id: str,
    host: Mapping[str, str | None],
    targets: Sequence[Target],
    platforms: Sequence[str | None],
    hosts: str = "sha256",
    key: bytes = b"",
) -> Session:
    """The record of a run on `host` that was to connect to `targets`, whose operating systems are `platforms`.

    These fields are the promises P1 to P6 of the privacy page, and there are no others. `hosts`, a level of
    decision.HOSTS, may be less than the page names; "salted" needs the `key` of this installation.
    """
    record = {
        "schema": 1,
        "id": new_id(key if hosts == "salted" else b""),
        "installation_id": installation_id,
        "command": "chef-run",
        "host": {"os": host["os"], "version": host["version"]},
        "targets": [
            {"hostname_sha256": sum_of(target, hosts, key), "transport": target.transport, "os": platform}
            for target, platform in zip(targets, platforms)
        ],
    }
    return tightened(record, hosts, salted=True)


def tightened(record: Session, hosts: str, *, salted: bool) -> Session:
    """The record with no more of the hosts than the level `hosts` allows; `salted`: its sums have the key in them."""
    if hosts == "off":
        return {**record, "targets": []}
    if hosts == "count" or (hosts == "salted" and not salted):
        targets = [{name: target[name] for name in ("transport", "os")} for target in record["targets"]]
        return {**record, "targets": targets}
    return record


def sum_of(target: Target, hosts: str, key: bytes) -> str:
    """The sum that is recorded in the place of a target's name."""
    if hosts != "salted":
        return target.sha256
    return hashlib.sha256(key + bytes.fromhex(target.sha256)).hexdigest()


def new_id(key: bytes = b"") -> str:
    """A random UUID, version 4 (RFC 9562). Made here because the uuid module costs more than a run may.

    With a key, its last six bytes are a mark that only who has the key can tell from random ones: see `is_salted`.
    """
    digits = bytearray(os.urandom(16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    if key:
        digits[10:] = _mark(key, bytes(digits[:10]))
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def is_salted(record: Session, key: bytes | None) -> bool:
    """Whether this key is in the sums of a record: told by its id, since it has no field for it, and needs none."""
    digits = bytes.fromhex(record["id"].replace("-", ""))
    return key is not None and digits[10:] == _mark(key, digits[:10])


def _mark(key: bytes, beginning: bytes) -> bytes:
    return hashlib.sha256(key + beginning).digest()[:6]


def check(record: object) -> Session:
    """The record itself, if it is one as the schema has it. Raises InvalidSession."""
    global _checker
    from launcher import dependencies

    dependencies.make_importable("fastjsonschema")
    import fastjsonschema

    if _checker is None:
        _checker = fastjsonschema.compile(schema())
    try:
        checked: Session = _checker(record)
    except fastjsonschema.JsonSchemaValueException as error:
        # The library's message quotes the value that it found.
        raise InvalidSession(f"{'/'.join(map(str, error.path))} does not satisfy {error.rule!r}") from None
    return checked


def schema() -> dict[str, Any]:
    """The published JSON Schema."""
    with open(SCHEMA, encoding="utf-8") as file:
        loaded: dict[str, Any] = json.load(file)
    return loaded


def to_bytes(record: Session) -> bytes:
    """The record as it stands in its file: indented, for people who look. Raises TooLarge."""
    content = (json.dumps(record, indent=2) + "\n").encode()
    if len(content) > LIMIT:
        raise TooLarge(f"more than {LIMIT} bytes")
    return content


def from_bytes(content: bytes) -> Session:
    """The record that a session file holds. Raises InvalidSession."""
    try:
        return check(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, InvalidSession) else InvalidSession("not JSON") from None

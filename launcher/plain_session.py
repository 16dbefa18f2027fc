"""A session as a run makes it: seen to satisfy the schema, and written as JSON, without the libraries for either.

Importing json and fastjsonschema, with all that they import, would take a run 40 ms at its end. What is not plain is
left to them; tests/test_session.py proves that they would say and write the same.
"""

from __future__ import annotations

from launcher.observe import OS_NAMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIELDS = {"schema", "id", "installation_id", "command", "host", "targets"}
DIGITS, SMALL = "0123456789", "abcdefghijklmnopqrstuvwxyz"
HEXADECIMAL = DIGITS + "abcdef"


def satisfies_schema(record: dict[str, Any]) -> bool:
    """Whether a record plainly satisfies session.schema.json. One that does not may do so all the same."""
    return (
        _has_fields(record, FIELDS)
        and type(record["schema"]) is int
        and record["schema"] == 1
        and _is_uuid(record["id"])
        and record["id"][14] == "4"
        and record["id"][19] in "89ab"
        and _is_uuid(record["installation_id"])
        and record["command"] == "chef-run"
        and _has_fields(record["host"], {"os", "version"})
        and _is_word(record["host"]["os"], DIGITS + SMALL, "._-")
        and _is_word(record["host"]["version"], DIGITS + SMALL + SMALL.upper(), "._+~-")
        and type(record["targets"]) is list
        and all(_is_target(target) for target in record["targets"])
    )


def _is_target(value: Any) -> bool:
    return (
        (_has_fields(value, {"transport", "os"}) or _has_fields(value, {"hostname_sha256", "transport", "os"}))
        and _is_hexadecimal(value.get("hostname_sha256", "0" * 64), 64)
        and value["transport"] in ("ssh", "winrm")
        and (value["os"] is None or value["os"] in OS_NAMES)
    )


def _has_fields(value: Any, names: set[str]) -> bool:
    return type(value) is dict and value.keys() == names


def _is_uuid(value: Any) -> bool:
    groups = value.split("-") if type(value) is str else []
    return len(groups) == 5 and all(_is_hexadecimal(*each) for each in zip(groups, (8, 4, 4, 4, 12)))


def _is_hexadecimal(value: Any, length: int) -> bool:
    return type(value) is str and len(value) == length and _is_made_of(value, HEXADECIMAL)


def _is_word(value: Any, letters: str, marks: str) -> bool:
    return value is None or (
        type(value) is str and 0 < len(value) <= 32 and value[0] in letters and _is_made_of(value, letters + marks)
    )


def _is_made_of(text: str, letters: str) -> bool:
    return not text.strip(letters)


def indented(value: Any, margin: str = "\n") -> str:
    """The text that `json.dumps(value, indent=2)` gives of a record."""
    inner = margin + "  "
    if type(value) is dict and value:
        fields = [f"{indented(name)}: {indented(each, inner)}" for name, each in value.items()]
        return "{" + inner + ("," + inner).join(fields) + margin + "}"
    if type(value) is list and value:
        return "[" + inner + ("," + inner).join([indented(each, inner) for each in value]) + margin + "]"
    if type(value) is str and value.isascii() and value.isprintable() and not set(value) & set('"\\'):
        return f'"{value}"'
    if type(value) is int:
        return str(value)
    if value is None:
        return "null"
    import json

    return json.dumps(value)

"""Reading TOML: simple files with a parser of our own, all others with the TOML library.

A wrapped run reads up to three small TOML files before chef-run starts, and importing the library alone takes longer
than starting the interpreter. Nearly all of these files are a few `key = value` lines, which `plain` parses. It gives
up on anything else, so that the library alone decides what is valid TOML and what is not.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Table = dict[str, Any]


MAX_KEY_PARTS = 100
_NOT_IN_A_KEY = set("\n=,#[]{}")


class TOMLError(ValueError):
    """Not TOML. The message says where, and quotes nothing of the text, which may hold secrets."""


def parse(data: bytes) -> Table:
    """The TOML document `data` as nested dictionaries; raises TOMLError."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise TOMLError(_wrong_encoding(data) or f"byte {error.start} is not UTF-8") from None
    document = plain(text)
    return document if document is not None else _with_the_library(text)


def line_of(text: str, table: str | None, key: str) -> int | None:
    """The number of the line (from 1) that sets `key` in [table], or at the top; None if it is not found.

    A hint for people only.
    """
    if '"""' in text or "'''" in text:
        return None
    current = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line.startswith("["):
            current = line[1:].partition("]")[0].strip(" \t\"'")
            continue
        name = line.partition("=")[0].translate({ord(mark): None for mark in " \t\"'"})
        dotted = name if current is None else f"{current}.{name}"
        if dotted == (f"{table}.{key}" if table else key):
            return number
        if dotted == table and key in line:
            return number
    return None


def plain(text: str) -> Table | None:
    """The document if each line is blank, a comment, a one-word [table] or `bare-key = simple value`; or else None."""
    document: Table = {}
    table = document
    for line in text.replace("\r\n", "\n").split("\n"):
        line = line.strip(" \t")
        if not line or line[0] == "#":
            if not _is_printable(line):
                return None
        elif line[0] == "[":
            name = line[1:-1]
            if line[-1] != "]" or not _is_bare(name) or name in document:
                return None
            table = document[name] = {}
        else:
            key, equals, rest = line.partition("=")
            key = key.rstrip(" \t")
            value = _value(rest.strip(" \t"))
            if not equals or not _is_bare(key) or key in table or value is None:
                return None
            table[key] = value
    return document


def _value(text: str) -> Any:
    """A simple value, perhaps followed by a comment; None for anything else (TOML has no null)."""
    if text[:1] == "[":
        return _strings(text)
    if text[:1] in ('"', "'"):
        return _string(text)
    word, _, comment = text.partition("#")
    word = word.rstrip(" \t")
    if not _is_printable(comment):
        return None
    if word in ("true", "false"):
        return word == "true"
    if word.isascii() and word.isdigit() and len(word) <= 18 and (word[0] != "0" or word == "0"):
        return int(word)
    return None


def _string(text: str) -> str | None:
    value, closed, rest = text[1:].partition(text[0])
    rest = rest.lstrip(" \t")
    if not closed or "\\" in value or not _is_printable(text) or rest[:1] not in ("", "#"):
        return None
    return value


def _strings(text: str) -> list[str] | None:
    inner, closed, rest = text[1:].partition("]")
    if not closed or rest.lstrip(" \t")[:1] not in ("", "#") or not _is_printable(text):
        return None
    strings = []
    for item in inner.split(",") if inner.strip(" \t") else []:
        item = item.strip(" \t")
        if len(item) < 2 or item[0] not in "\"'" or item[-1] != item[0] or item[0] in item[1:-1] or "\\" in item:
            return None
        strings.append(item[1:-1])
    return strings


def _is_bare(key: str) -> bool:
    letters = key.replace("-", "").replace("_", "")
    return bool(key) and key.isascii() and (letters.isalnum() or not letters)


def _is_printable(text: str) -> bool:
    return text.replace("\t", "").isprintable()


def _has_endless_key(text: str) -> bool:
    """Whether there may be a key of very many parts, `a.a.a…`, for which the library takes quadratic time."""
    return any(_longest_key(line) > MAX_KEY_PARTS for line in text.split("\n") if line.count(".") > MAX_KEY_PARTS)


def _longest_key(line: str) -> int:
    """The number of parts of the longest dotted key that may be in a line. Parts may be quoted, and hold anything."""
    longest, parts, is_part, quote, is_escaped = 0, 0, False, "", False
    for letter in line:
        if quote:
            if letter == quote and not is_escaped:
                quote = ""
            is_escaped = letter == "\\" and quote == '"' and not is_escaped
        elif letter == "#":
            break
        elif letter in "\"'":
            quote, is_part = letter, True
        elif letter == ".":
            parts, is_part = (parts + 1 if is_part else 0), False
            longest = max(longest, parts + 1)
        elif letter in _NOT_IN_A_KEY:
            parts, is_part = 0, False
        elif not letter.isspace():
            is_part = True
    return longest


def _with_the_library(text: str) -> Table:
    if _has_endless_key(text):
        raise TOMLError(f"a key of more than {MAX_KEY_PARTS} parts")
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        from launcher import make_importable

        make_importable("tomli")
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TOMLError(_wrong_encoding(text.encode()) or _explained(str(error), text)) from None
    except RecursionError:
        raise TOMLError("not valid TOML, nested too deeply") from None
    except ValueError:  # of Python's own: a number of more digits than it reads
        raise TOMLError("a number with too many digits") from None


def _wrong_encoding(data: bytes) -> str | None:
    """What editors on Windows do to a file, by its name; None if it is something else that is wrong."""
    if b"\0" in data[:4] or data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "saved as UTF-16; save it as UTF-8"
    if data.startswith(b"\xef\xbb\xbf"):
        return "begins with a byte order mark; save it as UTF-8 without one"
    return None


def _explained(message: str, text: str) -> str:
    """The library's message without what it quotes of the text, a key or a character: only where it is."""
    place = message.rpartition("(")[2].rstrip(")")
    number = place.removeprefix("at line ").partition(",")[0]
    lines = text.split("\n")[: int(number)] if number.isdigit() else [""]
    hint = ""
    if "\\" in lines[-1] and "\n".join(lines[:-1]).count('"""') % 2:
        hint = ": in triple double quotes, a backslash starts an escape sequence; use triple single quotes or double it"
    elif "\\" in lines[-1].partition('"')[2]:
        hint = ": in double quotes, a backslash starts an escape sequence; use single quotes or double it"
    return f"not valid TOML, {place}{hint}"

"""Text from outside, as a terminal may be given it."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text with escapes in the place of what a terminal would obey, or would not show.

    Control characters, those that turn the direction of writing, and bytes that are not UTF-8 (of a path, say).
    """
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)

"""What a terminal shows."""

from __future__ import annotations

FIRST_COLUMN = 27  # the widest of a table of two


def too_wide(text: str, columns: int) -> list[str]:
    """The lines that have more columns, but for those that end in a word that is too wide for any line of a table.

    Such a path or ID is not broken; nor is a line that is to be copied.
    """
    return [
        line
        for line in text.splitlines()
        if len(line) > columns
        and len(line.split()[-1]) <= columns - FIRST_COLUMN
        and not line.lstrip().startswith(("eval ", "chef-run-launcher ", '{"'))
    ]

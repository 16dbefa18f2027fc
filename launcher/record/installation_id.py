"""The installation id (P1): a random UUID that chef-run and the launcher share."""

from __future__ import annotations

from launcher.home import files
from launcher.record import session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

# What chef-run's own telemetry says where it has no usable id.
NIL = "00000000-0000-0000-0000-000000000000"


def read(home: Home) -> str | None:
    """The id, NIL if something else stands in its file, None if there is no file."""
    try:
        text = files.read(home.installation_id, limit=64).decode("ascii", "replace").strip().lower()
    except FileNotFoundError:
        return None
    except OSError:
        return NIL
    return text if _is_uuid(text) else NIL


def ensure(home: Home) -> str:
    """The id; made if there is none. Of many processes that make one at once, one wins. Raises OSError."""
    existing = read(home)
    if existing:
        return existing
    files.create_once(home.installation_id, session.new_id().encode())
    return read(home) or NIL


def reset(home: Home) -> str:
    """Put a new id in the place of whatever is there: the new one. Raises OSError."""
    new = session.new_id()
    files.make_directory(home.directory)
    files.replace(home.installation_id, new.encode())
    return new


def _is_uuid(text: str) -> bool:
    groups = text.split("-")
    return [len(group) for group in groups] == [8, 4, 4, 4, 12] and set("".join(groups)) <= set("0123456789abcdef")

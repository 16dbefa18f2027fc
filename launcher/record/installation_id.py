"""The installation id (P1): a random UUID that chef-run and the launcher share."""

from __future__ import annotations

from launcher.home import files
from launcher.record import uuids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

# What chef-run's own telemetry says where it has no usable id.
NIL = "00000000-0000-0000-0000-000000000000"


def read(home: Home) -> str | None:
    """The id; NIL if its file holds no UUID, None if there is no file."""
    try:
        text = files.read(home.installation_id, limit=64).decode("ascii", "replace").strip().lower()
    except FileNotFoundError:
        return None
    except OSError:
        return NIL
    return text if uuids.is_uuid(text) else NIL


def ensure(home: Home) -> str:
    """The id; generated if there is none. Of concurrent processes, one wins. Raises OSError."""
    existing = read(home)
    if existing:
        return existing
    files.create_once(home.installation_id, uuids.text(uuids.random()).encode())
    return read(home) or NIL


def reset(home: Home) -> str:
    """Replace whatever is there by a new id, and return it. Raises OSError."""
    new = uuids.text(uuids.random())
    files.make_directory(home.directory)
    files.replace(home.installation_id, new.encode())
    return new

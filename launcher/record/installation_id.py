"""The installation id (P1): a random UUID that chef-run and the launcher share."""

from __future__ import annotations

from launcher.home.layout import INSTALLATION_ID
from launcher.record import uuids

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.home.layout import Home

# What chef-run's own telemetry says where it has no usable id.
NIL = "00000000-0000-0000-0000-000000000000"


def read(home: Home) -> str | None:
    """The id; NIL if its file holds no UUID, None if there is no file."""
    try:
        text = home.workstation.read(INSTALLATION_ID, limit=64).decode("ascii", "replace").strip().lower()
    except FileNotFoundError:
        return None
    except OSError:
        return NIL
    return text if uuids.is_uuid(text) else NIL


def ensure(home: Home) -> str:
    """The id; generated if there is none. Of concurrent processes, one wins. Raises OSError."""
    known = read(home)
    if known is None:
        home.workstation.create_once(INSTALLATION_ID, uuids.text(uuids.random()).encode())
    if known is None or known == NIL:
        home.workstation.wait_until_written(INSTALLATION_ID)  # chef-run may be at it
        known = read(home)
    return known or NIL


def reset(home: Home) -> str:
    """Replace whatever is there by a new id, and return it. Raises OSError."""
    new = uuids.text(uuids.random())
    home.workstation.make()
    home.workstation.replace(INSTALLATION_ID, new.encode())
    return new

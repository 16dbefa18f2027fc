"""The system policy, by which an administrator turns telemetry off, tightens it, or pins its endpoint for everybody."""

from __future__ import annotations

import os

from launcher.consent import config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from launcher.consent.config import Config

PATH = "/etc/chef-workstation/telemetry.toml"


def load() -> Config:
    """The system policy, if only root can have written it; else a missing one with the problem why it is ignored."""
    try:
        status = os.stat(PATH)
    except (FileNotFoundError, NotADirectoryError):
        return config.Config(PATH, exists=False)
    except OSError as error:
        return config.Config(PATH, problem=f"cannot be read ({error.strerror})")
    if status.st_uid != 0 or status.st_mode & 0o022:
        problem = "ignored: it must be owned by root and not writable by others"
        return config.Config(PATH, exists=False, problem=problem)
    return config.load(PATH)

"""The layout of ~/.chef-workstation, which is shared with chef-run."""

from __future__ import annotations

import os

from launcher.home import files


class Home:
    """Where things are, for one value of HOME. Nothing here looks at the disk."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.folder = os.path.join(path, ".chef-workstation")
        self.config = os.path.join(self.folder, "config.toml")
        self.installation_id = os.path.join(self.folder, "installation_id")
        self.logs = os.path.join(self.folder, "logs")
        self.telemetry = os.path.join(self.folder, "telemetry")
        self.receipts = os.path.join(self.telemetry, "receipts.jsonl")
        self.rejected = os.path.join(self.telemetry, "rejected")
        self.lock = os.path.join(self.telemetry, ".lock")
        self.next_attempt = os.path.join(self.telemetry, ".next-attempt")
        self.notice = os.path.join(self.telemetry, ".notice")
        self.hosts_key = os.path.join(self.telemetry, ".hosts-key")
        self.dropped = os.path.join(self.telemetry, ".dropped")


def problem(path: str | None) -> str | None:
    """Why nothing can or may be kept under this HOME; None if it can."""
    if not path:
        return "HOME is not set"
    if not os.path.isabs(path):
        return "HOME is not an absolute path"
    try:
        owner = os.stat(path).st_uid
    except OSError:
        return "HOME does not exist"
    if not os.path.isdir(path):
        return "HOME is not a folder"
    # sudo without -H: files of root's in the user's folder would lock the user out of their own records.
    if hasattr(os, "geteuid") and os.geteuid() == 0 and owner != 0:
        return "running as root in the HOME of another user"
    home = Home(path)
    nearest = path
    for folder in (home.folder, home.telemetry):
        if os.path.lexists(folder):
            if not files.is_folder(folder):
                return f"{folder} is not a folder (and a symlink to one is not followed)"
            nearest = folder
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} is not writable"
    return None

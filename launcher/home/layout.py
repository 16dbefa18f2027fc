"""The layout of ~/.chef-workstation, which is shared with chef-run."""

from __future__ import annotations

import os

from launcher.home import files


class Home:
    """The paths for one value of HOME. Does not look at the disk."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.directory = os.path.join(path, ".chef-workstation")
        self.config = os.path.join(self.directory, "config.toml")
        self.installation_id = os.path.join(self.directory, "installation_id")
        self.logs = os.path.join(self.directory, "logs")
        self.telemetry = os.path.join(self.directory, "telemetry")
        self.receipts = os.path.join(self.telemetry, "receipts.jsonl")
        self.rejected = os.path.join(self.telemetry, "rejected")
        self.lock = os.path.join(self.telemetry, ".lock")
        self.next_attempt = os.path.join(self.telemetry, ".next-attempt")
        self.notice = os.path.join(self.telemetry, ".notice")
        self.hosts_key = os.path.join(self.telemetry, ".hosts-key")
        self.last_rejection = os.path.join(self.telemetry, ".last-rejection")
        self.dropped = os.path.join(self.telemetry, ".dropped")


def problem(path: str | None) -> str | None:
    """Why nothing can or may be stored under this HOME; None if it can."""
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
    # sudo without -H: files that root makes in a user's directory would lock the user out of their own records.
    if hasattr(os, "geteuid") and os.geteuid() == 0 and owner != 0:
        return "running as root in the HOME of another user"
    home = Home(path)
    nearest = path
    for directory in (home.directory, home.telemetry):
        if os.path.lexists(directory):
            if not files.is_directory(directory):
                return f"{directory} is not a folder (and a symlink to one is not followed)"
            nearest = directory
    if not os.access(nearest, os.W_OK | os.X_OK):
        return f"{nearest} is not writable"
    return None

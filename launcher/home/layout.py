"""The layout of ~/.chef-workstation, which is shared with chef-run."""

from __future__ import annotations

import os

from launcher.home import files

# In the directory itself.
INSTALLATION_ID = "installation_id"
# In telemetry/.
RECEIPTS = "receipts.jsonl"
LOCK, LEASE = ".lock", ".lease"
NEXT_ATTEMPT = ".next-attempt"
NOTICE = ".notice"
HOSTS_KEY = ".hosts-key"
LAST_REJECTION = ".last-rejection"
DROPPED, LOST = ".dropped", ".lost"


class Home:
    """The directories for one value of HOME, and the path of config.toml, which may be a link to somewhere else."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.itself = files.Directory(path)
        self.workstation = files.Directory(".chef-workstation", self.itself)
        self.telemetry = files.Directory("telemetry", self.workstation)
        self.rejected = files.Directory("rejected", self.telemetry)
        self.logs = files.Directory("logs", self.workstation)
        self.config = os.path.join(self.workstation.path, "config.toml")

    def close(self) -> None:
        """Let go of the directories. What is asked of them from now on is asked of what is there then."""
        for directory in (self.rejected, self.telemetry, self.logs, self.workstation, self.itself):
            directory.close()

    def problem(self) -> str | None:
        """Why nothing can or may be stored here; None if it can."""
        nearest = None
        for directory in (self.itself, self.workstation, self.telemetry):
            try:
                directory.open()
            except FileNotFoundError:
                if nearest is None:
                    return f"HOME is set to {self.path}, which does not exist"
                break  # it will be made
            except OSError as error:
                return self._why_not(directory, error)
            nearest = directory
        if nearest and not nearest.is_writable():
            return f"{nearest.path} is not writable"
        return None

    def _why_not(self, directory: files.Directory, error: OSError) -> str:
        is_home = directory is self.itself
        # sudo without -H: files that root makes in a user's directory would lock the user out of their own records, and
        # what is in another user's directory may be exchanged for anything.
        if isinstance(error, files.OfAnother) and is_home:
            return "running as root in the HOME of another user; use sudo -H"
        if isinstance(error, files.OfAnother):
            return f"running as root, and {directory.path} belongs to another user; delete it, or make root its owner"
        if isinstance(error, NotADirectoryError) and is_home:
            return f"HOME is set to {self.path}, which is not a directory"
        if isinstance(error, NotADirectoryError):
            return f"{directory.path} is not a directory (symbolic links are not followed)"
        return f"{directory.path} cannot be opened ({error.strerror})"

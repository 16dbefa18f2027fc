"""What the configuration files say: config.toml, the system policy, the distribution profile.

config.toml belongs to chef-run and to other programs as well: unknown keys are no error here, and nothing is rewritten.
"""

from __future__ import annotations

import os

from launcher import PACKAGE
from launcher.consent import toml
from launcher.home import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

POLICY = "/etc/chef-workstation/telemetry.toml"
PROFILE = os.path.join(PACKAGE, "distribution.toml")
LIMIT = 1024 * 1024  # bytes; a larger config.toml is no config.toml


class Config:
    """One configuration file: its tables, or the problem with it. A missing file has neither."""

    __slots__ = ("exists", "path", "problem", "source", "tables")

    def __init__(
        self,
        path: str,
        tables: toml.Table | None = None,
        problem: str | None = None,
        exists: bool = True,
        source: str = "",
    ) -> None:
        self.path = path
        self.source = source
        self.tables = tables or {}
        self.problem = problem
        self.exists = exists

    def get(self, table: str, key: str) -> Any:
        """The value of `key` in [table], or None."""
        section = self.tables.get(table)
        return section.get(key) if isinstance(section, dict) else None

    def where(self, table: str, key: str) -> str:
        """Where the value of `key` in [table] stands: the path, and the line where that is plain to see."""
        line = toml.line_of(self.source, table, key)
        return f"{self.path}:{line}" if line else self.path

    def text(self, table: str, key: str) -> str | None:
        """The value of `key` in [table] if it is a string with something in it, or None."""
        value = self.get(table, key)
        return value if isinstance(value, str) and value else None


def load(path: str) -> Config:
    """Read one configuration file. Never raises: what is wrong with the file is a fact about it."""
    try:
        content = files.read(path, LIMIT, follow=True)
        return Config(path, toml.parse(content), source=content.decode())
    except (FileNotFoundError, NotADirectoryError):
        return Config(path, exists=False)
    except (files.NotARegularFile, files.TooLarge) as error:
        return Config(path, problem=error.strerror)
    except OSError as error:
        return Config(path, problem=f"cannot be read ({error.strerror})")
    except toml.TOMLError as error:
        return Config(path, problem=str(error))
    except ValueError:  # a path with a NUL byte
        return Config(path, exists=False)


def load_policy(path: str = POLICY) -> Config:
    """The system policy, if only root can have written it; else a missing one that tells why it does not count."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return Config(path, exists=False)
    except OSError as error:
        return Config(path, problem=f"cannot be read ({error.strerror})")
    if status.st_uid != 0 or status.st_mode & 0o022:
        return Config(path, exists=False, problem="ignored: it must be owned by root and not writable by others")
    return load(path)


class Profile:
    """The distribution that this launcher belongs to: distribution.toml, the one file that a rebrander edits."""

    __slots__ = ("chef_run", "dev_endpoint", "endpoint", "install_context", "name", "notice_url", "product")

    def __init__(self, tables: toml.Table) -> None:
        self.product: str = tables["product"]
        self.name: str = tables["name"]
        self.endpoint: str | None = tables.get("endpoint")
        self.dev_endpoint: str | None = tables.get("dev_endpoint")
        self.install_context: str = tables["install_context"]
        self.notice_url: str = tables["notice_url"]
        self.chef_run: list[str] = tables["chef_run"]


def load_profile(path: str = PROFILE) -> Profile:
    """The distribution profile. It is a part of the program: one that is broken raises."""
    return Profile(toml.parse(files.read(path, LIMIT, follow=True)))

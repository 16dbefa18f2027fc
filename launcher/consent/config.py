"""The configuration files, all in TOML: config.toml, the system policy, and the profile of the distribution.

config.toml belongs to chef-run and to other programs too: unknown keys are no error, and nothing is written here.
The three are read in one module because chef-run waits for it: each further one takes 0.1 ms.
"""

from __future__ import annotations

import os

from launcher import PACKAGE
from launcher.consent import toml
from launcher.home import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    Place = tuple[str, Optional[int]]  # a path, and a line of that file (from 1) if it is known

# By which an administrator turns telemetry off, tightens it, or pins its endpoint for everybody.
POLICY = "/etc/chef-workstation/telemetry.toml"
# The one file that a rebrander edits.
PROFILE = os.path.join(PACKAGE, "distribution.toml")
FORMATS = ("chef", "otlp")  # of what is sent: the values of [telemetry] format
MAX_CONFIG_SIZE = 256 * 1024  # bytes, for which the library needs at most half a second


class Config:
    """One configuration file: its tables, or the problem with it. A missing file has neither."""

    __slots__ = ("exists", "path", "problem", "source", "tables")

    def __init__(
        self,
        path: str,
        tables: toml.Table | None = None,
        problem: str | None = None,
        exists: bool = True,
        source: str | None = None,
    ) -> None:
        self.path = path
        self.source = source
        self.tables = tables or {}
        self.problem = problem
        self.exists = exists

    def get(self, table: str | None, key: str) -> Any:
        """The value of `key` in [table], or at the top without a table; None if it is not set."""
        section = self.tables if table is None else self.tables.get(table)
        return section.get(key) if isinstance(section, dict) else None

    def text(self, table: str, key: str) -> str | None:
        """The value of `key` in [table] if it is a string and not empty, or None."""
        value = self.get(table, key)
        return value if isinstance(value, str) and value else None

    def where(self, table: str | None, key: str) -> Place:
        """Where `key` in [table], or at the top, is set."""
        return self.path, toml.line_of(self.source, table, key) if self.source else None


def in_words(where: Place | str) -> str:
    """A place, as it is shown to people and to programs; words stay as they are."""
    if isinstance(where, str):
        return where
    path, line = where
    return path if line is None else f"{path}:{line}"


class Profile:
    """What distribution.toml says. Without an endpoint, nothing is ever sent."""

    __slots__ = ("chef_run", "dev_endpoint", "endpoint", "install_context", "name", "notice_url", "product")

    def __init__(self, tables: toml.Table) -> None:
        self.product: str = tables["product"]
        self.name: str = tables["name"]
        self.endpoint: str | None = tables.get("endpoint")
        self.dev_endpoint: str | None = tables.get("dev_endpoint")
        self.install_context: str = tables["install_context"]
        self.notice_url: str = tables["notice_url"]
        self.chef_run: list[str] = tables["chef_run"]


def load(path: str) -> Config:
    """Read one configuration file. Never raises: what is wrong with the file is its `problem`."""
    try:
        content = files.read(path, MAX_CONFIG_SIZE)
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


def load_policy() -> Config:
    """The system policy, if only root can have written it; else a missing one with the problem why it is ignored."""
    try:
        status = os.stat(POLICY)
    except (FileNotFoundError, NotADirectoryError):
        return Config(POLICY, exists=False)
    except OSError as error:
        return Config(POLICY, problem=f"cannot be read ({error.strerror})")
    if status.st_uid != 0 or status.st_mode & 0o022:
        problem = "ignored: it must be owned by root and not writable by others"
        return Config(POLICY, exists=False, problem=problem)
    return load(POLICY)


def load_profile() -> Profile:
    """The distribution profile. It is part of the program: raises if it is broken."""
    return Profile(toml.parse(files.read(PROFILE, MAX_CONFIG_SIZE)))

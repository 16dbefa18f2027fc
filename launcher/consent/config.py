"""One configuration file in TOML, and what it says.

config.toml belongs to chef-run and to other programs too: unknown keys are no error, and nothing is written here.
"""

from __future__ import annotations

from launcher.consent import toml
from launcher.home import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_CONFIG_SIZE = 256 * 1024  # bytes, which the TOML library reads in half a second, whatever they are


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

    def text(self, table: str, key: str) -> str | None:
        """The value of `key` in [table] if it is a string and not empty, or None."""
        value = self.get(table, key)
        return value if isinstance(value, str) and value else None

    def where(self, table: str, key: str) -> str:
        """Where `key` in [table] is set: the path, and the line if it can be found."""
        line = toml.line_of(self.source, table, key)
        return f"{self.path}:{line}" if line else self.path


def load(path: str) -> Config:
    """Read one configuration file. Never raises: what is wrong with the file is its `problem`."""
    try:
        content = files.read(path, MAX_CONFIG_SIZE, follow=True)
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

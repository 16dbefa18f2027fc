"""The distribution that this launcher belongs to: distribution.toml, the one file that a rebrander edits."""

from __future__ import annotations

import os

from launcher import PACKAGE
from launcher.consent import toml
from launcher.consent.config import MAX_CONFIG_SIZE
from launcher.home import files

PATH = os.path.join(PACKAGE, "distribution.toml")


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


def load() -> Profile:
    """The distribution profile. It is part of the program: raises if it is broken."""
    return Profile(toml.parse(files.read(PATH, MAX_CONFIG_SIZE, follow=True)))

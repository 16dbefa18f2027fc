"""Adds the manual page to the wheel, as hatchling builds it: pip and pipx put it where man looks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPage(BuildHookInterface[Any]):
    """Made anew for each build, of the same source as --help."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        page = Path(self._folder.name, "chef-run-launcher.1")
        # In front of what may be installed, and of what pip has installed for the build.
        path = os.pathsep.join(filter(None, [self.root, os.environ.get("PYTHONPATH")]))
        env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, str(Path(self.root, "scripts", "packaging", "manpage"))]
        page.write_bytes(subprocess.run(command, env=env, stdout=subprocess.PIPE, check=True).stdout)
        build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._folder.cleanup()

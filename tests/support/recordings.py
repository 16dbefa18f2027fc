"""Recordings of the real chef-run, which are kept beside the repository and not in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.homes import Home

SHARED = Path(__file__).resolve().parents[3] / "shared"
FOLDER = SHARED / "transcripts"
WHY_SKIPPED = "needs recordings of the real chef-run, which are not published, in ../shared/transcripts"

OPERATOR = "/home/operator"


@dataclass(frozen=True)
class Recording:
    """One run of the real chef-run. `meta` is the recording's meta.json."""

    folder: Path
    meta: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.folder.relative_to(FOLDER))

    def arguments(self, home: Home) -> list[str]:
        """The command line, with this home in the place of the recorded one."""
        return [word.replace(OPERATOR, str(home.path)) for word in self.meta["argv"][1:]]

    @property
    def on_a_terminal(self) -> bool:
        return bool(self.meta["mode"] == "pty")

    @property
    def exit(self) -> int:
        """The exit code, or the number of the deadly signal as a negative."""
        return int(self.meta["exit"])

    @property
    def stdout(self) -> bytes:
        return self.read("stdout")

    @property
    def stderr(self) -> bytes:
        return self.read("stderr")

    @property
    def terminal(self) -> bytes:
        return self.read("tty")

    @property
    def payload(self) -> str | None:
        """The payload that the run left, if it left one."""
        return self.read("telemetry-payload.yml").decode() or None

    def read(self, name: str) -> bytes:
        path = self.folder / name
        return path.read_bytes() if path.exists() else b""

    def set_up(self, home: Home) -> None:
        """Bring the home to where the real run found its own, and have the replay play this recording."""
        if self.meta["home"] == "existing":
            home.use(self.meta["config"] or "")
        # The files of the operator's that command lines name: chef-run looks whether they are there.
        (home.path / ".ssh").mkdir()
        for name in ".ssh/id_ok", ".ssh/id_bad", "r.rb":
            (home.path / name).touch()
        home.env.update(self.meta["env"], REPLAY=str(self.folder))


def recordings() -> list[Recording]:
    """All of them, in the order of their names; none where they are not kept."""
    found = sorted(FOLDER.glob("*/*/meta.json"))
    return [Recording(path.parent, json.loads(path.read_text(encoding="utf-8"))) for path in found]


def grammar_cases() -> list[Any]:
    """Command lines, and what the real parser made of them; one skipped case where there are none."""
    path = SHARED / "grammar.json"
    if not path.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"needs {path.name} in ../shared, not published"))]
    return [
        pytest.param(case, id=f"{number}: {' '.join(case['argv'])!r}"[:80])
        for number, case in enumerate(json.loads(path.read_text()))
    ]

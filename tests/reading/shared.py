"""The recordings of the real chef-run, which lie beside this repository where they are to be had."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def grammar_cases() -> list[Any]:
    """Command lines, and what the real parser made of them; one skipped case where there are none."""
    path = SHARED / "grammar.json"
    if not path.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {path.name} beside the repository"))]
    return [
        pytest.param(case, id=f"{number}: {' '.join(case['argv'])!r}"[:80])
        for number, case in enumerate(json.loads(path.read_text()))
    ]


def recordings() -> list[Any]:
    """Folders of recorded runs; one skipped case where there are none."""
    folders = sorted(meta.parent for meta in SHARED.glob("transcripts/*/*/meta.json"))
    if not folders:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no transcripts beside the repository"))]
    return [pytest.param(folder, id=f"{folder.parent.name}-{folder.name}") for folder in folders]


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def sha1(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()

"""What decides whether a run here is recorded, and which program it would run: shown by several commands."""

import sys
from typing import Any, Optional

from launcher import real
from launcher.consent.config import in_words
from launcher.consent.decision import Decision
from launcher.consent.situation import Situation


def sources(decision: Decision) -> list[dict[str, Any]]:
    """Every source of the decision, as printed in JSON."""
    return [
        {"code": each.code, "name": each.name, "off": each.off, "says": each.message, "where": in_words(each.where)}
        for each in decision.sources
    ]


def chef_run(situation: Situation) -> dict[str, Optional[str]]:
    """The program that would run, or why there is none."""
    try:
        path = real.find(situation, sys.argv[0])
    except real.NoChefRun as problem:
        return {"path": None, "problem": str(problem)}
    return {"path": path, "problem": None}


def source_rows(decision: Decision) -> list[tuple[str, str]]:
    """The sources, each that turns telemetry off with a mark."""
    rows = []
    for source in decision.sources:
        name, message = source.name, source.message
        if not isinstance(source.where, str):  # the path is moved to the column in which lines are folded
            name, message = name.removesuffix(f" {source.where[0]}"), f"{message} ({in_words(source.where)})"
        rows.append((("* " if source.off else "  ") + name, message))
    return rows

"""The hosts that a run connects to, by its command line and its configuration."""

from __future__ import annotations

from launcher.consent.situation import Situation
from launcher.reading import command_line


def of_run(situation: Situation) -> list[command_line.Target]:
    """The targets of this run, in chef-run's order."""
    return command_line.targets(
        situation.arguments,
        default_protocol=situation.default_protocol,
        posixly_correct="POSIXLY_CORRECT" in situation.variables,
    )

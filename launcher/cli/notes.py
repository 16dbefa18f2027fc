"""What stands in nobody's way, but is probably not as somebody wanted it: shown by `status` and by `doctor`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from launcher.consent.decision import OPT_OUT, Source
from launcher.consent.situation import Situation
from launcher.consent.suggestions import suggestions

# The first chef-run that accepts a config.toml with keys that it does not know.
TOLERANT = (0, 4, 16)
MAX_SCRIPT_SIZE = 64 * 1024  # bytes that are read of chef-run, which in Chef Workstation is a script
# What turns us off, and is unknown to chef-run.
UNKNOWN_TO_CHEF_RUN = ("do_not_track", "system_policy", "config_toml")


class Note(NamedTuple):
    """A code for programs, and a sentence for people."""

    code: str
    message: str


def notes(situation: Situation, chef_run: str | None) -> Iterator[Note]:
    """What there is to be said of these settings; `chef_run` is the path of the program that would run."""
    for config, is_policy in ((situation.config, False), (situation.policy, True)):
        if config is not None:
            yield from (Note("setting", each) for each in suggestions(config, is_policy=is_policy))
    reason = situation.decision.reason
    if reason and reason.code in UNKNOWN_TO_CHEF_RUN and _chef_run_records(situation):
        yield Note(
            "chef_run_telemetry",
            f"chef-run itself {_unheeded(reason)}, and still writes its own record of each run; "
            f"enabled = false under [telemetry] in config.toml, or {OPT_OUT}, turns off both",
        )
    version = _version(chef_run) if chef_run else None
    if version and version < TOLERANT and _has_our_keys(situation):
        yield Note(
            "chef_run_version",
            f"chef-run {'.'.join(map(str, version))} may refuse to start because of the settings of the launcher in "
            f"config.toml; it accepts them from {'.'.join(map(str, TOLERANT))} on",
        )


def _unheeded(reason: Source) -> str:
    if reason.code == "config_toml" and not reason.message.startswith("[telemetry] enable "):
        return "does not heed this setting"
    known = {"do_not_track": "DO_NOT_TRACK", "system_policy": "the system policy"}
    return f"does not know {known.get(reason.code, 'enable = false')}"


def _chef_run_records(situation: Situation) -> bool:
    config = situation.config
    return OPT_OUT not in situation.variables and (
        config is None or (config.problem is None and config.get("telemetry", "enabled") is not False)
    )


def _has_our_keys(situation: Situation) -> bool:
    tables = situation.config.tables if situation.config else {}
    telemetry = tables.get("telemetry")
    ours = set(telemetry) - {"dev", "enable"} if isinstance(telemetry, dict) else set()
    return "launcher" in tables or bool(ours)


def _version(chef_run: str) -> tuple[int, ...] | None:
    """The version that the script itself says it starts; None if it does not."""
    try:
        with open(chef_run, "rb") as file:
            script = file.read(MAX_SCRIPT_SIZE)
    except OSError:
        return None
    found = re.search(rb"""["']chef-apply["'], *["']= *(\d{1,9})\.(\d{1,9})\.(\d{1,9})""", script)
    return tuple(map(int, found.groups())) if found else None

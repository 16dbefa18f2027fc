"""May this run be recorded? The one place that knows every opt-out.

Pure: facts in, a decision with its reasons out. Any source that says off wins, and nothing turns an off into an on.
The rules are those of the published privacy page (P7, P8, P12) and of the launcher's contract.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from launcher.config import Config

OPT_OUT = "CHEF_TELEMETRY_OPT_OUT"
DO_NOT_TRACK = "DO_NOT_TRACK"
DEPTH = "CHEF_RUN_LAUNCHER_DEPTH"


class Source:
    """One thing that was asked: what it is, whether it says off, and what it says in words."""

    __slots__ = ("name", "off", "says")

    def __init__(self, name: str, off: bool, says: str) -> None:
        self.name = name
        self.off = off
        self.says = says


class Decision:
    """Whether telemetry is on, what was asked, and whether an off is meant for good."""

    __slots__ = ("drops_stored", "sources")

    def __init__(self, sources: Sequence[Source], drops_stored: bool) -> None:
        self.sources = sources
        self.drops_stored = drops_stored

    @property
    def reason(self) -> Source | None:
        """The first source that says off; None if telemetry is on."""
        return next((source for source in self.sources if source.off), None)

    @property
    def on(self) -> bool:
        """Whether runs are recorded and sessions are sent."""
        return self.reason is None


def decide(
    variables: Mapping[str, str],
    *,
    home_problem: str | None,
    config: Config | None,
    named_configs: Sequence[Config],
    policy: Config,
    has_endpoint: bool,
) -> Decision:
    """Decide from the environment, the HOME, the configuration files and the distribution.

    `config` is the default config.toml (None without a HOME), `named_configs` the files that the command line names,
    whether or not chef-run would load them.
    """
    this_run = [_nested(variables), _opt_out(variables), _do_not_track(variables), _home(home_problem)]
    for_good = [_policy(policy)] + ([_config(config)] if config else [])
    others = [_config(named) for named in named_configs] + [_endpoint(has_endpoint)]
    return Decision(
        this_run + for_good + others,
        # An opt-out for this run touches nothing, also where telemetry is disabled besides.
        drops_stored=not any(source.off for source in this_run)
        and (_says_false(policy.tables) or (config is not None and _says_false(config.tables))),
    )


def _nested(variables: Mapping[str, str]) -> Source:
    nested = DEPTH in variables
    return Source(DEPTH, nested, "started by a launcher, which keeps the record" if nested else "not set")


def _opt_out(variables: Mapping[str, str]) -> Source:
    present = OPT_OUT in variables
    return Source(OPT_OUT, present, "set" if present else "not set")


def _do_not_track(variables: Mapping[str, str]) -> Source:
    value = variables.get(DO_NOT_TRACK)
    if value is None:
        return Source(DO_NOT_TRACK, False, "not set")
    off = value.lower() not in ("", "0", "false")
    return Source(DO_NOT_TRACK, off, "set" if off else "set to a value that means no")


def _home(problem: str | None) -> Source:
    return Source("HOME", problem is not None, problem or "usable")


def _policy(policy: Config) -> Source:
    name = f"system policy {policy.path}"
    if not policy.exists:
        return Source(name, False, policy.problem or "no such file")
    return _file(name, policy, _disabled(policy.tables))


def _config(config: Config) -> Source:
    name = f"config {config.path}"
    if not config.exists:
        return Source(name, False, "no such file")
    return _file(name, config, _disabled({"telemetry": config.tables.get("telemetry", {})}))


def _file(name: str, config: Config, disabled: str | None) -> Source:
    # What cannot be read may well say that telemetry is off.
    says = config.problem or disabled
    return Source(name, says is not None, says or "does not disable telemetry")


def _disabled(tables: Mapping[str, Any]) -> str | None:
    """How these tables disable telemetry, if they do. Whatever stands there and is not `true` counts as off."""
    telemetry = tables.get("telemetry", {})
    if not isinstance(telemetry, dict):
        return "telemetry is not a table"
    for prefix, table in (("[telemetry] ", telemetry), ("", tables)):
        for key in ("enabled", "enable"):
            if key in table and table[key] is not True:
                return f"{prefix}{key} is {'false' if table[key] is False else 'not true'}"
    return None


def _says_false(tables: Mapping[str, Any]) -> bool:
    """Whether telemetry is disabled for good, in so many words."""
    telemetry = tables.get("telemetry")
    candidates = (tables, telemetry if isinstance(telemetry, dict) else {})
    return any(table.get(key) is False for table in candidates for key in ("enabled", "enable"))


def _endpoint(has_endpoint: bool) -> Source:
    return Source("endpoint", not has_endpoint, "known" if has_endpoint else "none in this distribution")

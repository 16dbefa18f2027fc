"""May this run be recorded? The one place that knows every opt-out.

Pure: facts in, a decision with its reasons out. Any source that says off wins, and nothing turns an off into an on.
The rules are those of the published privacy page (P7, P8, P12) and of the launcher's contract.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.consent.config import Config

OPT_OUT = "CHEF_TELEMETRY_OPT_OUT"
DO_NOT_TRACK = "DO_NOT_TRACK"
DEPTH = "CHEF_RUN_LAUNCHER_DEPTH"
DRY_RUN = "CHEF_RUN_LAUNCHER_DRY_RUN"


# How much of the hosts is recorded, from all that the privacy page names to nothing.
HOSTS = ("sha256", "salted", "count", "off")


class Source:
    """One thing that was asked: what it is, whether it says off, what it says in words, and where that stands."""

    __slots__ = ("name", "off", "says", "where")

    def __init__(self, name: str, off: bool, says: str, where: str) -> None:
        self.name = name
        self.off = off
        self.says = says
        self.where = where


class Hosts:
    """How much of the hosts is recorded: a level of HOSTS, and where it is set (None: nowhere, it is the first)."""

    __slots__ = ("level", "where")

    def __init__(self, level: str, where: str | None) -> None:
        self.level = level
        self.where = where


class Decision:
    """Whether telemetry is on, how much of the hosts it records, what was asked, and whether an off is for good."""

    __slots__ = ("drops_stored", "hosts", "sources")

    def __init__(self, sources: Sequence[Source], hosts: Hosts, drops_stored: bool) -> None:
        self.sources = sources
        self.hosts = hosts
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
    this_run = [*_environment(variables), _home(home_problem)]
    for_good = [_policy(policy)] + ([_config(config)] if config else [])
    others = [_config(named) for named in named_configs] + [_endpoint(has_endpoint)]
    configs = ([config] if config else []) + list(named_configs)
    return Decision(
        this_run + for_good + others,
        _tightest([(policy, ""), *((each, "telemetry") for each in [policy, *configs])]),
        # An opt-out for this run touches nothing, also where telemetry is disabled besides.
        drops_stored=not any(source.off for source in this_run)
        and (_says_false(policy, at_the_top=True) or (config is not None and _says_false(config, at_the_top=False))),
    )


def is_off_by_environment(variables: Mapping[str, str]) -> bool:
    """Whether the environment alone says that this run is off: then no file need be read to know it."""
    return any(source.off for source in _environment(variables))


def _environment(variables: Mapping[str, str]) -> list[Source]:
    return [_nested(variables), _opt_out(variables), _do_not_track(variables)]


def _nested(variables: Mapping[str, str]) -> Source:
    nested = DEPTH in variables
    return _variable(DEPTH, nested, "started by a launcher, which keeps the record" if nested else "not set")


def _opt_out(variables: Mapping[str, str]) -> Source:
    present = OPT_OUT in variables
    return _variable(OPT_OUT, present, "set" if present else "not set")


def _do_not_track(variables: Mapping[str, str]) -> Source:
    value = variables.get(DO_NOT_TRACK)
    if value is None:
        return _variable(DO_NOT_TRACK, False, "not set")
    off = value.lower() not in ("", "0", "false")
    return _variable(DO_NOT_TRACK, off, "set" if off else "set to a value that means no")


def _home(problem: str | None) -> Source:
    return _variable("HOME", problem is not None, problem or "usable")


def _variable(name: str, off: bool, says: str) -> Source:
    return Source(name, off, says, where=f"environment variable {name}")


def _policy(policy: Config) -> Source:
    name = f"system policy {policy.path}"
    if not policy.exists:
        return Source(name, False, policy.problem or "no such file", policy.path)
    return _file(name, policy, at_the_top=True)


def _config(config: Config) -> Source:
    name = f"config {config.path}"
    if not config.exists:
        return Source(name, False, "no such file", config.path)
    return _file(name, config, at_the_top=False)


def _file(name: str, config: Config, at_the_top: bool) -> Source:
    if config.problem:  # what cannot be read may well say that telemetry is off
        return Source(name, True, config.problem, config.path)
    return _disabled(name, config, at_the_top) or Source(name, False, "does not disable telemetry", config.path)


def _disabled(name: str, config: Config, at_the_top: bool) -> Source | None:
    """What disables telemetry in a file, if anything does. Whatever stands there and is not `true` counts as off."""
    telemetry = config.tables.get("telemetry", {})
    if not isinstance(telemetry, dict):
        return Source(name, True, "telemetry is not a table", config.where("", "telemetry"))
    for section, table in (("telemetry", telemetry), ("", config.tables)):
        for key in ("enabled", "enable") if section or at_the_top else ():
            if key in table and table[key] is not True:
                says = f"{'[telemetry] ' if section else ''}{key} is {'false' if table[key] is False else 'not true'}"
                return Source(name, True, says, config.where(section, key))
    return None


def _says_false(config: Config, at_the_top: bool) -> bool:
    """Whether telemetry is disabled for good, in so many words."""
    telemetry = config.tables.get("telemetry")
    candidates = [telemetry if isinstance(telemetry, dict) else {}, *([config.tables] if at_the_top else [])]
    return any(table.get(key) is False for table in candidates for key in ("enabled", "enable"))


def _endpoint(has_endpoint: bool) -> Source:
    says = "known" if has_endpoint else "none in this distribution"
    return Source("endpoint", not has_endpoint, says, where="distribution profile")


def _tightest(places: Sequence[tuple[Config, str]]) -> Hosts:
    """The tightest level that any of these files asks for in this table ("": at its top)."""
    level, where = 0, None
    for config, section in places:
        asked = config.get(section, "hosts") if section else config.tables.get("hosts")
        if asked is not None:
            # What is not understood may be meant to be as tight as can be.
            tightness = HOSTS.index(asked) if asked in HOSTS else len(HOSTS) - 1
            if where is None or tightness > level:
                level, where = tightness, config.where(section, "hosts")
    return Hosts(HOSTS[level], where)

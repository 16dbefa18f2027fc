"""Whether a run may be recorded. Every opt-out is known here, and nowhere else.

Pure: facts in, a decision with its reasons out. If any source turns telemetry off, it is off. The rules are those of
the published privacy page (P7, P8, P12) and of the launcher's contract.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from launcher.consent.config import Config, Place

OPT_OUT = "CHEF_TELEMETRY_OPT_OUT"
DO_NOT_TRACK = "DO_NOT_TRACK"
DEPTH = "CHEF_RUN_LAUNCHER_DEPTH"
DRY_RUN = "CHEF_RUN_LAUNCHER_DRY_RUN"

# The switch, as the launcher's contract and Chef's documentation spell it. Both count.
SWITCHES = ("enabled", "enable")
# How much of the hosts is recorded: from all that the privacy page names to nothing.
HOSTS = ("sha256", "salted", "count", "off")


# Every source of the decision, by its code, which stays the same for programs.
CODES = (
    *("launcher_depth", "opt_out_variable", "do_not_track", "opt_out_file", "home"),
    *("system_policy", "config_toml", "named_config", "no_endpoint"),
)


class Source:
    """One source of the decision: one of CODES, a name for people, whether it turns telemetry off, why, and where.

    `where` is a place in a file that is read, and in words for all others.
    """

    __slots__ = ("code", "message", "name", "off", "where")

    def __init__(self, code: str, name: str, off: bool, message: str, where: Place | str) -> None:
        self.code = code
        self.name = name
        self.off = off
        self.message = message
        self.where = where


class Hosts:
    """How much of the hosts is recorded: one of HOSTS, and where it is set (None for the default, the first)."""

    __slots__ = ("level", "where")

    def __init__(self, level: str, where: Place | None) -> None:
        self.level = level
        self.where = where


class Decision:
    """Whether telemetry is on and why, how much of the hosts it records, and whether stored sessions are dropped."""

    __slots__ = ("drops_stored", "hosts", "sources")

    def __init__(self, sources: Sequence[Source], hosts: Hosts, drops_stored: bool) -> None:
        self.sources = sources
        self.hosts = hosts
        self.drops_stored = drops_stored

    @property
    def reason(self) -> Source | None:
        """The first source that turns telemetry off; None if it is on."""
        return next((source for source in self.sources if source.off), None)

    @property
    def on(self) -> bool:
        """Whether runs are recorded and sessions are sent."""
        return self.reason is None


def decide(
    variables: Mapping[str, str],
    *,
    opt_out_file: str | None,
    home_problem: str | None,
    config: Config | None,
    named_configs: Sequence[Config],
    policy: Config,
    has_endpoint: bool,
) -> Decision:
    """Decide from the environment, the HOME, the configuration files and the distribution.

    `opt_out_file` is the path of one of Chef's own that is there (None without any), `config` the default config.toml
    (None without a HOME), `named_configs` the files that the command line names, whether or not chef-run would load
    them.
    """
    this_run = [*_environment(variables), _opt_out_file(opt_out_file), _home(home_problem)]
    for_good = [_policy(policy)] + ([_config("config_toml", config)] if config else [])
    others = [_config("named_config", named) for named in named_configs] + [_endpoint(has_endpoint)]
    configs = ([config] if config else []) + list(named_configs)
    return Decision(
        this_run + for_good + others,
        _tightest([(policy, None), *((each, "telemetry") for each in [policy, *configs])]),
        # With an opt-out for this run nothing is touched, even if telemetry is disabled for good as well.
        drops_stored=not any(source.off for source in this_run)
        and (_says_false(policy, at_the_top=True) or (config is not None and _says_false(config, at_the_top=False))),
    )


def is_off_by_environment(variables: Mapping[str, str]) -> bool:
    """Whether the environment alone turns telemetry off for this run, so that no file has to be read."""
    return any(source.off for source in _environment(variables))


def _environment(variables: Mapping[str, str]) -> list[Source]:
    return [_nested(variables), _opt_out(variables), _do_not_track(variables)]


def _nested(variables: Mapping[str, str]) -> Source:
    nested = DEPTH in variables
    message = "set: another launcher, which records the run, has started this one" if nested else "not set"
    return _variable("launcher_depth", DEPTH, nested, message)


def _opt_out(variables: Mapping[str, str]) -> Source:
    present = OPT_OUT in variables
    return _variable("opt_out_variable", OPT_OUT, present, "set" if present else "not set")


def _do_not_track(variables: Mapping[str, str]) -> Source:
    value = variables.get(DO_NOT_TRACK)
    if value is None:
        return _variable("do_not_track", DO_NOT_TRACK, False, "not set")
    off = value.lower() not in ("", "0", "false")
    return _variable("do_not_track", DO_NOT_TRACK, off, "set" if off else "set to a value that means no")


def _opt_out_file(path: str | None) -> Source:
    name, places = "opt-out file", "~/.chef, and .chef in this directory and those above it"
    message = f"{path} exists" if path else "none"
    return Source("opt_out_file", name, path is not None, message, where=path or places)


def _home(problem: str | None) -> Source:
    return _variable("home", "HOME", problem is not None, problem or "usable")


def _variable(code: str, name: str, off: bool, message: str) -> Source:
    return Source(code, name, off, message, where=f"environment variable {name}")


def _policy(policy: Config) -> Source:
    return _file("system_policy", f"system policy {policy.path}", policy, at_the_top=True)


def _config(code: str, config: Config) -> Source:
    return _file(code, f"config {config.path}", config, at_the_top=False)


def _file(code: str, name: str, config: Config, at_the_top: bool) -> Source:
    if not config.exists:
        return Source(code, name, False, config.problem or "no such file", (config.path, None))
    if config.problem:  # a file that cannot be read may well turn telemetry off
        return Source(code, name, True, config.problem, (config.path, None))
    disabled = _disabled(code, name, config, at_the_top)
    return disabled or Source(code, name, False, "does not turn telemetry off", (config.path, None))


def _disabled(code: str, name: str, config: Config, at_the_top: bool) -> Source | None:
    """What disables telemetry in a file, None if nothing does. Any value but `true` counts as off."""
    telemetry = config.tables.get("telemetry", {})
    if not isinstance(telemetry, dict):
        return Source(code, name, True, "telemetry is not a table", config.where(None, "telemetry"))
    for section, table in (("telemetry", telemetry), (None, config.tables)):
        for key in SWITCHES if section or at_the_top else ():
            if key in table and table[key] is not True:
                message = (
                    f"{'[telemetry] ' if section else ''}{key} is {'false' if table[key] is False else 'not true'}"
                )
                return Source(code, name, True, message, config.where(section, key))
    return None


def _says_false(config: Config, at_the_top: bool) -> bool:
    """Whether a file says `false` itself, which disables telemetry for good. Other values count as off only."""
    telemetry = config.tables.get("telemetry")
    candidates = [telemetry if isinstance(telemetry, dict) else {}, *([config.tables] if at_the_top else [])]
    return any(table.get(key) is False for table in candidates for key in SWITCHES)


def _endpoint(has_endpoint: bool) -> Source:
    message = "known" if has_endpoint else "none in this distribution"
    return Source("no_endpoint", "endpoint", not has_endpoint, message, where="distribution profile")


def _tightest(places: Sequence[tuple[Config, str | None]]) -> Hosts:
    """The tightest level that any of these files asks for; with each, the table in which it does (None: at the top)."""
    level, where = 0, None
    for config, section in places:
        asked = config.get(section, "hosts")
        if asked is not None:
            # An unknown level may be meant to be the tightest.
            tightness = HOSTS.index(asked) if asked in HOSTS else len(HOSTS) - 1
            if where is None or tightness > level:
                level, where = tightness, config.where(section, "hosts")
    return Hosts(HOSTS[level], where)

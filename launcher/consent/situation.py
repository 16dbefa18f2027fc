"""Everything that a run is decided from, each read once: when it is first asked for."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from functools import cached_property as once

    from launcher.consent.config import Config, Profile
    from launcher.consent.decision import Decision
    from launcher.home.layout import Home
else:

    class once:
        """functools.cached_property, of which the import takes 1.5 ms."""

        def __init__(self, read):
            self._read = read

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            value = instance.__dict__[self._name] = self._read(instance)
            return value


OPT_OUT_FILE = os.path.join(".chef", "telemetry_opt_out")


NOTICE_VERSION = b"1\n"  # of what is recorded; with a new version the notice is shown again before anything is sent


def notice_is_current(home: Home) -> bool:
    """Whether the notice of what is recorded now has been shown."""
    from launcher.home.layout import NOTICE

    try:
        return home.telemetry.read(NOTICE, limit=64) == NOTICE_VERSION
    except OSError:
        return False


class Situation:
    """The facts of one run, and the decision that they lead to."""

    def __init__(self, variables: Mapping[str, str], arguments: Sequence[str] = ()) -> None:
        """`arguments` are chef-run's arguments: the files that they name count as well."""
        self.variables = variables
        self.arguments = arguments
        self._path = _home_directory(variables)

    @once
    def home(self) -> Home | None:
        """Where our files lie. Where nothing may be kept, there may still be a config.toml that is to be obeyed."""
        from launcher.home.layout import Home

        return Home(self._path) if self._path and os.path.isabs(self._path) else None

    @once
    def home_problem(self) -> str | None:
        """Why nothing can or may be kept in this HOME."""
        if self.home is None:
            return "HOME is not an absolute path" if self._path else "HOME is not set"
        return self.home.problem()

    @once
    def opt_out_file(self) -> str | None:
        """One of Chef's own opt-out files: in HOME, or in the working directory or any above it. None if there is none.

        chef-telemetry looks for them in the same places.
        """
        if self._path and _has_opt_out(self._path):
            return os.path.join(self._path, OPT_OUT_FILE)
        try:
            working = {os.getcwd()}
        except OSError:
            working = set()  # it has been removed
        # By the path that the shell knows too: it may lead through symbolic links.
        if os.path.isabs(self.variables.get("PWD", "")):
            working.add(self.variables["PWD"])
        for directory in working:
            found = _opt_out_at_or_above(directory)
            if found:
                return found
        return None

    @once
    def config(self) -> Config | None:
        """The default config.toml."""
        from launcher.consent import config

        return config.load(self.home.config) if self.home else None

    @once
    def policy(self) -> Config:
        """The system policy."""
        from launcher.consent import config

        return config.load_policy()

    @once
    def profile(self) -> Profile:
        """The distribution. Raises if its file is broken: only we can have done that."""
        from launcher.consent import config

        return config.load_profile()

    @once
    def decision(self) -> Decision:
        """Whether this run is recorded, and what says so."""
        from launcher.consent import decision

        return decision.decide(
            self.variables,
            opt_out_file=self.opt_out_file,
            home_problem=self.home_problem,
            config=self.config,
            named_configs=self._named_configs(),
            policy=self.policy,
            has_endpoint=self.profile.endpoint is not None,
        )

    def _named_configs(self) -> list[Config]:
        if not any(word.startswith("-") for word in self.arguments):
            return []  # no option names one
        from launcher.consent import config, config_option

        return [config.load(path) for path in config_option.config_files(self.arguments)]

    @once
    def default_protocol(self) -> str:
        """How chef-run connects where its command line does not say: what its configuration file says, or ssh."""
        from launcher.consent import config, config_option

        loaded = config_option.loaded_config(self.arguments)
        read = config.load(loaded) if loaded else self.config
        return (read.text("connection", "default_protocol") if read else None) or "ssh"

    @property
    def inherits_terminal(self) -> bool:
        """Whether chef-run is to get the terminal itself instead of a second one: [launcher] terminal = "inherit"."""
        return self.config is not None and self.config.text("launcher", "terminal") == "inherit"

    def reread(self) -> Situation:
        """The same as it is now: the files that may turn telemetry off are read once more."""
        now = Situation(self.variables, self.arguments)
        now.profile, now.home, now.home_problem = self.profile, self.home, self.home_problem
        return now


def _has_opt_out(directory: str) -> bool:
    return os.path.lexists(os.path.join(directory, OPT_OUT_FILE))


def _opt_out_at_or_above(directory: str) -> str | None:
    while not _has_opt_out(directory):
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above
    return os.path.join(directory, OPT_OUT_FILE)


def _home_directory(variables: Mapping[str, str]) -> str | None:
    if sys.platform == "win32":
        return variables.get("HOME") or variables.get("USERPROFILE")
    return variables.get("HOME")

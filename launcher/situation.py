"""Everything that a run is decided from, read once."""

from __future__ import annotations

import os
import sys

from launcher import command_line, config, decision, home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Situation:
    """The facts of one run, and the decision that they lead to."""

    __slots__ = ("config", "decision", "home", "home_problem", "policy", "profile", "variables")

    def __init__(self, variables: Mapping[str, str], words: Sequence[str] = ()) -> None:
        """Read the files, those too that chef-run's arguments `words` name. Raises only if we are broken."""
        path = _home_folder(variables)
        self.variables = variables
        # A HOME in which nothing may be kept can still hold a config.toml that is to be obeyed.
        self.home: home.Home | None = home.Home(path) if os.path.isabs(path) else None
        self.home_problem = home.problem(path)  # why nothing can or may be kept there
        self.config = config.load(self.home.config) if self.home else None
        self.policy = config.load_policy()
        self.profile = config.load_profile()
        self.decision = decision.decide(
            variables,
            home_problem=self.home_problem,
            config=self.config,
            named_configs=[config.load(path) for path in command_line.config_files(words)],
            policy=self.policy,
            has_endpoint=self.profile.endpoint is not None,
        )

    def again(self, words: Sequence[str]) -> Situation:
        """The same as it is now: everything read once more."""
        return Situation(self.variables, words)

    @property
    def inherits_terminal(self) -> bool:
        """Whether chef-run is to get the terminal itself instead of a second one: [launcher] terminal = "inherit"."""
        return self.config is not None and self.config.text("launcher", "terminal") == "inherit"

    def targets(self, words: Sequence[str]) -> list[command_line.Target]:
        """The hosts that chef-run connects to with these arguments."""
        return command_line.targets(
            words,
            default_protocol=self._default_protocol(words),
            posixly_correct="POSIXLY_CORRECT" in self.variables,
        )

    def _default_protocol(self, words: Sequence[str]) -> str:
        loaded = command_line.loaded_config(words)
        read = config.load(loaded) if loaded else self.config
        return (read.text("connection", "default_protocol") if read else None) or "ssh"


def _home_folder(variables: Mapping[str, str]) -> str:
    if sys.platform == "win32":
        return variables.get("HOME") or variables.get("USERPROFILE", "")
    return variables.get("HOME", "")

"""Any source that says off wins, and nothing turns an off into an on."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from launcher.consent import toml
from launcher.consent.config import Config
from launcher.consent.decision import HOSTS, Decision, decide

ABSENT = Config("x.toml", exists=False)


def telemetry(**table: Any) -> Config:
    return Config("x.toml", {"telemetry": table})


def decision(
    variables: dict[str, str] | None = None,
    opt_out_file: str | None = None,
    home_problem: str | None = None,
    config: Config | None = ABSENT,
    named_configs: tuple[Config, ...] = (),
    policy: Config = ABSENT,
    has_endpoint: bool = True,
) -> Decision:
    return decide(
        variables or {},
        opt_out_file=opt_out_file,
        home_problem=home_problem,
        config=config,
        named_configs=named_configs,
        policy=policy,
        has_endpoint=has_endpoint,
    )


# Each source on its own: (what makes it so, whether it says off).
SOURCES: dict[str, list[tuple[Any, bool]]] = {
    "CHEF_TELEMETRY_OPT_OUT": [(None, False), ("", True), ("0", True)],
    "DO_NOT_TRACK": [(None, False), ("0", False), ("1", True)],
    "CHEF_RUN_LAUNCHER_DEPTH": [(None, False), ("1", True)],
    "opt_out_file": [(None, False), ("/x/.chef/telemetry_opt_out", True)],
    "home_problem": [(None, False), ("HOME is not set", True)],
    "config": [(ABSENT, False), (telemetry(enabled=True), False), (telemetry(enabled=False), True)],
    "named_configs": [((), False), ((telemetry(enabled=True),), False), ((ABSENT, telemetry(enabled=False)), True)],
    "policy": [(ABSENT, False), (Config("p", {"enabled": True}), False), (Config("p", {"enabled": False}), True)],
    "has_endpoint": [(True, False), (False, True)],
}


def test_telemetry_is_on_only_where_no_source_says_off() -> None:
    for combination in itertools.product(*SOURCES.values()):
        facts = dict(zip(SOURCES, (value for value, _ in combination)))
        variables = {name: facts.pop(name) for name in list(facts) if name.isupper()}
        decided = decision({name: value for name, value in variables.items() if value is not None}, **facts)
        assert decided.on == (not any(off for _, off in combination)), combination


@pytest.mark.parametrize("value", ["", "0", "false", "FALSE"])
def test_do_not_track_set_to_no_is_no_opt_out(value: str) -> None:
    assert decision({"DO_NOT_TRACK": value}).on


@pytest.mark.parametrize(
    "config",
    [
        telemetry(enabled=False),
        telemetry(enable=False),
        telemetry(enabled=True, enable=False),
        telemetry(enabled="false"),
        telemetry(enabled=0),
        Config("x.toml", {"telemetry": False}),
        Config("x.toml", problem="not valid TOML, at line 1, column 1"),
        Config("x.toml", problem="cannot be read (Permission denied)"),
    ],
)
def test_a_config_that_does_not_clearly_leave_it_on_is_off(config: Config) -> None:
    assert not decision(config=config).on
    assert not decision(named_configs=(config,)).on


@pytest.mark.parametrize("config", [telemetry(), telemetry(dev=True), Config("x.toml", {"enabled": False})])
def test_a_config_that_speaks_of_other_things_leaves_it_on(config: Config) -> None:
    assert decision(config=config).on


@pytest.mark.parametrize("policy", [Config("p", {"enabled": False}), telemetry(enabled=False), telemetry(enable=False)])
def test_the_policy_may_say_it_at_the_top_or_under_telemetry(policy: Config) -> None:
    assert not decision(policy=policy).on


@pytest.mark.parametrize("off", [telemetry(enabled=False), telemetry(enable=False)])
def test_only_where_it_is_disabled_for_good_is_anything_dropped(off: Config) -> None:
    assert decision(config=off).drops_stored
    assert decision(policy=off).drops_stored
    assert decision(config=off, has_endpoint=False).drops_stored
    assert not decision(named_configs=(off,)).drops_stored
    assert not decision().drops_stored
    assert not decision(config=Config("x.toml", problem="not valid TOML")).drops_stored
    assert not decision(config=telemetry(enabled="no")).drops_stored


@pytest.mark.parametrize("variable", ["CHEF_TELEMETRY_OPT_OUT", "DO_NOT_TRACK", "CHEF_RUN_LAUNCHER_DEPTH"])
def test_an_opt_out_for_one_run_drops_nothing(variable: str) -> None:
    """Even where telemetry is disabled besides."""
    assert not decision({variable: "1"}, config=telemetry(enabled=False)).drops_stored


def test_an_opt_out_file_drops_nothing_either() -> None:
    assert not decision(opt_out_file="/x/.chef/telemetry_opt_out", config=telemetry(enabled=False)).drops_stored


def test_the_reason_is_the_first_source_that_says_off() -> None:
    decided = decision({"DO_NOT_TRACK": "1"}, config=telemetry(enabled=False))
    assert decided.reason is not None
    assert (decided.reason.name, decided.reason.message) == ("DO_NOT_TRACK", "set")
    assert [source.name for source in decided.sources if source.off] == ["DO_NOT_TRACK", "config x.toml"]


LEVELS: list[tuple[Any, int]] = [
    (None, 0),
    *((level, number) for number, level in enumerate(HOSTS)),
    ("more", 3),
    (1, 3),
]


def test_of_all_levels_that_are_asked_for_the_tightest_holds() -> None:
    for (policy, a), (top, b), (config, c), (named, d) in itertools.product(LEVELS, repeat=4):
        decided = decision(
            policy=Config("p", {"telemetry": {} if policy is None else {"hosts": policy}, "hosts": top}),
            config=telemetry() if config is None else telemetry(hosts=config),
            named_configs=() if named is None else (telemetry(hosts=named),),
        )
        assert decided.hosts.level == HOSTS[max(a, b, c, d)]


def test_a_source_tells_where_it_stands() -> None:
    text = "# mine\n[telemetry]\nhosts = 'count'\nenabled = false\n"
    decided = decision({"DO_NOT_TRACK": "1"}, config=Config("x.toml", toml.parse(text.encode()), source=text))
    places = {source.name: source.where for source in decided.sources}
    assert places["DO_NOT_TRACK"] == "environment variable DO_NOT_TRACK"
    assert places["config x.toml"] == ("x.toml", 4)
    assert decided.hosts.where == ("x.toml", 3)

"""What people wrote to have telemetry off, or otherwise, and what has no effect: named, with what was meant."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.consent import config, toml
from launcher.consent.suggestions import suggestions


def said(text: str, *, is_policy: bool = False) -> list[str]:
    return suggestions(config.Config("F", toml.parse(text.encode()), source=text), is_policy=is_policy)


OFF = "to turn telemetry off, set enabled = false under [telemetry]"
ELSEWHERE = "has no effect in the system policy; it belongs in config.toml"
MISTAKES = {
    **{
        f"[{name}]\n{key} = false": f"F: the section [{name}] is not known; {OFF}"
        for name in ("tele", "analytics", "tracking", "chef-run-launcher", "chef_run", "Chef-Run")
        for key in ("enabled", "enable", "telemetry")
    },
    "[telemetry]\nactive = false": f'F:2: "active" under [telemetry] is not known; {OFF}',
    "[telemetry]\nenable_telemetry = false": f'F:2: "enable_telemetry" under [telemetry] is not known; {OFF}',
    "[telemetry]\nenabeld = false": 'F:2: "enabeld" under [telemetry] is not known; did you mean "enabled"?',
    "[telemetry]\nEnabled = false": 'F:2: "Enabled" under [telemetry] is not known; did you mean "enabled"?',
    "[telemetry]\ndisable = true": f'F:2: "disable" under [telemetry] is not known; {OFF}',
    "[telemetry]\nopt_out = true": f'F:2: "opt_out" under [telemetry] is not known; {OFF}',
    "[telemetry]\nxyz = 1": 'F:2: "xyz" under [telemetry] is not known',
    "[telemetry]\nterminal = 'inherit'": 'F:2: "terminal" has no effect under [telemetry]; it belongs under [launcher]',
    "[launcher]\nenabled = false": 'F:2: "enabled" has no effect under [launcher]; it belongs under [telemetry]',
    "[launcher]\nterminal = 'inherits'": 'F:2: the value of [launcher] terminal is not known; did you mean "inherit"?',
    "[launcher]\nchef_run = 3": "F:2: the value of [launcher] chef_run must be a string in quotes; it has no effect",
    "[Telemetry]\nenabled = false": "F: the section [Telemetry] is not known; did you mean [telemetry]?",
    "[telmetry]\nenabled = false": "F: the section [telmetry] is not known; did you mean [telemetry]?",
    "[luancher]\n": "F: the section [luancher] is not known; did you mean [launcher]?",
    "enabled = false": 'F:1: "enabled" has no effect outside a table; it belongs under [telemetry]',
    "enable = false\n[log]\nlevel = 'warn'": (
        'F:1: "enable" has no effect outside a table; it belongs under [telemetry]'
    ),
    "opt_out = true": f'F:1: "opt_out" outside a table is not known; {OFF}',
    "[telemetry]\nenabled = 'false'": "F:2: the value of [telemetry] enabled must be true or false, without quotes",
    "[telemetry]\ndev = 1": "F:2: the value of [telemetry] dev must be true or false, without quotes",
    "[telemetry]\nhosts = 'salt'": (
        'F:2: the value of [telemetry] hosts is not known, so it counts as "off"; did you mean "salted"?'
    ),
    "[telemetry]\nformat = 'OTLP '": (
        'F:2: the value of [telemetry] format is not known, so nothing is sent; did you mean "otlp"?'
    ),
    "[telemetry]\nformat = 'xml'": (
        'F:2: the value of [telemetry] format is not known, so nothing is sent; the values are "chef", "otlp"'
    ),
    "[telemetry]\nhosts = 3": (
        'F:2: the value of [telemetry] hosts is not known, so it counts as "off"; '
        'the values are "sha256", "salted", "count", "off"'
    ),
}


@pytest.mark.parametrize(("text", "says"), MISTAKES.items(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_what_was_meant(text: str, says: str) -> None:
    assert said(text) == [says]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[analytics]\nenabled = true\n[other]\nenabled = false\n",
        "[telemetry]\nenabled = false\nenable = true\ndev = true\nhosts = 'count'\nformat = 'otlp'\nca_file = 'x'\n",
        "[launcher]\nterminal = 'inherit'\nchef_run = '/x'\n",
        "[dev]\nspinner = false\n[connection]\ndefault_protocol = 'ssh'\n[log]\nlevel = 'info'\n[chef]\nx = 1\n",
        "name = 'of another program'\n[updates]\nchannel = 'stable'\n[features]\nx = true\n",
    ],
)
def test_what_has_its_meaning_here_or_elsewhere_is_left_alone(text: str) -> None:
    assert said(text) == []


def test_the_system_policy_may_have_its_keys_at_the_top() -> None:
    assert said("enabled = false\nhosts = 'salted'\n", is_policy=True) == []
    assert said("disabled = true", is_policy=True) == [f'F:1: "disabled" outside a table is not known; {OFF}']
    assert said("ca_file = 'x'", is_policy=True) == [f'F:1: "ca_file" {ELSEWHERE}']
    assert said("[telemetry]\nformat = 'otlp'", is_policy=True) == [f'F:2: "format" {ELSEWHERE}']


values = st.sampled_from(["s3cret", 3, True, ["s3cret"], {"x": "s3cret"}, None, 1.5])


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*"abc", "telemetry", "launcher", "hosts", "dev"]),
        st.recursive(
            values,
            lambda inner: st.dictionaries(st.sampled_from(["hosts", "enabled", "terminal", "x"]), inner),
            max_leaves=4,
        ),
    )
)
def test_no_value_is_ever_quoted(tables: toml.Table) -> None:
    assert "s3cret" not in str(suggestions(config.Config("F", tables)))

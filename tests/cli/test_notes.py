"""What is in nobody's way but probably not as it was meant: status and doctor say it, and no decision changes."""

from __future__ import annotations

import json

import pytest

from tests.support.homes import Home
from tests.support.programs import Launcher, Program


def noted(launcher: Launcher) -> dict[str, str]:
    """The notes by code: those of status, which must be those of doctor as well, for people too."""
    notes = {each["code"]: each["says"] for each in launcher.status()["notes"]}
    found = json.loads(launcher.run("doctor", "--json").stdout)["findings"]
    of_doctor = {each["code"]: each["says"] for each in found if each["state"] == "note"}
    assert notes.items() <= of_doctor.items()
    status, doctor = ("".join(launcher.run(command).stdout.decode().split()) for command in ("status", "doctor"))
    for says in notes.values():
        sentence = says if says.endswith("?") else f"{says}."
        assert "".join(f"Note: {sentence}".split()) in status
        assert "".join(says.split()) in doctor
    return notes


def test_a_typing_error_is_noted_and_changes_no_decision(home: Home, launcher: Launcher, chef_run: Program) -> None:
    home.use("[telmetry]\nenabled = false\n")
    assert launcher.status()["on"]
    assert noted(launcher) == {
        "setting": f"{home.config}: the section [telmetry] is not known; did you mean [telemetry]?"
    }


@pytest.mark.parametrize(
    ("config", "variables", "unknown"),
    [
        ("[telemetry]\nenable = false\n", {}, "know enable = false"),
        ("", {"DO_NOT_TRACK": "1"}, "know DO_NOT_TRACK"),
        ("telemetry = false\n", {}, "heed this setting"),
        ("[[telemetry]]\nenabled = false\n", {}, "heed this setting"),
        ("[telemetry]\nenabled = false\n", {"DO_NOT_TRACK": "1"}, None),
        ("[telemetry]\nenabled = false\n", {}, None),
        ("[telemetry]\nenable = false\n", {"CHEF_TELEMETRY_OPT_OUT": ""}, None),
        ("", {}, None),
    ],
)
def test_what_chef_run_itself_does_not_know_is_noted(
    home: Home, launcher: Launcher, chef_run: Program, config: str, variables: dict[str, str], unknown: str | None
) -> None:
    """It then goes on to write its own record."""
    home.use(config)
    home.env.update(variables)
    notes = noted(launcher)
    assert set(notes) == ({"chef_run_telemetry"} if unknown else set())
    assert unknown is None or f"chef-run itself does not {unknown}, and still writes" in str(notes)


def test_a_string_in_place_of_false_is_not_said_to_be_enable(home: Home, launcher: Launcher, chef_run: Program) -> None:
    home.use('[telemetry]\nenabled = "false"\n')
    assert "chef-run itself does not heed this setting, and still" in noted(launcher)["chef_run_telemetry"]


@pytest.mark.parametrize(
    ("version", "config", "is_noted"),
    [
        ("0.4.15", "[launcher]\nterminal = 'inherit'\n", True),
        ("0.2.9", "[telemetry]\nhosts = 'count'\n", True),
        ("0.4.16", "[launcher]\nterminal = 'inherit'\n", False),
        ("0.10.0", "[launcher]\nterminal = 'inherit'\n", False),
        ("0.4.15", "[telemetry]\ndev = true\n", False),
        ("0.4.15", "", False),
    ],
)
def test_a_chef_run_that_refuses_our_settings_is_noted(
    home: Home, launcher: Launcher, chef_run: Program, version: str, config: str, is_noted: bool
) -> None:
    """Its own script tells the version, as bundles of Chef Workstation have it."""
    chef_run.path.write_text(f'#!/opt/x/ruby\nrequire "rubygems"\ngem "chef-apply", "= {version}"\n')
    home.use(config)
    notes = noted(launcher)
    assert set(notes) == ({"chef_run_version"} if is_noted else set())
    assert not is_noted or notes["chef_run_version"].startswith(f"chef-run {version} may refuse to start")


def test_status_says_that_an_unknown_format_is_not_sent(stocked: Home, launcher: Launcher) -> None:
    stocked.config.write_text('[telemetry]\nformat = "otpl"\n')
    text = b" ".join(launcher.run("status").stdout.split())
    assert b"runs are recorded, but nothing is sent: the value of [telemetry] format is not known." in text

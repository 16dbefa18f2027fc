"""A home in which sessions wait."""

from __future__ import annotations

import pytest

from tests.support.homes import Home
from tests.support.programs import Program


@pytest.fixture
def waiting(home: Home, chef_run: Program) -> Home:
    """A home in which two sessions wait, with a chef-run that says nothing."""
    chef_run.path.write_text("#!/bin/sh\nexit 0\n")
    home.has_waiting("web01", "web02")
    return home

"""When the next attempt is made: backoff with full jitter, and what the server asks for."""

from __future__ import annotations

import time

import pytest

from launcher.delivery import schedule
from launcher.home.layout import NEXT_ATTEMPT
from launcher.home.layout import Home as Layout
from tests.support.homes import Home


@pytest.fixture
def layout(home: Home) -> Layout:
    home.use()
    return home.layout


def test_the_bound_of_the_delay_doubles_up_to_a_day() -> None:
    bounds = [schedule.delay_after(attempts, random=1.0) for attempts in range(1, 40)]
    assert bounds[:4] == [60, 120, 240, 480]
    assert max(bounds) == bounds[-1] == 24 * 3600


def test_the_delay_is_anything_between_nothing_and_its_bound() -> None:
    assert [schedule.delay_after(3, random=random) for random in (0.0, 0.25, 0.5)] == [0, 60, 120]


@pytest.mark.parametrize(("wish", "delay"), [(3600, 3600), (10, 30), (10**9, 24 * 3600)])
def test_the_servers_wish_prolongs_the_delay_up_to_a_day(wish: float, delay: float) -> None:
    assert schedule.delay_after(1, random=0.5, retry_after=wish) == delay


def test_an_attempt_counts_as_failed_until_it_has_ended(layout: Layout) -> None:
    schedule.begin(layout)
    schedule.begin(layout)
    failure = schedule.last_failure(layout)
    assert failure
    assert (failure.attempts, failure.message) == (2, "interrupted")
    schedule.fail(layout, "HTTP status 503")
    failure = schedule.last_failure(layout)
    assert failure
    assert (failure.attempts, failure.message) == (2, "HTTP status 503")
    schedule.clear(layout)
    assert schedule.last_failure(layout) is None
    assert schedule.is_due(layout)


def test_an_attempt_that_sent_something_is_the_first_failure(layout: Layout) -> None:
    for _ in range(5):
        schedule.begin(layout)
    schedule.fail(layout, "no answer in time", progress=True)
    failure = schedule.last_failure(layout)
    assert failure
    assert failure.attempts == 1
    assert failure.not_before < time.time() + schedule.FIRST_DELAY


@pytest.mark.parametrize("content", [b"", b"\xff", b"many HTTP", b"x" * 9999])
def test_a_state_that_cannot_be_read_is_one_failure(layout: Layout, content: bytes) -> None:
    layout.telemetry.create(NEXT_ATTEMPT, content)
    failure = schedule.last_failure(layout)
    assert failure
    assert failure.attempts == 1
    schedule.begin(layout)
    assert schedule.last_failure(layout)


def test_a_time_that_no_delay_reaches_is_not_told_as_the_next(stocked: Home) -> None:
    layout = stocked.layout
    layout.telemetry.create(NEXT_ATTEMPT, b"1 refused\n", modified=time.time() + 10 * schedule.MAX_DELAY)
    failure = schedule.last_failure(layout)
    assert failure is not None and failure.not_before <= time.time()
    assert schedule.is_due(layout)

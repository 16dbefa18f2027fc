#!/usr/bin/env python3
"""What a fleet of a million installations costs the collector, on a good day and after an outage.

Every twentieth of them is simulated, run by run, over twelve hours; the delays are those of launcher/schedule.py. Nine
of ten belong to people, who start chef-run twenty times in that time, whenever they like. One of ten is a machine that
starts it every ten minutes, within the first minute of them, as schedulers do. The collector is gone for four hours;
back again, it takes twice as many requests a second as ever came in one on a good day, and answers 503 to the rest.

Prints a table within a minute: .venv/bin/python scripts/simulate_fleet.py
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from launcher.delivery import encode, schedule
from launcher.home import spool
from launcher.reading.command_line import targets
from launcher.record import session

SAMPLE = 50_000
SCALE = 20  # installations that each simulated one stands for
HOUR = 3600
HOURS = 12
OUTAGE = range(3 * HOUR, 7 * HOUR)
PERSONS_RUNS = 20
MACHINES = 10  # one of so many is a machine
PERIOD = 600
EXCHANGE = 0.05  # seconds that a request takes on a connection that is there

Delay = Callable[[int, float, float], float]  # from failures in a row, chance, and what the collector asks for


class Figures(NamedTuple):
    """Of one simulated day, for the whole fleet."""

    requests: list[int]  # in each second, refused ones too
    attempts_in_outage: int
    refused: int  # with 503, after the outage
    caught_up: float | None  # seconds into the day until nine of ten that had piled up were delivered, if they were
    lost: int


class Installation:
    """One of the fleet: what waits there, and when it may try again."""

    __slots__ = ("failures", "not_before", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self.failures = 0
        self.not_before = 0.0


def at_once(failures: int, chance: float, asked_for: float) -> float:
    return 0


def without_jitter(failures: int, chance: float, asked_for: float) -> float:
    return schedule.delay_after(failures, 1, asked_for)


def main() -> None:
    runs = starts(random.Random(1))
    good = simulate(runs, schedule.delay_after)
    capacity = 2 * max(good.requests)
    size = request_size()
    total = sum(good.requests)
    print("a good day")
    print(f"  {total / 1e6:.1f} million requests of {size} bytes, {total * size / 1e9:.1f} GB in all")
    print(f"  {total / HOURS / HOUR:.0f} a second on average, {max(good.requests)} in the busiest second")
    print(f"\na day with an outage of {len(OUTAGE) // HOUR} hours, after which {capacity} a second are taken")
    print(f"  {'after a failure, it tries again':34}{'attempts':>10}{'busiest':>10}{'answers':>10}{'caught up':>11}")
    print(f"  {'':34}{'in outage':>10}{'second':>10}{'503':>10}{'after':>11}{'lost':>6}")
    table(runs, "with the next run", at_once, capacity)
    table(runs, "after a doubling delay", without_jitter, capacity)
    table(runs, "after a random part of it (ours)", schedule.delay_after, capacity)
    table(runs, "… and 503 says Retry-After: 3600", schedule.delay_after, capacity, asked_for=HOUR)


def table(runs: list[tuple[float, int]], name: str, delay: Delay, capacity: int, asked_for: float = 0) -> None:
    figures = simulate(runs, delay, OUTAGE, capacity, asked_for)
    minutes = f"{(figures.caught_up - OUTAGE.stop) / 60:.0f} min" if figures.caught_up else "not yet"
    print(
        f"  {name:34}{figures.attempts_in_outage / 1e6:8.2f} M{max(figures.requests):10}{figures.refused / 1e6:8.2f} M"
        f"{minutes:>11}{figures.lost:6}"
    )


def request_size() -> int:
    """Bytes of the request that carries a run against one host."""
    record = session.build(session.new_id(), {"os": "debian", "version": "12"}, targets(["web01", "a", "b"]), ["linux"])
    request = encode.encode([record], "chef", "2026-01-01")
    return len(encode.as_http(request, "https://telemetry.chef.io"))


def starts(chance: random.Random) -> list[tuple[float, int]]:
    """Who starts chef-run when, in order."""
    runs = []
    for each in range(SAMPLE):
        if each % MACHINES:
            runs += [(chance.uniform(0, HOURS * HOUR), each) for _ in range(PERSONS_RUNS)]
        else:
            runs += [(mark + chance.uniform(0, 60), each) for mark in range(0, HOURS * HOUR, PERIOD)]
    return sorted(runs)


def simulate(
    runs: list[tuple[float, int]],
    delay: Delay,
    outage: range = range(0),
    capacity: int | None = None,
    asked_for: float = 0,
) -> Figures:
    chance = random.Random(2)
    fleet = [Installation() for _ in range(SAMPLE)]
    requests = [0] * (HOURS * HOUR + HOUR)
    in_outage = refused = lost = piled_up = 0
    most, caught_up = 0, None
    for moment, each in runs:
        it = fleet[each]
        before = it.waiting
        if it.waiting and moment >= it.not_before:
            if int(moment) in outage:
                in_outage += 1
                sent, complete = 0, False
            else:
                sent, complete = deliver(it.waiting, moment, requests, capacity)
                refused += not complete
            it.waiting -= sent
            it.failures = 0 if complete else 1 if sent else it.failures + 1
            it.not_before = 0 if complete else moment + delay(it.failures, chance.random(), asked_for)
        if it.waiting < spool.MAX_WAITING:
            it.waiting += 1
        else:
            lost += 1
        piled_up += max(0, it.waiting - 1) - max(0, before - 1)
        most = max(most, piled_up)
        if caught_up is None and piled_up < most / 10 and moment > outage.stop:
            caught_up = moment
    return Figures([number * SCALE for number in requests], in_outage * SCALE, refused * SCALE, caught_up, lost * SCALE)


def deliver(waiting: int, moment: float, requests: list[int], capacity: int | None) -> tuple[int, bool]:
    """One attempt: how many sessions were taken, and whether all were."""
    for sent in range(waiting):
        second = int(moment + sent * EXCHANGE)
        requests[second] += 1
        if capacity is not None and requests[second] * SCALE > capacity:
            return sent, False
    return waiting, True


if __name__ == "__main__":
    main()

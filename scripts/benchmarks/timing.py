"""Timing commands: each in turn, in an order that is another each round."""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

assert sys.platform != "win32", "counts with what POSIX systems tell of a process"

Key = TypeVar("Key", bound=Hashable)


class Cost(NamedTuple):
    """What one run of a command takes."""

    seconds: float  # from its start until its output and the process itself have ended
    processor: float  # seconds of processor time, user and system, of the process and all that it has waited for


def through_pipe(command: list[str], env: Mapping[str, str]) -> Cost:
    """Run a command with a pipe for its standard output and standard error, and read that to its end."""
    return _run(command, env, *os.pipe())


def through_terminal(command: list[str], env: Mapping[str, str]) -> Cost:
    """Run a command with a terminal for its standard output and standard error, and read that to its end."""
    return _run(command, env, *os.openpty())


def _run(command: list[str], env: Mapping[str, str], ours: int, theirs: int) -> Cost:
    """Run a command that writes to `theirs`, and read from `ours`. A command that fails ends the bench."""
    files = [(os.POSIX_SPAWN_DUP2, theirs, number) for number in (1, 2)]
    started = time.perf_counter()
    process = os.posix_spawnp(command[0], command, env, file_actions=files)
    os.close(theirs)
    try:
        while os.read(ours, 1 << 16):
            pass
    except OSError:
        pass  # EIO: nobody holds the terminal any more
    _, status, usage = os.wait4(process, 0)
    taken = time.perf_counter() - started
    os.close(ours)
    if status:
        sys.exit(f"bench: {' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(taken, usage.ru_utime + usage.ru_stime)


def nothing() -> None:
    """Do nothing: all that there is to do before and after a run of many a case."""


class Case(NamedTuple):
    """A command to time, its environment variables, and what is to be done before and after each run, untimed."""

    command: list[str]
    env: Mapping[str, str]
    before: Callable[[], None] = nothing
    after: Callable[[], None] = nothing


def take_turns(
    cases: Mapping[Key, Case], rounds: int, run: Callable[[list[str], Mapping[str, str]], Cost] = through_pipe
) -> dict[Key, list[Cost]]:
    """Run each case once a round. Returns what each has cost, by round.

    What starts after half a second of nothing takes longer than what starts after a busy moment. So the order is
    another each round: no case always comes after the same one.
    """
    order = random.Random(0)
    costs: dict[Key, list[Cost]] = {key: [] for key in cases}
    for _ in range(rounds):
        for key in order.sample(list(cases), len(cases)):
            case = cases[key]
            case.before()
            costs[key].append(run(case.command, case.env))
            case.after()
    return costs


def median_seconds(costs: Sequence[Cost]) -> float:
    """How long a run takes."""
    return statistics.median(cost.seconds for cost in costs)


def median_processor(costs: Sequence[Cost]) -> float:
    """How many seconds of processor time a run takes."""
    return statistics.median(cost.processor for cost in costs)


def added_starts(costs: Sequence[Cost], alone: Sequence[Cost], start: float) -> list[float]:
    """What each run took longer than the child alone in the same round, in starts of `start` seconds."""
    return [(cost.seconds - child.seconds) / start for cost, child in zip(costs, alone)]


def own_milliseconds(costs: Sequence[Cost], alone: Sequence[Cost]) -> list[float]:
    """The processor time of each run, less that of the child alone in the same round."""
    return [(cost.processor - child.processor) * 1000 for cost, child in zip(costs, alone)]

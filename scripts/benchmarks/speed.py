"""How much longer a run takes with the launcher, and what processor time the launcher takes."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import homes, report, timing
from benchmarks.black_hole import black_hole, let_go, url
from benchmarks.budget import BUDGET
from benchmarks.starts import BARE, Start
from benchmarks.timing import Case, Cost
from benchmarks.workbench import ARGUMENTS, Workbench
from launcher.home.spool import MAX_WAITING

ROUNDS = 15
CHILDREN = (0.25, 0.5)  # seconds that chef-run takes: the quickest real ones do
A_DAYS_WORTH = 100  # sessions, of somebody whose collector is out of reach
TABLE = '[telemetry]\nenabled = true\nformat = "chef"\n'


class State(NamedTuple):
    """What a run finds."""

    name: str
    home: Path
    waiting: int = 0  # sessions
    endpoint: str = homes.NOWHERE
    starts_sender: bool = False
    opted_out: bool = False  # by an environment variable


class Subject(NamedTuple):
    """What is timed; for a bare interpreter and for chef-run alone there is no start, and no state."""

    child: float  # seconds; 0 for the bare interpreter
    start: str = ""
    state: str = ""


INTERPRETER = Subject(child=0)


def speed(workbench: Workbench) -> None:
    """Time each start of the launcher in each state of a HOME, around each child."""
    with black_hole() as listening:
        states = _states(workbench, url(listening))
        cases = {INTERPRETER: Case(BARE, homes.environment(workbench, states[0].home))}
        for child in CHILDREN:
            cases[Subject(child)] = Case(
                [str(workbench.chef_run), *ARGUMENTS], _environment(workbench, states[0], child)
            )
            for start in workbench.starts:
                for state in states:
                    subject = Subject(child, start.name, state.name)
                    cases[subject] = _case(workbench, start, state, child, listening)
        costs = timing.take_turns(cases, ROUNDS)
    _print_table(workbench.starts, states, costs)


def _states(workbench: Workbench, collector: str) -> list[State]:
    """The states, of which the first is that of most runs."""
    plain = homes.make(workbench, "plain")
    table = homes.make(workbench, "table", TABLE)
    some = homes.make(workbench, "some", waiting=A_DAYS_WORTH)
    full = homes.make(workbench, "full", waiting=MAX_WAITING)
    due = homes.make(workbench, "due", waiting=A_DAYS_WORTH, due=True)
    return [
        State("no config.toml", plain),
        State("[telemetry] in it", table),
        State(f"{A_DAYS_WORTH} sessions wait", some, A_DAYS_WORTH),
        State(f"{MAX_WAITING} wait", full, MAX_WAITING),
        State("a sender is started", due, A_DAYS_WORTH, collector, starts_sender=True),
        State("opted out", plain, opted_out=True),
    ]


def _environment(workbench: Workbench, state: State, child: float) -> dict[str, str]:
    """The environment variables of a run around a child of so many seconds."""
    more = {"CHEF_TELEMETRY_OPT_OUT": ""} if state.opted_out else {}
    milliseconds = str(round(child * 1000))
    return homes.environment(workbench, state.home, state.endpoint, MILLISECONDS=milliseconds, **more)


def _case(workbench: Workbench, start: Start, state: State, child: float, listening: socket.socket) -> Case:
    """A run in this state, which is made anew before each; a sender has ended before the next run."""

    def before() -> None:
        homes.reset(state.home, state.waiting, due=state.starts_sender)

    def after() -> None:
        if state.starts_sender:
            let_go(listening, state.home)

    return Case([*start.command, *ARGUMENTS], _environment(workbench, state, child), before, after)


def _print_table(starts: Sequence[Start], states: Sequence[State], costs: Mapping[Subject, Sequence[Cost]]) -> None:
    """Print a line for each start and state."""
    unit = timing.median_seconds(costs[INTERPRETER])
    print(f"added time, in starts of a bare interpreter (python -I -S -c pass), which took {unit * 1000:.1f} ms;")
    print("processor time of all that a run waits for, in ms, without chef-run's: no sender is waited for")
    children = [f"a child of {child} s" for child in CHILDREN]
    report.print_head(*children, f"CPU ms, at most {BUDGET.processor}")
    for start in starts:
        print(f"  {start.name}")
        for state in states:
            limit = BUDGET.opted_out if state.opted_out else start.limit
            report.print_row(f"  {state.name}", limit, *_cells(start, state, limit, unit, costs))


def _cells(start: Start, state: State, limit: float, unit: float, costs: Mapping[Subject, Sequence[Cost]]) -> list[str]:
    """The time added to each child, and the processor time of the runs of all children."""
    cells: list[str] = []
    own: list[float] = []
    for child in CHILDREN:
        mine, alone = costs[Subject(child, start.name, state.name)], costs[Subject(child)]
        cells.append(report.spread(timing.added_starts(mine, alone, unit), limit=limit))
        own += timing.own_milliseconds(mine, alone)
    return [*cells, report.spread_milliseconds(own, BUDGET.processor)]

"""How fast output passes, and what each GB of it costs in processor time beyond writing and reading it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from benchmarks import homes, timing
from benchmarks.starts import PACKAGE, PYTHON
from benchmarks.timing import Case, Cost
from benchmarks.workbench import ARGUMENTS, PROGRAMS, Workbench, compiled, tool

ROUNDS = 9
PIPE, TERMINAL = "pipe", "terminal"
PLAIN, IN_C, OBSERVED, UNOBSERVED = "the plain program", "copied in C", "our relay", "our relay, unobserved"

Commands = Mapping[str, "list[str] | None"]  # by what they are; absent if what they need is not installed


class Flood(NamedTuple):
    """Lines of output, and what they go through: so many that the start, which has rows of its own, does not count."""

    kind: str  # PIPE or TERMINAL
    megabytes: int


FLOODS = (Flood(PIPE, 512), Flood(TERMINAL, 18))


def relay(workbench: Workbench) -> None:
    """Let floods of output through the launcher, through its relay alone, and through others."""
    copy = compiled(workbench.directory, "copy")
    for flood in FLOODS:
        home = homes.make(workbench, f"relay-{flood.kind}")
        env = homes.environment(workbench, home, MEGABYTES=str(flood.megabytes))
        commands = _commands(workbench, flood, [str(copy)] if copy else None)
        cases = {name: Case(command, env) for name, command in commands.items() if command}
        through = timing.through_terminal if flood.kind == TERMINAL else timing.through_pipe
        costs = timing.take_turns(cases, ROUNDS, through)
        _print_table(flood, commands, costs)


def _commands(workbench: Workbench, flood: Flood, copy: list[str] | None) -> Commands:
    """What the output goes through, by name, in the order of the table."""
    child = str(workbench.chef_run)
    driver = [*PYTHON, str(PROGRAMS / "relay_driver.py"), str(PACKAGE.parent)]
    commands = {
        PLAIN: [child],
        IN_C: [*copy, flood.kind, child] if copy else None,
        "the launcher": [*workbench.starts[0].command, *ARGUMENTS],
        OBSERVED: [*driver, "observed", child],
        UNOBSERVED: [*driver, "unobserved", child],
    }
    if flood.kind == TERMINAL:
        commands["script -qefc"] = tool("script", "-qefc", child, os.devnull)
    return commands


def _print_table(flood: Flood, commands: Commands, costs: Mapping[str, Sequence[Cost]]) -> None:
    """Print the rate, its share of the rate in C, and the processor time beyond that of the plain program."""
    print(f"\n{flood.megabytes} MB of lines through a {flood.kind}")
    print(f"  {'':30} {'MB/s':>6} {'of C':>6} {'CPU s/GB':>10}")
    rates = {name: flood.megabytes / timing.median_seconds(each) for name, each in costs.items()}
    burdens = {name: timing.median_processor(each) * 1024 / flood.megabytes for name, each in costs.items()}
    for name in commands:
        if name not in costs:
            print(f"  {name:30} {'no C compiler' if name == IN_C else 'not installed'}")
            continue
        share = f"{rates[name] / rates[IN_C]:.2f}" if IN_C in rates else "-"
        print(f"  {name:30} {rates[name]:6.0f} {share:>6} {burdens[name] - burdens[PLAIN]:10.2f}")
    observing = max(0.0, burdens[OBSERVED] - burdens[UNOBSERVED]) / (burdens[OBSERVED] - burdens[PLAIN])
    print(f"  the observer's share of the relay's processor time: {observing:.0%}")

"""The memory that a run of the launcher takes."""

from __future__ import annotations

import statistics

from benchmarks import homes, report
from benchmarks.budget import BUDGET
from benchmarks.peak import peak
from benchmarks.starts import BARE
from benchmarks.workbench import ARGUMENTS, Workbench

ROUNDS = 5


def memory(workbench: Workbench) -> None:
    """Measure the peak of each start of the launcher above that of a bare interpreter."""
    env = homes.environment(workbench, homes.make(workbench, "memory"), MILLISECONDS="250")
    bare = statistics.median(peak(BARE, env) for _ in range(ROUNDS))
    print(f"\npeak memory, in MiB above that of a bare interpreter, which has {bare:.1f}")
    report.print_head()
    for start in workbench.starts:
        above = [peak([*start.command, *ARGUMENTS], env) - bare for _ in range(ROUNDS)]
        report.print_row(start.name, BUDGET.memory, report.spread(above, limit=BUDGET.memory))

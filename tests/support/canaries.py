"""Command lines in which every word that somebody chose is a canary: a word that must never be seen elsewhere."""

from __future__ import annotations

import itertools
import random

MARK = "cnry"


def command_line(chosen: random.Random, canaries: itertools.count[int]) -> list[str]:
    """A command line in which every word that somebody chose is a canary."""

    def canary() -> str:
        return f"{MARK}{next(canaries):05}"

    host = f"{chosen.choice(['', 'freebsd', 'refused', 'broken', 'win', 'rocky'])}{canary()}"
    target = chosen.choice(
        [
            "{host}",
            "{user}@{host}",
            "{user}:{password}@{host}:2222",
            "ssh://{user}:{password}@{host}",
            "{host}[1:3],{other}",
        ]
    ).format(host=host, user=canary(), password=canary(), other=canary())
    options = chosen.choice(
        [
            [],
            ["--user", canary()],
            [f"--password={canary()}"],
            ["--sudo-password", canary()],
            ["-p", "winrm"],
            ["-p", canary()],
        ]
    )
    recipe = chosen.choice([["user", canary(), f"comment={canary()}"], [f"/tmp/{canary()}/recipe.rb"], [canary()], []])
    return [*options, target, *recipe]

"""Two hundred launches at once, against a server that fails at random."""

from __future__ import annotations

import random
from collections import defaultdict

from launcher.delivery import attempt
from tests.support.homes import Home
from tests.support.processes import wait_for_no_sender
from tests.support.programs import Launcher, Program
from tests.support.servers import Answer, Collector, Request

LAUNCHES = 200
STORED = 60
ACKNOWLEDGED, LOST, REFUSED = "acknowledged", "acknowledgement lost", "refused"
ANSWERS = {
    ACKNOWLEDGED: [Answer(), Answer(status=200, body=b"")],
    LOST: [Answer(reset=True), Answer(cut=True)],
    REFUSED: [Answer(status=503), Answer(status=429), Answer(status=500), Answer(status=200, body=b"<html>")],
}


def test_every_session_arrives_and_twice_only_where_it_must(
    home: Home, launcher: Launcher, chef_run: Program, plain_collector: Collector
) -> None:
    """Where the server had it, and its answer was lost."""
    chance = random.Random(5)
    history: dict[str, list[str]] = defaultdict(list)

    def answer(request: Request) -> Answer:
        kind = chance.choices([ACKNOWLEDGED, LOST, REFUSED], [6, 2, 2])[0]
        history[request.session_id].append(kind)
        return chance.choice(ANSWERS[kind])

    plain_collector.otherwise = answer
    chef_run.path.write_text("#!/bin/sh\nexit 7\n")
    stored = set(home.has_waiting(*(f"db{number}" for number in range(STORED))))
    runs = [launcher.start("exec", f"web{number}", "a", "b") for number in range(LAUNCHES)]
    assert {run.communicate() for run in runs} == {(b"", b"")}
    assert {run.returncode for run in runs} == {7}
    wait_for_no_sender(home)
    assert history
    expected = stored | ids(home) | set(history)
    assert len(expected) == STORED + LAUNCHES

    for _ in range(10 * len(expected)):
        if attempt.flush(home.env, lambda session_id, outcome: None).problem is None:
            break
    assert home.sessions() == []
    assert set(history) == expected
    for kinds in history.values():
        assert kinds.count(ACKNOWLEDGED) == 1
        assert kinds[-1] == ACKNOWLEDGED
    assert sorted(receipt["session"] for receipt in home.receipts()) == sorted(expected)


def ids(home: Home) -> set[str]:
    return {path.name.removeprefix("session-").removesuffix(".json") for path in home.sessions()}

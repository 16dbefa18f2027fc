"""What must hold whatever was done to the launcher. Each yields what it has found against it, in a line of text."""

from __future__ import annotations

import json
import signal
import stat
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from launcher.delivery import attempt
from launcher.record import session, uuids
from tests.campaign.world import OUTSIDE, PATIENCE, Outcome, Run, World, send, targets
from tests.support.canaries import MARK
from tests.support.processes import proc, state
from tests.support.servers import Answer

LEAVE_TAKING = 0.8  # seconds in which a process that is about to end may be seen still
LOOKS = 4  # in a row that see nobody: between two of them each process may have started the next one, and ended


def findings(world: World) -> list[str]:
    """All that is wrong with the world now. Waits for what may still be going on in it, and ends what it finds then."""
    found = [finding for invariant in AT_THE_END for finding in invariant(world)]
    world.repair()
    return [*found, *(finding for invariant in WHEN_REPAIRED for finding in invariant(world)), *world.findings]


def every_run_ends(world: World) -> Iterator[str]:
    """The runs themselves, and so what is seen of them is all there."""
    until = time.monotonic() + PATIENCE
    for run in world.runs:
        if not run.wait(max(0.0, until - time.monotonic())):
            tree = ", ".join(f"{role} {state(pid)}" for pid, role in world.processes().items())
            yield f"a run has not ended after {PATIENCE:.0f} s ({tree}) {_name(run)}"
            world.records = False
            run.process.kill()
            run.wait(5)


def no_process_is_left(world: World) -> Iterator[str]:
    """None of ours, after a while; and meanwhile none shows what was on a command line."""
    began = time.monotonic()
    showing, empty = set(), 0
    while empty < LOOKS and time.monotonic() - began < PATIENCE:
        left = world.ours()
        if time.monotonic() - began > LEAVE_TAKING:
            showing |= {role for pid, role in left.items() if MARK in proc(pid, "cmdline")}
        empty = 0 if left else empty + 1
        time.sleep(0.02)
    for role in sorted(showing):
        yield f"after the run, a process shows the command line: {role}"
    for pid, role in world.ours().items():
        yield f"a process is left after {PATIENCE:.0f} s: {role}, {state(pid)}"
        send(pid, signal.SIGKILL)


def what_is_seen_is_chef_runs_own(world: World) -> Iterator[str]:
    """Exit code and output, of the runs of which that is known; nothing of ours but the notice, of any."""
    for run in world.runs:
        seen = run.outcome(PATIENCE)
        if seen is None:
            yield f"the output of a run has not ended after {PATIENCE:.0f} s {_name(run)}"
        elif b"Traceback" in seen.errors and not run.struck and not run.expected:
            yield f"a run shows a traceback {_name(run)}"
        elif run.expected and not run.struck:
            yield from _differences(run, run.expected, seen)


def _differences(run: Run, expected: Outcome, seen: Outcome) -> Iterator[str]:
    if seen.code != expected.code:
        yield f"exit code {seen.code}, and {expected.code} without the launcher {_name(run)}"
    for what, one, other in (("output", seen.output, expected.output), ("errors", seen.errors, expected.errors)):
        # What README says of raw mode: a carriage return more, which changes nothing on the screen.
        if run.on_a_terminal:
            one, other = one.replace(b"\r", b""), other.replace(b"\r", b"")
        if one != other:
            at = next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))
            sizes = f"of {len(one)} bytes, and of {len(other)} without the launcher"
            yield f"{what} {sizes}, another from {at} on {_name(run)}"


def the_terminal_is_as_before(world: World) -> Iterator[str]:
    """Or as chef-run leaves it without the launcher."""
    for run in world.runs:
        if run.on_a_terminal:
            wanted = run.expected.settings if run.expected else run.before
            if run.settings() != wanted:
                yield f"the terminal has other settings than before {_name(run)}"


def nothing_outside_is_touched(world: World) -> Iterator[str]:
    """Around ~/.chef-workstation, and somebody else's in it: to the byte, with owners, modes and times."""
    now = world.look()
    for path in sorted(world.surroundings.keys() | now.keys()):
        before, after = world.surroundings.get(path), now.get(path)
        if before != after and not _is_bait(path):
            what = "has appeared" if not before else "is gone" if not after else "has changed"
            yield f"outside: {path.removeprefix(str(world.folder))} {what}"


def _is_bait(path: str) -> bool:
    return Path(path).name.startswith("notes-bait-")


def no_file_is_torn(world: World) -> Iterator[str]:
    """Each session is whole, and so are the receipts and the installation id."""
    for path in world.stored():
        try:
            session.from_bytes(path.read_bytes())
        except session.InvalidSession as error:
            yield f"torn: a session in {path.parent.name}/ of {path.stat().st_size} bytes: {error}"
    receipts = world.home.telemetry / "receipts.jsonl"
    if _is_file(receipts):
        for line in receipts.read_bytes().splitlines():
            try:
                json.loads(line)["session"]
            except (ValueError, LookupError, TypeError):
                yield f"torn: a receipt of {len(line)} bytes, {line[:20]!r}"
                break
    id = world.home.installation_id
    if _is_file(id) and not uuids.is_uuid(id.read_text("latin-1")):
        yield f"torn: the installation id, {id.stat().st_size} bytes"


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def what_waits_can_be_delivered(world: World) -> Iterator[str]:
    """To a server that takes all."""
    world.answer_with(lambda request: Answer())
    try:
        problem = attempt.flush(world.env, lambda session_id, outcome: None).problem
    except OSError as error:
        problem = f"{error.strerror}"
    if problem:
        yield f"a flush does not deliver: {problem}"
    if left := sum(path.parent == world.home.telemetry for path in world.stored()):
        yield f"after a flush, {left} sessions wait still"


def every_session_waits_is_delivered_or_counted(world: World) -> Iterator[str]:
    """Of the runs that were not cut short by us, and of those before them."""
    delivered = {request.session_id: request for request, answer in world.answered if _may_have_arrived(answer)}
    stored = {path.stem.removeprefix("session-"): path for path in world.stored()}
    if lost := world.promised - delivered.keys() - stored.keys():
        counted = world.counted()
        if len(lost) > counted:
            yield f"lost: {len(lost)} sessions that waited; {counted} are counted ({_answers(world, lost)})"
        return
    sums = [_sums(request.body) for request in delivered.values()]
    sums += [_sums(path.read_bytes()) for path in stored.values()]
    there = {each for targets in sums for each in targets}
    without_targets = sum(not targets for targets in sums)
    runs = world.required()
    missing = [run for run in runs if targets(run) and targets(run)[0] not in there]
    nameless = [run for run in runs if not targets(run)]
    number = len(missing) + max(0, len(nameless) - without_targets)
    if number and number > (counted := world.counted()):
        first = missing[0] if missing else nameless[0]
        yield f"lost: {number} runs are not recorded; {counted} are counted. One is {_name(first)}"


def _answers(world: World, ids: set[str]) -> str:
    given = [answer for request, answer in world.answered if request.session_id in ids]
    return ", ".join(f"answered {answer.status} {answer.body[:30]!r}" for answer in given) or "never sent"


def _may_have_arrived(answer: Answer) -> bool:
    """Whether the sender may take it for delivered."""
    return 200 <= answer.status < 300 and b"<" not in answer.body[:10]


def none_is_delivered_under_two_ids(world: World) -> Iterator[str]:
    """A session may arrive twice, and then with the same id; and none arrives that was not stored by us."""
    ids: dict[str, set[str]] = defaultdict(set)
    bodies = [request.body for request, _ in world.answered] + [path.read_bytes() for path in world.stored()]
    for body in bodies:
        for each in _sums(body)[:1]:
            ids[each].add(_id(body))
    for several in ids.values():
        if len(several) > 1:
            yield f"one run under {len(several)} ids"
    if any(request.session_id in OUTSIDE for request in world.server.requests):
        yield "a session was sent that lies outside"


def no_canary_is_kept_or_sent(world: World) -> Iterator[str]:
    """No word of a command line: in a file of ours or its name, in a request, or in what we print."""
    mark = MARK.encode()
    for path in sorted(world.folder.rglob("*")):
        if not _is_chef_runs(path, world):
            if mark in bytes(path.relative_to(world.folder)):
                yield f"canary: in the name {path.name}"
            if _is_file(path) and mark in path.read_bytes():
                yield f"canary: in {path.relative_to(world.folder)}"
    if any(mark in request.head + request.body for request in world.server.requests):
        yield "canary: in a request"
    if any(mark in said for said in world.said):
        yield "canary: in what a command prints"


def _is_chef_runs(path: Path, world: World) -> bool:
    """Whether chef-run itself has made it."""
    inside = path.is_relative_to(world.home.logs) or path.is_relative_to(world.folder / "real")
    return inside or path.name.startswith("telemetry-payload-")


def _sums(body: bytes) -> list[str]:
    """Of the hosts in a session, on disk or on its way; none if it is torn."""
    try:
        record = json.loads(body)
    except ValueError:
        return []
    properties = record["payload"]["properties"] if "payload" in record else record
    return [target["hostname_sha256"] for target in properties["targets"] if "hostname_sha256" in target]


def _id(body: bytes) -> str:
    record = json.loads(body)
    return str(record["session_id"] if "session_id" in record else record["id"])


def _name(run: Run) -> str:
    """What it was, and how it has ended."""
    struck = "+".join(signal.Signals(number).name for number in sorted(run.struck))
    where = "terminal" if run.on_a_terminal else "pipes"
    parts = [where, f"ended {run.process.returncode}", struck and f"struck by {struck}", run.note]
    return f"[{', '.join(part for part in parts if part)}]"


Invariant = Callable[[World], Iterator[str]]

# In this order: they wait for what is going on.
AT_THE_END: list[Invariant] = [
    every_run_ends,
    no_process_is_left,
    what_is_seen_is_chef_runs_own,
    the_terminal_is_as_before,
    nothing_outside_is_touched,
]
# In this order: what waits is delivered before it is counted.
WHEN_REPAIRED: list[Invariant] = [
    no_file_is_torn,
    what_waits_can_be_delivered,
    every_session_waits_is_delivered_or_counted,
    none_is_delivered_under_two_ids,
    no_canary_is_kept_or_sent,
]

"""What is done to the launcher, one function each: from a world and what chance gives it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, NamedTuple

from tests.campaign.world import (
    CHEF_RUN,
    CHILD,
    EXCHANGER,
    LAUNCHER,
    NOBODY,
    QUIET,
    RELAY,
    ROLES,
    SENDER,
    World,
    send,
)
from tests.support.processes import state
from tests.support.programs import ISOLATED
from tests.support.servers import Answer
from tests.support.waiting import wait_until

Attack = Callable[[World, random.Random], None]

DEADLY = ("SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGPIPE", "SIGSEGV", "SIGALRM")
STOPS = ("SIGSTOP", "SIGTSTP", "SIGTTIN")
LONGEST_STOP = 0.1  # seconds
GROUP = "group"
JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}
TAKEN = Answer()
ANSWERS = {
    "reset": Answer(reset=True),
    "cut": Answer(cut=True),
    "huge": Answer(body=b"x" * (4 << 20)),
    "huge refusal": Answer(status=500, body=b"x" * (4 << 20)),
    "web page": Answer(status=200, body=b"<html>sign in</html>", headers=HTML),
    "web page by another name": Answer(status=200, body=b"\xef\xbb\xbf  <!DOCTYPE html>", headers=JSON),
    "redirect": Answer(status=302, headers={"Location": "http://127.0.0.1:9/", **JSON}),
    "redirect that repeats": Answer(status=308, headers={"Location": "/events", **JSON}),
    "refusal": Answer(status=400, body=b'{"error": "no"}'),
    "500": Answer(status=500),
    "503": Answer(status=503, headers={"Retry-After": "99999999999999999999", **JSON}),
    "429": Answer(status=429, headers={"Retry-After": "Thu, 99 Nop 9999 99:99:99 GMT", **JSON}),
    "headers without end": Answer(headers={f"X-{number}": "x" * 200 for number in range(2000)}),
    "length that is a lie": Answer(headers={"Content-Length": "99999999", **JSON}, delay=0.1),
    "no number for a length": Answer(headers={"Content-Length": "-1", **JSON}),
    "compressed, as it says": Answer(body=b"\x1f\x8b\x08nothing", headers={"Content-Encoding": "gzip", **JSON}),
    "no status": Answer(status=0),
}
SLOW = {
    "one byte at a time": Answer(body=b"x" * 4000, drip=0.02),
    "one byte at a time, without end": Answer(body=b"x" * 4000, drip=1),
    "never": Answer(silent=True),
}


def kills(world: World, chance: random.Random) -> None:
    """Any process of a few runs, or a group of them, is killed or ended, at any moment."""
    _strike_runs(world, chance, DEADLY)


def stops(world: World, chance: random.Random) -> None:
    """Any of them is stopped, and goes on later: what stops along with it, goes on along with it."""
    _strike_runs(world, chance, STOPS)


def short_stops(world: World, chance: random.Random) -> None:
    """A run, or all of its group, is stopped and told to go on at once: then it goes on, as chef-run alone would."""
    world.set_up(0)
    world.use("#!/bin/sh\nexec sleep 20\n")
    run = world.start(*world.command_line(chance), tty=chance.random() < 0.3)
    wait_until(lambda: CHEF_RUN in world.processes().values(), "chef-run has begun")
    chef_run = next(pid for pid, role in world.processes().items() if role == CHEF_RUN)
    for _ in range(40):
        whom, name, length = (
            chance.choice([run.pid, run.pid, -run.pid, chef_run]),
            chance.choice(STOPS),
            chance.random(),
        )
        send(whom, getattr(signal, name))
        time.sleep(length**2 * 0.004)
        send(whom, signal.SIGCONT)
        if not _goes_on(run.pid, chef_run):
            who = {run.pid: "the launcher", -run.pid: "the group", chef_run: "chef-run"}[whom]
            states = f"launcher {state(run.pid)}, chef-run {state(chef_run)}"
            world.findings.append(f"{name} to {who}, and SIGCONT {length**2 * 4:.1f} ms later: {states}")
            break
    world.continue_all()
    send(chef_run, signal.SIGKILL)


def _goes_on(*processes: int) -> bool:
    """Whether none of these is stopped, within 3 seconds."""
    until = time.monotonic() + 3
    while "T" in map(state, processes):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def kills_and_stops(world: World, chance: random.Random) -> None:
    """Both, and in the end all that is stopped goes on."""
    _strike_runs(world, chance, DEADLY + STOPS)


def _strike_runs(world: World, chance: random.Random, signals: tuple[str, ...]) -> None:
    world.set_up(chance.randint(0, 6))
    slowly = Answer(delay=chance.choice([0, 0, 0.2]))
    world.answer_with(lambda request: slowly)
    if chance.random() < 0.3:
        world.use(CHILD)
        world.env["CAMPAIGN_DEEDS"] = chance.choice(["hold 2;flood 1 900", "leave 2;lie 1", "close 0 3;hold 0.3"])
    world.env["STAND_IN_SECONDS"] = str(chance.choice([0, 0.1, 0.4]))
    strikes = [_Strike.by_chance(chance, signals) for _ in range(chance.randint(1, 12))]
    for _ in range(chance.randint(1, 4)):
        world.start(*world.command_line(chance), tty=chance.random() < 0.4)
    stopped: dict[int, float] = {}
    for strike in strikes:
        time.sleep(strike.pause)
        if (pid := strike.hit(world)) and strike.number in [getattr(signal, name) for name in STOPS]:
            stopped[pid] = time.monotonic()
        for pid in [pid for pid, since in stopped.items() if time.monotonic() - since > LONGEST_STOP]:
            send(pid, signal.SIGCONT)
            del stopped[pid]
    for pid in stopped:
        send(pid, signal.SIGCONT)
    if signals != STOPS:  # who was to wake another may have been killed
        _until_ended(world, world.continue_all)


def kills_on_cue(world: World, chance: random.Random) -> None:
    """A process is killed right after the start of chef-run, or after its end, when the record is being kept."""
    world.set_up(chance.randint(0, 4))
    cue = world.folder / "cue"
    os.mkfifo(cue)
    world.use(f'#!/bin/sh\nread word <"{cue}"\nexit 7\n')
    for _ in range(8):
        role, at_the_end = chance.choice([LAUNCHER, LAUNCHER, LAUNCHER, RELAY, SENDER]), chance.random() < 0.8
        pause = chance.choice([None, chance.random() ** 2 * 0.03])
        run = world.start(*world.command_line(chance))
        writer = os.open(cue, os.O_WRONLY)  # waits until chef-run reads
        targets = [pid for pid, its in world.processes().items() if its == role]
        if at_the_end:
            os.close(writer)  # which ends chef-run
        if pause is None:
            _wait_for_a_new_name(world.home.telemetry)
        else:
            time.sleep(pause)
        for pid in targets:
            run.struck |= {signal.SIGKILL} if pid == run.pid else set()
            send(pid, signal.SIGKILL)
        if not at_the_end:
            os.close(writer)
        run.wait(10)


def _wait_for_a_new_name(folder: Path) -> None:
    """Return the moment that a file appears there, or goes; or after a while."""
    names, until = os.listdir(folder), time.monotonic() + 0.2
    while os.listdir(folder) == names and time.monotonic() < until:
        pass


class _Strike(NamedTuple):
    """A signal for one process, or for all the processes of a run."""

    pause: float  # seconds before it
    role: str
    which: float  # of the processes that have this role, from the first to the last
    number: int

    @staticmethod
    def by_chance(chance: random.Random, signals: Sequence[str]) -> _Strike:
        number = int(getattr(signal, chance.choice(signals)))
        return _Strike(chance.uniform(0, 0.12), chance.choice((*ROLES, GROUP)), chance.random(), number)

    def hit(self, world: World) -> int | None:
        """Send it, if there is such a process now: a process's id, or a group's with the sign that kill wants."""
        role = LAUNCHER if self.role == GROUP else self.role
        candidates = sorted(pid for pid, its in world.processes().items() if its == role)
        if not candidates:
            return None
        pid = candidates[int(self.which * len(candidates))]
        for run in world.runs:
            if run.pid == pid:
                run.struck.add(self.number)
        found = -pid if self.role == GROUP else pid
        send(found, self.number)
        return found


def _until_ended(world: World, do: Callable[[], None], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while any(run.process.poll() is None for run in world.runs) and time.monotonic() < until:
        do()
        time.sleep(0.02)


def exchanges(world: World, chance: random.Random) -> None:
    """Another user exchanges files and folders in ~/.chef-workstation, or it itself, while runs and flushes go on."""
    world.set_up(chance.randint(2, 6))
    world.records = False  # who can reach the folder can take away what lies in it
    world.use(CHILD)  # which, as chef-run does not, looks where it writes
    world.env["CAMPAIGN_DEEDS"] = chance.choice(["leave 0", "payload ours"])
    with _other_user(world, chance):
        for _ in range(chance.randint(3, 6)):
            for _ in range(chance.randint(1, 3)):
                world.start(*world.command_line(chance))
            if chance.random() < 0.7:
                world.manage("flush")
            if chance.random() < 0.2:
                world.manage(chance.choice(["status", "show", "doctor"]))
        _until_ended(world, lambda: None)


@contextmanager
def _other_user(world: World, chance: random.Random) -> Iterator[None]:
    """Somebody exchanges files meanwhile: nobody, whom the folder lets in or belongs to; the same user if not root."""
    whose = chance.choice(["open", "open", "theirs", "their telemetry", "open above"])
    within = {
        "open": world.home.workstation,
        "theirs": world.home.workstation,
        "their telemetry": world.home.workstation,
        "open above": world.home.path,
    }[whose]
    user = os.geteuid()
    if user == 0:
        user = NOBODY
        for folder in (world.home.workstation, world.home.telemetry):
            folder.chmod(0o777)
            if whose == "theirs" or (whose == "their telemetry" and folder == world.home.telemetry):
                os.chown(folder, NOBODY, NOBODY)
        if whose == "open above":
            world.home.path.chmod(0o777)
    seed = str(chance.random())
    command = [*ISOLATED, str(EXCHANGER), str(user), seed, str(within), str(world.outside)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}) as other:
        assert other.stdin and other.stdout
        other.stdout.readline()
        try:
            yield
        finally:
            other.stdin.close()
            other.wait(10)


def disks(world: World, chance: random.Random) -> None:
    """The disk has room for little, of bytes or of files, and somebody fills it and makes room again."""
    world.mount(size=chance.choice([64, 128, 512]), inodes=chance.choice([24, 32, 64]))
    world.set_up(chance.randint(0, 4))
    world.use(QUIET)
    filler = world.home.workstation / "cache"
    filler.mkdir()
    world.on_repair(lambda: _empty(filler))
    for _ in range(chance.randint(2, 6)):
        fill, left, pause = chance.choice([_fill_files, _fill_bytes]), chance.choice([0, 0, 1, 2, 3]), chance.random()
        if at_once := chance.random() < 0.5:
            fill(filler, left)
        runs = [world.start(*world.command_line(chance)) for _ in range(chance.randint(1, 4))]
        if not at_once:
            time.sleep(pause * 0.15)
            fill(filler, left)
        if chance.random() < 0.3:
            world.manage("flush")
        _until_ended(world, lambda: None)
        world.look_for_an_obstacle(len(runs))
        if chance.random() < 0.6:
            _empty(filler)


def _fill_bytes(folder: Path, left: int) -> None:
    """Fill the disk, but for so many pages."""
    try:
        with open(folder / "bytes", "ab", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
    except OSError:
        pass
    if (folder / "bytes").exists():
        size = (folder / "bytes").stat().st_size
        os.truncate(folder / "bytes", max(0, (size // 4096 - left) * 4096))


def _fill_files(folder: Path, left: int) -> None:
    """Leave room for so many files."""
    made = []
    try:
        for number in range(1000):
            (folder / f"file{number}").touch()
            made.append(folder / f"file{number}")
    except OSError:
        pass
    for path in made[len(made) - left :] if left else []:
        path.unlink()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def crowd(world: World, chance: random.Random) -> None:
    """Fifty commands at once, most of them chef-run, against a server that fails at random."""
    world.set_up(chance.randint(0, 30))
    _answer_by_chance(world, chance, [TAKEN, TAKEN, TAKEN, *_of("reset", "cut", "500", "web page", "huge")])
    if chance.random() < 0.5:
        world.use(QUIET)
    others = [chance.choice(["flush", "flush", "status", "show", "doctor"]) for _ in range(chance.randint(0, 8))]
    for _ in range(50 - len(others)):
        world.start(*world.command_line(chance))
    for word in others:
        world.manage(word)
    _until_ended(world, lambda: None)


def servers(world: World, chance: random.Random) -> None:
    """The server answers what no server should, and at once."""
    world.set_up(chance.randint(1, 4))
    world.use(QUIET)
    _answer_by_chance(world, chance, [TAKEN, *ANSWERS.values()])
    for _ in range(chance.randint(2, 5)):
        world.start(*world.command_line(chance))
        _until_ended(world, lambda: None)
        if chance.random() < 0.5:
            world.manage("flush")
        else:  # so that the next run tries again
            (world.home.telemetry / ".next-attempt").unlink(missing_ok=True)


def silence(world: World, chance: random.Random) -> None:
    """The server takes its time, or never answers. No run waits for it."""
    world.set_up(chance.randint(1, 3))
    late = Answer(delay=chance.uniform(0.2, 20))
    given = chance.choice([late, late, *SLOW.values()])
    world.answer_with(lambda request: given)
    run = world.start(*world.command_line(chance))
    if not run.wait(10):
        world.findings.append("a run waits for the server")


def _answer_by_chance(world: World, chance: random.Random, answers: list[Answer]) -> None:
    """Whichever request is the first to come, it gets the first of the answers that chance has drawn."""
    drawn = [chance.choice(answers) for _ in range(1000)]
    world.answer_with(lambda request: drawn.pop() if drawn else TAKEN)


def _of(*names: str) -> list[Answer]:
    return [ANSWERS[name] for name in names]


def purges(world: World, chance: random.Random) -> None:
    """What is kept is removed, by a command and by hand, while runs keep more and send it."""
    world.set_up(chance.randint(0, 6))
    world.promised, world.records = set(), False
    world.use(QUIET)
    for _ in range(chance.randint(2, 5)):
        for _ in range(chance.randint(1, 4)):
            world.start(*world.command_line(chance))
        time.sleep(chance.uniform(0, 0.1))
        if chance.random() < 0.6:
            done = world.manage("purge", "--yes", *chance.choice([[], [], ["--reset-id"]]))
            if done.returncode != 0:
                world.findings.append(f"purge ends with {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")
        else:
            for path in world.home.telemetry.glob(chance.choice(["session-*-*-*-*-*", ".[!n]*", "rec*", "rej*"])):
                if path.is_file():
                    path.unlink(missing_ok=True)
    _until_ended(world, lambda: None)


def opt_outs(world: World, chance: random.Random) -> None:
    """Telemetry is turned off amid runs and a delivery: from then on nothing is sent, and soon nothing is there."""
    world.set_up(chance.randint(1, 8))
    world.promised, world.records = set(), False
    world.use(QUIET)
    slowly = Answer(delay=chance.choice([0, 0.05, 0.3]))
    world.answer_with(lambda request: slowly)
    for _ in range(chance.randint(1, 5)):
        world.start(*world.command_line(chance))
    time.sleep(chance.uniform(0, 0.3))
    world.manage("disable")
    _until_ended(world, lambda: None)
    time.sleep(slowly.delay)  # for what was on its way
    sent = len(world.server.requests)
    for _ in range(chance.randint(1, 3)):
        world.start(*world.command_line(chance), env=chance.choice([{}, {}, {"DO_NOT_TRACK": "1"}]))
    world.start("-v")
    _until_ended(world, lambda: None)
    if len(world.server.requests) > sent:
        world.findings.append("something is sent although telemetry is off")
    if world.stored():
        world.findings.append("sessions are kept although telemetry is off")
    world.manage("enable")


def children(world: World, chance: random.Random) -> None:
    """chef-run does what no program should. All that is seen of it is as it is without the launcher."""
    world.set_up(chance.randint(0, 2))
    world.use(CHILD)
    for _ in range(chance.randint(1, 3)):
        deeds = ";".join(_deed(chance) for _ in range(chance.randint(1, 4)))
        tty, reads = chance.random() < 0.5, None
        if chance.random() < 0.2:  # its reader leaves amid far more than all pipes together hold
            tty, deeds, reads = False, "lie 1;flood 1 3000", chance.randint(1, 300_000)
        below = PARENT if "parent" in deeds else ()
        env = {"CAMPAIGN_DEEDS": deeds, "CAMPAIGN_OUTSIDE": str(world.outside / "precious")}
        words = world.command_line(chance)
        expected = world.alone(*words, tty=tty, reads=reads, below=below, env=env)
        run = world.start(*words, tty=tty, reads=reads, below=below, env=env)
        run.expected = expected
        run.note = deeds
        run.wait(30)


# A shell that survives what a child sends to its parent: that may be meant for whoever has started the launcher.
PARENT = ("/bin/sh", "-c", 'trap : TERM INT HUP USR1; "$@"; exit $?', "sh")


def _deed(chance: random.Random) -> str:
    output, kibibytes = chance.choice([1, 1, 2]), chance.choice([1, 64, 65, 700, 3000])
    seconds = round(chance.uniform(0.3, 1.5), 2)
    return chance.choice(
        [
            *(f"raw {output}", "raw 0", f"nonblocking {output}", f"lie {output}", f"flood {output} {kibibytes}"),
            *(f"hold {seconds}", f"leave {seconds}", "close 0 3", "close 1 2", "close 3 256"),
            *(f"parent {name}" for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1")),
            *(f"die {name}" for name in ("SIGTERM", "SIGKILL", "SIGSEGV", "SIGINT", "SIGABRT")),
            *(f"payload {kind}" for kind in ("fifo", "link", "folder", "garbage")),
        ]
    )


ATTACKS: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        *(kills, kills_on_cue, stops, short_stops, kills_and_stops),
        *(exchanges, disks, crowd, purges, opt_outs),
        *(servers, silence, children),
    )
}

"""Where an attack takes place: a HOME, a chef-run, a server, and what lies around them that nobody may touch.

All that is started in it has its HOME in the environment, and is so told from everything else on the machine. What the
launcher starts as chef-run, and what that starts, has the launcher's mark there too.
"""

from __future__ import annotations

import itertools
import os
import random
import select
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, NamedTuple

assert sys.platform == "linux"  # first, or the type checker looks for what follows elsewhere too
# ruff: noqa: E402

from launcher.cli import status
from launcher.consent.decision import DEPTH
from launcher.consent.situation import Situation
from launcher.reading import command_line
from launcher.record import session
from tests.campaign.exchanger import BAIT
from tests.support import canaries
from tests.support.homes import Home
from tests.support.processes import pids, proc, state
from tests.support.programs import ISOLATED, MAIN, install_as_chef_run
from tests.support.servers import Answer, Collector, Request

HERE = Path(__file__).parent
STAND_IN = HERE.parents[1] / "scripts" / "stand_in_chef_run.py"
EXCHANGER = HERE / "exchanger.py"
CHILD = HERE / "child.py"

NOBODY = 65534
PATIENCE = 35.0  # seconds after which nothing of ours may be left of a run
LAUNCHER, RELAY, CHEF_RUN, SENDER = ROLES = ("launcher", "relay process", "chef-run", "sender")
QUIET = "#!/bin/sh\nexit 7\n"  # a chef-run that needs no disk


class Skipped(Exception):
    """This attack cannot be made here; the message says what it needs."""


class Outcome(NamedTuple):
    """What somebody sees of a run: its exit code, both outputs, and how it leaves the terminal."""

    code: int
    output: bytes
    errors: bytes
    settings: list[Any] | None


class Run:
    """A command that was started. What it writes is read all the while."""

    def __init__(
        self,
        command: list[str],
        arguments: Sequence[str],
        env: dict[str, str],
        cwd: Path,
        tty: bool = False,
        reads: int | None = None,
    ) -> None:
        self.arguments = list(arguments)
        self._reads = reads  # after so many bytes, whoever reads its output leaves
        self.struck: set[int] = set()  # the signals that the attack has sent to it
        self.expected: Outcome | None = None  # what chef-run alone would have shown, if that is known
        self.note = ""  # what it was, for a finding to name
        self._output: dict[int, bytes] = {}  # by the descriptor that it is read from, standard output first
        self._ended = threading.Event()
        self._terminal = os.openpty() if tty else None
        self.before = self.settings()
        if self._terminal:
            ours, theirs = self._terminal
            # Not `preexec_fn`: this process has threads.
            self.process = subprocess.Popen(
                ["setsid", "--ctty", *command], stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=cwd
            )
            self._readers = [self._reader(ours, lambda: None)]
        else:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=env,
                cwd=cwd,
                preexec_fn=os.setpgrp,
            )
            pipes = [pipe for pipe in (self.process.stdout, self.process.stderr) if pipe]
            self._readers = [self._reader(pipe.fileno(), pipe.close) for pipe in pipes]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def on_a_terminal(self) -> bool:
        return self._terminal is not None

    def settings(self) -> list[Any] | None:
        """Of the terminal, if there is one."""
        return termios.tcgetattr(self._terminal[1]) if self._terminal else None

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within so many seconds."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def outcome(self, seconds: float) -> Outcome | None:
        """What is seen of it, when it has ended and nobody holds its output; None if that takes longer."""
        until = time.monotonic() + seconds
        if not self.wait(seconds):
            return None
        self._ended.set()
        for reader in self._readers:
            reader.join(max(0.0, until - time.monotonic()))
            if reader.is_alive():
                return None
        output, *errors = self._output.values()
        return Outcome(self.process.returncode, output, b"".join(errors), self.settings())

    def close(self) -> None:
        """Give back what it holds here. All that could write to it must have ended."""
        self._ended.set()
        for reader in self._readers:
            reader.join(1)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        for descriptor in self._terminal or ():
            os.close(descriptor)

    def _reader(self, descriptor: int, leave: Callable[[], None]) -> threading.Thread:
        self._output[descriptor] = b""
        reader = threading.Thread(target=self._read, args=(descriptor, leave), daemon=True)
        reader.start()
        return reader

    def _read(self, descriptor: int, leave: Callable[[], None]) -> None:
        """To its end, or as far as was said; of a terminal, until the run has ended and nothing more comes."""
        pieces: list[bytes] = []
        while self._reads is None or sum(map(len, pieces)) < self._reads:
            if self._terminal and not select.select([descriptor], [], [], 0.1)[0]:
                if self._ended.is_set():
                    break
                continue
            try:
                piece = os.read(descriptor, 1 << 16)
            except OSError:
                break
            if not piece:
                break
            pieces.append(piece)
        self._output[descriptor] = b"".join(pieces)[: self._reads]
        leave()


class World:
    """What an attack may touch, and all that the checker looks at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.cwd = _made(folder / "cwd")
        self.temporary = _made(folder / "tmp")
        self.outside = folder / "outside"
        self.server = Collector()
        self.home.env |= {"CHEF_TELEMETRY_ENDPOINT": self.server.url, "TMPDIR": str(self.temporary)}
        self.env = self.home.env
        self.use(STAND_IN)
        self.canaries = itertools.count()
        self.runs: list[Run] = []
        self.said: list[bytes] = []  # what the management commands have printed
        self.answered: list[tuple[Request, Answer]] = []
        self.promised: set[str] = set()  # ids of the sessions that were there before
        self.records = True  # whether each run that ends must be recorded, or counted
        self.uncountable = 0  # runs that there was no room to count
        self.findings: list[str] = []  # what the attack itself has seen
        self._repairs: list[Callable[[], object]] = []
        self._mounted = False

    def set_up(self, sessions: int) -> None:
        """A home in which so many sessions wait, with files of somebody else's in it, and all that lies outside."""
        hosts = [f"before{number}" for number in range(sessions)]
        self.home.has_waiting(*hosts)
        self.promised = {path.stem.removeprefix("session-") for path in self.home.sessions()}
        for path in (self.home.workstation / "notes.txt", self.home.telemetry / "session-notes.json"):
            path.write_text("somebody else's\n")
        _lay_out(self.outside, self.home.installation_id.read_text())
        self.answer_with(lambda request: Answer())
        self.surroundings = self.look()

    def answer_with(self, answer: Callable[[Request], Answer]) -> None:
        """Have the server answer so from now on."""

        def noted(request: Request) -> Answer:
            given = answer(request)
            self.answered.append((request, given))
            return given

        self.server.otherwise = noted

    def use(self, script: str | Path) -> None:
        """Have this be chef-run."""
        if isinstance(script, Path):
            program = install_as_chef_run(script, self.folder / "real")
        else:
            program = self.folder / "real" / "chef-run"
            program.write_text(script)
        self.env["CHEF_RUN_LAUNCHER_REAL"] = str(program)
        self.chef_run = [str(program)]

    def mount(self, size: int, inodes: int) -> None:
        """Put the home, which is empty still, on a disk of its own: of so many KiB, and for so many files."""
        options = f"size={size}k,nr_inodes={inodes},mode=755"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.home.path)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            raise Skipped("needs root, who may mount a small disk")
        self._mounted = True

    def on_repair(self, repair: Callable[[], object]) -> None:
        """Have this done before the checker looks for what can be delivered."""
        self._repairs.append(repair)

    # --- What is run

    def command_line(self, chance: random.Random) -> list[str]:
        """A command line in which every word that somebody chose is a canary."""
        return canaries.command_line(chance, self.canaries)

    def start(
        self,
        *arguments: str,
        tty: bool = False,
        reads: int | None = None,
        below: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> Run:
        """Start the launcher as chef-run, `below` another command if one is given."""
        command = [*below, *ISOLATED, str(MAIN), "exec", *arguments]
        run = Run(command, arguments, {**self.env, **(env or {})}, self.cwd, tty, reads)
        self.runs.append(run)
        return run

    def alone(
        self,
        *arguments: str,
        tty: bool = False,
        reads: int | None = None,
        below: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> Outcome:
        """What is seen of chef-run without the launcher."""
        command = [*below, *self.chef_run, *arguments]
        run = Run(command, arguments, {**self.env, **(env or {}), DEPTH: "0"}, self.cwd, tty, reads)
        try:
            seen = run.outcome(PATIENCE)
            assert seen, "chef-run itself has not ended"
            return seen
        finally:
            run.close()

    def manage(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """One of the launcher's own commands, to its end."""
        command = ["timeout", "--signal=KILL", "60", sys.executable, str(MAIN), *words]
        done = subprocess.run(
            command, env=self.env, cwd=self.cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        self.said += [done.stdout, done.stderr]
        if done.returncode == -signal.SIGKILL or b"defect of the launcher" in done.stderr:
            said = done.stderr.decode("utf-8", "replace").strip()
            self.findings.append(f"{words[0]} {said or 'has not ended after 60 s'}")
        return done

    # --- What is there

    def processes(self) -> dict[int, str]:
        """Each process of this world that has not ended, and its role."""
        found = {}
        for pid in pids():
            variables = proc(pid, "environ").split("\0")
            if f"HOME={self.home.path}" in variables and state(pid) not in ("Z", ""):
                found[pid] = self._role(pid, variables)
        return found

    def _role(self, pid: int, variables: list[str]) -> str:
        if any(each.startswith(f"{DEPTH}=") for each in variables):
            return CHEF_RUN
        if pid in [run.pid for run in self.runs]:
            return LAUNCHER
        if _leads_a_session(pid) or "send" in proc(pid, "cmdline").split("\0"):
            return SENDER
        return RELAY

    def ours(self) -> dict[int, str]:
        """The same without chef-run, and what that has started."""
        return {pid: role for pid, role in self.processes().items() if role != CHEF_RUN}

    def continue_all(self) -> None:
        """Continue whoever is stopped."""
        for pid in self.processes():
            if state(pid) == "T":
                send(pid, signal.SIGCONT)

    def look(self) -> dict[str, tuple[Any, ...]]:
        """What lies around the launcher's own files, each by its path: what it is, whose, and its content."""
        folders = [self.outside, self.cwd, self.temporary]
        found = {str(path): _what(path) for folder in folders for path in [folder, *folder.rglob("*")]}
        found |= {str(path): _what(path) for path in self.home.path.iterdir() if path != self.home.workstation}
        foreign = [path for path in self.home.workstation.rglob("*notes*") if path.is_file()]
        return found | {str(path): _what(path) for path in foreign}

    def stored(self) -> list[Path]:
        """Every file with a session's name, wherever in ~/.chef-workstation it lies; but for somebody else's bait."""
        found = self.home.workstation.rglob("session-*-*-*-*-*.json")
        files = [path for path in found if stat.S_ISREG(path.lstat().st_mode)]
        return sorted(path for path in files if path.read_bytes() != BAIT.encode())

    def required(self) -> list[Run]:
        """The runs that must have been recorded, or counted: all but those that a signal of the attack has ended."""
        ended = [run for run in self.runs if run.process.returncode is not None]
        return [run for run in ended if -run.process.returncode not in run.struck] if self.records else []

    def _status(self) -> dict[str, Any]:
        situation = Situation(self.env)
        try:
            return status.examine(situation)
        finally:
            if situation.home:
                situation.home.close()

    def counted(self) -> int:
        """How many sessions were dropped or lost, as `status` has it, or could not even be counted, as it said."""
        report = self._status()
        lost: dict[str, int] = report.get("lost", {})
        return int(report["dropped"]) + sum(lost.values()) + self.uncountable

    def look_for_an_obstacle(self, runs: int) -> None:
        """If `status` says that nothing can be kept now, and not even that be counted, do not count so many runs."""
        report = self._status()
        if report.get("obstacle") and not report.get("lost", {}).keys() - {"unknown"}:
            self.uncountable += runs

    def repair(self) -> None:
        """Give the folder back to whom it belongs, with room on its disk; what was exchanged has been put back."""
        for repair in self._repairs:
            repair()
        if os.geteuid() == 0:
            for path in [self.home.workstation, *self.home.workstation.rglob("*")]:
                os.chown(path, 0, 0, follow_symlinks=False)
            os.chmod(self.home.path, 0o755)
        for folder in (self.home.workstation, self.home.telemetry):
            folder.chmod(0o700)

    def close(self) -> None:
        """End what is left of it."""
        self.home.layout.close()
        for pid in self.processes():
            send(pid, signal.SIGKILL)
        for run in self.runs:
            run.wait(5)
            run.close()
        if self._mounted:
            subprocess.run(["umount", "--lazy", str(self.home.path)], check=True)


@contextmanager
def world() -> Iterator[World]:
    """A world in a folder of its own, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    try:
        made = World(folder)
        try:
            with made.server:
                yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def targets(run: Run) -> list[str]:
    """The sums of the hosts that it was to connect to."""
    return [target.sha256 for target in command_line.targets(run.arguments)]


def _leads_a_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def _lay_out(outside: Path, installation_id: str) -> None:
    """What is precious, and a folder that looks like ours, with a session to be sent and one that is too old."""
    like_ours = outside / "telemetry"
    like_ours.mkdir(parents=True)
    (outside / "precious").write_bytes(b"precious\n" * 2000)
    (outside / "empty").mkdir()
    names = ("receipts.jsonl", ".lock", ".next-attempt", ".notice", "telemetry-payload-1.yml")
    for name in (*names, OUTSIDE.replace("1.json", "0.json")):
        (like_ours / name).write_text("{}\n" * 1000)
        os.utime(like_ours / name, (1, 1))
    record = session.build(installation_id, {"os": None, "version": None}, [], [])
    record["id"] = OUTSIDE.removeprefix("session-").removesuffix(".json")
    (like_ours / OUTSIDE).write_bytes(session.to_bytes(record))


OUTSIDE = "session-00000000-0000-4000-8000-000000000001.json"


def _what(path: Path) -> tuple[Any, ...]:
    """All that can be said of a file, but for when it was read."""
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = os.fsencode(os.readlink(path))
        else:
            content = b""
    except OSError as error:
        return (error.errno,)
    modified = None if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
    return status.st_mode, status.st_uid, status.st_gid, modified, content

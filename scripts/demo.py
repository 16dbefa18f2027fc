#!/usr/bin/env python3
"""Shows what chef-run-launcher does, from a first run to the arrival of its session, and checks each step: `make demo`.

Nothing of the person's own is touched: HOME is a temporary directory, chef-run is the stand-in beside this file,
and what is sent goes to a collector on this machine. Exits with 0 only if every step has worked.
"""

from __future__ import annotations

import hashlib
import json
import os
import pty
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

assert sys.platform != "win32", "the demo needs a terminal of the Unix kind"

SCRIPTS = Path(__file__).parent
SECONDS_TO_WAIT = 20
COLUMNS = 80  # of what is printed


class Failed(Exception):
    """A step has not worked."""


class Demo:
    """The place where the demo happens: a HOME, its environment, and the collector's log."""

    def __init__(self, folder: Path, endpoint: str, log: Path) -> None:
        self.launcher = str(Path(sys.executable).with_name("chef-run-launcher"))
        self.log = log
        self.telemetry = folder / ".chef-workstation" / "telemetry"
        self.env = {
            "HOME": str(folder),
            # The stand-in asks for python3, and this one is there.
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)]),
            "TERM": os.environ.get("TERM", "xterm"),
            "LANG": "C.UTF-8",
            "CHEF_RUN_LAUNCHER_REAL": str(SCRIPTS / "stand_in_chef_run.py"),
            "CHEF_TELEMETRY_ENDPOINT": endpoint,
            "STAND_IN_SECONDS": "0.1",
        }

    def sessions(self) -> list[dict[str, Any]]:
        """What is waiting to be sent."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in self.telemetry.glob("session-*.json")]

    def arrived(self) -> list[str]:
        """The body of each request that the collector got."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line)["body"] for line in lines]

    def chef_run(self, *arguments: str, **env: str) -> int:
        """Run it on a terminal of its own, as the alias would, and show what a person sees: the exit code."""
        settings = "".join(f"{name}={value} " for name, value in env.items())
        print(f"\n    $ {settings}chef-run {' '.join(arguments)}\n", flush=True)
        child, terminal = pty.fork()
        if child == 0:
            try:
                os.execve(self.launcher, [self.launcher, "exec", *arguments], {**self.env, **env})
            finally:
                os._exit(127)
        for output in everything(terminal):
            sys.stdout.buffer.write(output)
            sys.stdout.buffer.flush()
        print(flush=True)
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def manage(self, *arguments: str) -> str:
        """Run and show one of the launcher's own commands: its output."""
        print(f"\n    $ chef-run-launcher {' '.join(arguments)}\n", flush=True)
        done = subprocess.run(
            [self.launcher, *arguments],
            env=self.env,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            check=False,
        )
        show(done.stdout)
        check(f"exit code {done.returncode}", done.returncode == 0)
        return done.stdout


def everything(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            output = os.read(terminal, 65536)
        except OSError:  # how Linux says that nobody has the terminal open any more
            return
        if not output:
            return
        yield output


def tell(title: str, text: str) -> None:
    print(f"\n\n=== {title} ===\n")
    print(textwrap.fill(text, COLUMNS, break_on_hyphens=False))


def show(output: str) -> None:
    """What a program printed; a line that is longer than the terminal is folded, at a space if there is one."""
    for line in map(str.rstrip, output.splitlines()):
        indent = " " * (len(line) - len(line.lstrip()))
        folded = textwrap.wrap(
            line.lstrip(), COLUMNS, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
        )
        print("\n".join(folded))
    print()


def check(what: str, worked: bool) -> None:
    if not worked:
        raise Failed(what)
    line = textwrap.fill(f"  [ok] {what}", COLUMNS, subsequent_indent=" " * 7, break_on_hyphens=False)
    print(line, flush=True)


def wait_for(what: str, happened: Callable[[], bool]) -> None:
    """Check it once it has happened: the launcher does its own work after chef-run has ended."""
    deadline = time.monotonic() + SECONDS_TO_WAIT
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.05)
    check(what, happened())


def sha256(host: str) -> str:
    return hashlib.sha256(host.encode()).hexdigest()


def target(host: str, transport: str, system: str) -> dict[str, str]:
    return {"hostname_sha256": sha256(host), "transport": transport, "os": system}


def first_run(demo: Demo) -> dict[str, Any]:
    tell(
        "1. The first run",
        "chef-run carries out a task on another machine: here, it creates a directory on web01. You type the same "
        "command as before; an alias starts it through chef-run-launcher, which records each run in a small file, a "
        "session, with no more in it than Chef Workstation's privacy page says. The first run shows a notice, and "
        "nothing is sent yet.",
    )
    code = demo.chef_run("web01", "directory", "/tmp/hello")
    check(f"the exit code is that of chef-run: {code}", code == 0)
    wait_for("one session was stored", lambda: len(demo.sessions()) == 1)
    check("the notice is marked as shown", (demo.telemetry / ".notice").exists())
    check("nothing was sent", demo.arrived() == [])
    return demo.sessions()[0]


def show_session(demo: Demo, session: dict[str, Any]) -> str:
    tell(
        "2. The session",
        "It holds the command without its arguments, the operating system of this machine and, for each target, a "
        "hash of its name, its operating system, and whether chef-run connected by SSH or WinRM. You can read it "
        "before it is sent, and delete it at any time.",
    )
    demo.manage("show")
    fields = {"schema", "id", "installation_id", "command", "host", "targets"}
    check("the session has these fields and no others: " + ", ".join(sorted(fields)), set(session) == fields)
    check(
        "instead of web01, it has the hash that `printf web01 | sha256sum` prints",
        session["targets"] == [target("web01", "ssh", "linux")],
    )
    print("\nThis is the request that would send it, byte for byte (folded to fit):")
    return demo.manage("show", "--wire")


def dry_run(demo: Demo) -> None:
    tell(
        "3. A dry run",
        "A dry run shows what a run would record and send. It runs nothing, writes nothing and sends nothing.",
    )
    shown = demo.manage("dry-run", "ssh://bob:secret@web02", "package", "nginx")
    check("instead of web02, the session would have a hash", sha256("web02") in shown)
    check("the password does not appear", "secret" not in shown)
    check("nothing was stored, and nothing was sent", len(demo.sessions()) == 1 and demo.arrived() == [])


def second_run(demo: Demo, first: dict[str, Any], wire: str) -> None:
    tell(
        "4. The second run sends the session of the first",
        "This time there are two targets, and one of them fails, as its operating system is not supported. While "
        "chef-run is running, a background process sends the session of the first run.",
    )
    code = demo.chef_run("winrm://win01,hpux01", "directory", "/tmp/hello")
    check(f"the exit code is that of chef-run: {code}", code == 1)
    wait_for("the collector has received one session", lambda: len(demo.arrived()) == 1)
    [body] = demo.arrived()
    print()
    show(body)
    check("it is the session of the first run", json.loads(body)["session_id"] == first["id"])
    check("it is byte for byte what step 2 showed", body in wire)
    expected = [target("win01", "winrm", "windows"), target("hpux01", "ssh", "hpux")]
    wait_for(
        "only the session of this run is waiting now",
        lambda: [session["targets"] for session in demo.sessions()] == [expected],
    )
    receipts = (demo.telemetry / "receipts.jsonl").read_text(encoding="utf-8")
    check("there is a receipt for the session that was sent", first["id"] in receipts)


def opted_out_run(demo: Demo) -> None:
    tell(
        "5. A run that is not recorded",
        "If CHEF_TELEMETRY_OPT_OUT is set, to whatever value, the run is not recorded, and no process of the "
        "launcher remains while chef-run is running.",
    )
    code = demo.chef_run("web03", "directory", "/tmp/hello", CHEF_TELEMETRY_OPT_OUT="1")
    check(f"the exit code is that of chef-run: {code}", code == 0)
    check("no session was added", len(demo.sessions()) == 1)


def flush(demo: Demo) -> None:
    tell(
        "6. Sending at once",
        "You need not wait for the next run: this sends the waiting sessions now.",
    )
    [second] = demo.sessions()
    demo.manage("flush")
    check("nothing is waiting any more", demo.sessions() == [])
    ids = [json.loads(body)["session_id"] for body in demo.arrived()]
    check("the collector has received the session of step 4, and none of step 5", ids[1:] == [second["id"]])


def status(demo: Demo) -> None:
    tell(
        "7. The status",
        "This shows whether telemetry is on and why, which sessions are waiting, and which were sent.",
    )
    demo.manage("status")


def verify_off(demo: Demo) -> None:
    tell(
        "8. Off is off",
        "You can check for yourself what happens with telemetry off, as in step 5: this watches such a run until "
        "the launcher becomes chef-run.",
    )
    check("it did nothing else", "PASS" in demo.manage("verify-off"))


@contextmanager
def collecting(log: Path) -> Iterator[str]:
    """A collector of our own, and its address. It ends with us, as its standard input does."""
    command = [sys.executable, str(SCRIPTS / "collector.py"), "--log", str(log)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "requests.jsonl")
        with collecting(log) as endpoint:
            home = Path(folder, "home")
            home.mkdir()
            demo = Demo(home, endpoint, log)
            print("What chef-run-launcher does, from the first run to the arrival of its session.\n")
            print(f"  HOME       {home}, a temporary directory")
            print("  chef-run   a stand-in, which contacts no other machine")
            print(f"  collector  {endpoint}, on this machine, receives the sessions")
            try:
                first = first_run(demo)
                wire = show_session(demo, first)
                dry_run(demo)
                second_run(demo, first, wire)
                opted_out_run(demo)
                flush(demo)
                status(demo)
                verify_off(demo)
            except Failed as failure:
                print(f"\nThe demo has failed. This is not so: {failure}")
                return 1
    print()
    print(
        textwrap.fill(
            "All 8 steps worked: two runs were recorded, and their sessions arrived exactly as shown; the run that "
            "opted out left none; and each run ended with the exit code of chef-run.",
            COLUMNS,
            break_on_hyphens=False,
        )
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

#!/usr/bin/env python3
"""Shows the whole loop of chef-run-launcher, and checks each step of it: `make demo`.

Nothing of the person's own is touched: HOME is a temporary folder, chef-run is the stand-in beside this file,
and what is sent goes to a collector on this machine. Exits with 0 only if every step was seen to work.
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
COLUMNS = 79  # of what is printed, so that it fits any terminal of 80


class Failed(Exception):
    """Something was not seen to work."""


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
        check(f"it ends well: exit code {done.returncode}", done.returncode == 0)
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
    print(textwrap.fill(text, COLUMNS))


def show(output: str) -> None:
    """What a program printed; a line that is longer than the terminal is folded, at a space if there is one."""
    for line in map(str.rstrip, output.splitlines()):
        indent = " " * (len(line) - len(line.lstrip()))
        print(textwrap.fill(line, COLUMNS, subsequent_indent=indent + "  ", break_on_hyphens=False))
    print()


def check(what: str, worked: bool) -> None:
    if not worked:
        raise Failed(what)
    print(textwrap.fill(f"  [ok] {what}", COLUMNS, subsequent_indent=" " * 7), flush=True)


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
        "chef-run does a task on another machine: here it makes a folder on web01. People type what they "
        "always typed; an alias puts chef-run-launcher in front of it. As Chef Workstation's privacy page "
        "says, each run leaves a small record. The launcher says so once, keeps this one, and sends nothing "
        "yet.",
    )
    code = demo.chef_run("web01", "directory", "/tmp/hello")
    check(f"the exit code is chef-run's own: {code}", code == 0)
    wait_for("one record is kept", lambda: len(demo.sessions()) == 1)
    check("it noted that it has said so", (demo.telemetry / ".notice").exists())
    check("nothing has been sent", demo.arrived() == [])
    return demo.sessions()[0]


def show_record(demo: Demo, session: dict[str, Any]) -> str:
    tell(
        "2. The record",
        "This is all of it: the command without its arguments, this machine's system, and for each target "
        "how it was reached, its system, and a hash in place of its name. It can be read or deleted at any time.",
    )
    demo.manage("show")
    fields = {"schema", "id", "installation_id", "command", "host", "targets"}
    check("it has these fields and no others: " + ", ".join(sorted(fields)), set(session) == fields)
    check(
        "web01 stands in it as `printf web01 | sha256sum`",
        session["targets"] == [target("web01", "ssh", "linux")],
    )
    print("\nAnd this is what would go over the wire, to the byte (folded to fit here):")
    return demo.manage("show", "--wire")


def dry_run(demo: Demo) -> None:
    tell(
        "3. A run that is not done",
        "A dry run says what would be run, kept and sent. It starts nothing, writes nothing, sends nothing.",
    )
    shown = demo.manage("dry-run", "ssh://bob:secret@web02", "package", "nginx")
    check("the record would name web02 by its hash", sha256("web02") in shown)
    check("the password is nowhere in it", "secret" not in shown)
    check("nothing was kept and nothing was sent", len(demo.sessions()) == 1 and demo.arrived() == [])


def second_run(demo: Demo, first: dict[str, Any], wire: str) -> None:
    tell(
        "4. The next run sends the record of the first",
        "Two targets this time, and one of them fails: its system is not supported. Meanwhile a process of "
        "its own sends what earlier runs left, and nobody waits for it.",
    )
    code = demo.chef_run("winrm://win01,hpux01", "directory", "/tmp/hello")
    check(f"the exit code is chef-run's own: {code}", code == 1)
    wait_for("one record has arrived at the collector", lambda: len(demo.arrived()) == 1)
    [body] = demo.arrived()
    print()
    show(body)
    check("it is the first run's", json.loads(body)["session_id"] == first["id"])
    check("it is what step 2 had shown, to the byte", body in wire)
    expected = [target("win01", "winrm", "windows"), target("hpux01", "ssh", "hpux")]
    wait_for(
        "what is kept now is the record of this run, and it alone",
        lambda: [session["targets"] for session in demo.sessions()] == [expected],
    )
    receipts = (demo.telemetry / "receipts.jsonl").read_text(encoding="utf-8")
    check("a receipt tells what was sent", first["id"] in receipts)


def opted_out_run(demo: Demo) -> None:
    tell(
        "5. A run that is not recorded",
        "With CHEF_TELEMETRY_OPT_OUT set to anything at all, nothing of the run is kept, and chef-run takes the "
        "launcher's place.",
    )
    code = demo.chef_run("web03", "directory", "/tmp/hello", CHEF_TELEMETRY_OPT_OUT="1")
    check(f"the exit code is chef-run's own: {code}", code == 0)
    check("no record was added", len(demo.sessions()) == 1)


def flush(demo: Demo) -> None:
    tell(
        "6. Sending now",
        "If you do not want to wait for the next run, send what is there, and see it go.",
    )
    [second] = demo.sessions()
    demo.manage("flush")
    check("nothing is waiting any more", demo.sessions() == [])
    ids = [json.loads(body)["session_id"] for body in demo.arrived()]
    check("the record of step 4 has arrived, and of step 5 there is nothing", ids[1:] == [second["id"]])


def status(demo: Demo) -> None:
    tell(
        "7. How things stand",
        "One command says whether telemetry is on, what decided that, and what is waiting.",
    )
    demo.manage("status")


def verify_off(demo: Demo) -> None:
    tell(
        "8. Off is off",
        "To check step 5, watch a run: with telemetry off, the launcher does nothing but become chef-run.",
    )
    check("it did", "PASS" in demo.manage("verify-off"))


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
            print("chef-run-launcher, from the first run to the arrival of its record.")
            print(f"HOME is {home}, and will be deleted.")
            print("chef-run is a stand-in; no other machine is touched.")
            print(f"What is sent goes to a collector on this machine: {endpoint}")
            try:
                first = first_run(demo)
                wire = show_record(demo, first)
                dry_run(demo)
                second_run(demo, first, wire)
                opted_out_run(demo)
                flush(demo)
                status(demo)
                verify_off(demo)
            except Failed as failure:
                print(f"\nNOT seen to work: {failure}")
                return 1
    print("\nEvery step was seen to work.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

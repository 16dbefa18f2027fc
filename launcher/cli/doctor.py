"""`doctor`: what prevents running chef-run, recording the run, or sending the record; and what to do about it.

It asks what a run, the record and the sender ask, by the same functions.
"""

import base64
import http.client
import importlib.abc
import importlib.util
import os
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, Optional
from urllib.parse import urlsplit

import typer

from launcher import PACKAGE, fallback, make_importable, quiet, real
from launcher.cli import in_front
from launcher.cli.notes import notes
from launcher.cli.obstacles import look_at_lock, lost_runs, not_permitted, rejected_sessions
from launcher.cli.output import count, moment, plain, print_json, say, say_in_columns
from launcher.cli.run_facts import chef_run
from launcher.consent import config, decision
from launcher.consent.situation import Situation, notice_is_current
from launcher.delivery import endpoint, proxy, receipts, schedule, trust
from launcher.delivery.endpoint import Endpoint
from launcher.delivery.plan import NothingMaySend, because, usable_endpoint
from launcher.home import files, losses, spool
from launcher.home.layout import LOST, Home

OK, NOTE, PROBLEM = "ok", "note", "problem"
TIMEOUT = 5  # seconds, for each step of the connection
# What a run imports by and by, and its sender; the rest comes with these.
RELAY = ("posix", "helper_process", "job_control", "second_terminal", "serving")
PARTS = (
    "run",
    *(f"relay.{part}" for part in (("windows",) if sys.platform == "win32" else RELAY)),
    *("consent.config_option", "consent.notice", "reading.output", "record.preparing"),
    *("delivery.plan", "delivery.receipts", "delivery.schedule", "delivery.sender", "home.spool", "home.losses"),
)
# To import urllib3 opens a socket, to see whether there is IPv6: these are looked at only.
LOOKED_AT = ("launcher.delivery.attempt", "launcher.delivery.transport", "urllib3")


TITLES = {
    "chef_run": "chef-run",
    "chef_run_telemetry": "chef-run's own telemetry",
    "config_toml": "config.toml",
    "in_front": "chef-run in the shell",
    "authorities": "certificate authorities",
}
COLOURS = {OK: "green", NOTE: "yellow", PROBLEM: "red"}


class Finding(NamedTuple):
    """What was examined, as a code for programs, its state, and a message, which for a problem says what to do.

    With a line to be typed or to be added to a file, if that is what to do: it is there to be copied, and not folded.
    """

    code: str
    state: str
    message: str
    line: str = ""

    def in_one(self) -> str:
        return f"{self.message}: {self.line}" if self.line else self.message


def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Connect to the endpoint as well: a TLS handshake, no data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Find what prevents running, recording or sending.

    It asks your shell what chef-run is, changes nothing, and uses the network only with --network. The exit code is 1
    if there is a problem.

    \b
    Examples:
      chef-run-launcher doctor
      chef-run-launcher doctor --network --json
    """
    findings = list(_examine(Situation(os.environ), network))
    worst = next((state for state in (PROBLEM, NOTE) if any(each.state == state for each in findings)), OK)
    if as_json:
        listed = [{"code": each.code, "state": each.state, "says": each.in_one()} for each in findings]
        print_json({"schema": 1, "state": worst, "findings": listed})
    else:
        _print(findings)
    if worst == PROBLEM:
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    """An overall sentence, and all findings, the worst first."""
    numbers = {state: sum(each.state == state for each in findings) for state in (PROBLEM, NOTE)}
    problems = count(numbers[PROBLEM], "problem") if numbers[PROBLEM] else "no problem"
    say(f"Found {problems}{' and ' + count(numbers[NOTE], 'note') if numbers[NOTE] else ''}.\n")
    say_in_columns(_row(each) for state in (PROBLEM, NOTE, OK) for each in findings if each.state == state)


def _row(finding: Finding) -> tuple[str, str, str]:
    title = TITLES.get(finding.code, finding.code.replace("_", " "))
    says = f"[bold]{title}[/]: {plain(finding.message)}{':' if finding.line else ''}"
    return f"[{COLOURS[finding.state]}]{finding.state}[/]", says, plain(finding.line)


def _examine(situation: Situation, network: bool) -> Iterator[Finding]:
    """What each section finds; first whether there is a chef-run, as other findings may be consequences of that."""
    broken = list(_guarded("launcher", _broken_parts, situation))
    yield from broken
    programs = [] if broken else list(_guarded("chef_run", _chef_run, situation))
    yield from programs
    yield from _guarded("in_front", _in_front, situation, bool(broken) or any(each.state == OK for each in programs))
    yield from _guarded("start", _starts, situation)
    if broken:
        return  # what follows needs them
    for code, section in SECTIONS:
        yield from _guarded(code, section, situation)
    yield from _guarded("endpoint", _endpoint, situation, network)


def _guarded(code: str, section: Callable[..., Iterator[Finding]], *of: Any) -> Iterator[Finding]:
    """What a section finds; if it fails, that it has failed, and the others are examined all the same."""
    try:
        yield from section(*of)
    except OSError as error:
        yield Finding(code, PROBLEM, f"cannot be examined: {error.strerror}")
    except Exception as error:
        quiet.note(error)
        problem = f"cannot be examined, because of an internal error ({type(error).__name__}); please report it"
        yield Finding(code, PROBLEM, problem)


def _in_front(situation: Situation, has_chef_run: bool) -> Iterator[Finding]:
    is_in_front, message, line = in_front.examine(situation.variables, has_chef_run=has_chef_run)
    state = {None: NOTE, True: OK, False: PROBLEM}[is_in_front]
    yield Finding("in_front", state, message, line)


def _starts(situation: Situation) -> Iterator[Finding]:
    """Scripts on the PATH that start the launcher with a Python that is not there, or too old."""
    for name in ("chef-run", "chef-run-launcher"):
        path = shutil.which(name, path=situation.variables.get("PATH"))
        python = _python_of(path) if path and real.is_launcher(path, sys.argv[0]) else None
        if python and shutil.which(python) is None:
            message = f"{path} cannot be run: its Python, {python}, does not exist any more; install the launcher again"
            yield Finding("start", PROBLEM, message)
        elif python and _is_too_old(python):
            yield Finding("start", PROBLEM, f"{path} needs Python 3.9 or newer, and {python} is older; {_runs_alone()}")


def _python_of(script: str) -> Optional[str]:
    """The Python that its first line names, as a path or, after env, as a name."""
    try:
        with open(script, "rb") as file:
            first = os.fsdecode(file.readline(1024))
    except OSError:
        return None
    words = first[2:].split() if first.startswith("#!") else []
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if not word.startswith("-")]
    return words[0] if words and os.path.basename(words[0]).startswith("python") else None


def _is_too_old(python: str) -> bool:
    if shutil.which(python) == sys.executable:
        return False
    command = [python, "-E", "-S", "-c", "import sys; sys.exit(sys.version_info < (3, 9))"]
    try:
        return subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False).returncode == 1
    except (OSError, subprocess.TimeoutExpired):
        return False


def _broken_parts(situation: Situation) -> Iterator[Finding]:
    """What is missing or broken of ourselves, so that chef-run runs without us."""
    packages = ("distro", "fastjsonschema")
    make_importable(*packages)
    for name in (*(f"launcher.{part}" for part in PARTS), *packages, *LOOKED_AT):
        try:
            if name in LOOKED_AT:
                _compile(name)
            else:
                importlib.import_module(name)
        except Exception as error:
            yield Finding("launcher", PROBLEM, f"{name} cannot be used ({fallback.reason(error)}); {_runs_alone()}")
    try:
        situation.profile  # noqa: B018
    except Exception as error:
        problem = f"{config.PROFILE} cannot be used ({fallback.reason(error)}); {_runs_alone()}"
        yield Finding("profile", PROBLEM, problem)


def _compile(name: str) -> None:
    """Raises what its import would, if it is missing or not Python."""
    spec = importlib.util.find_spec(name)
    if spec is None or not isinstance(spec.loader, importlib.abc.InspectLoader):
        raise ModuleNotFoundError(f"No module named {name!r}")
    spec.loader.get_code(name)


def _runs_alone() -> str:
    """Which chef-run runs without us."""
    try:
        return f"until the launcher is installed again, {fallback.find()} is run and not recorded"
    except fallback.NoChefRun as problem:
        return f"and nothing can be run in its place: it {problem}"


def _chef_run(situation: Situation) -> Iterator[Finding]:
    if decision.DEPTH in situation.variables:
        yield Finding("chef_run", PROBLEM, f"{decision.DEPTH} is set, as if a launcher had started this one: unset it")
    program = chef_run(situation)
    if program["path"]:
        yield Finding("chef_run", OK, program["path"])
    else:
        yield Finding("chef_run", PROBLEM, program["problem"] or "")


def _bytecode(situation: Situation) -> Iterator[Finding]:
    """Whether there is bytecode, which a run never writes."""
    compiled = config.__spec__.cached if config.__spec__ else None
    if compiled and not os.path.exists(compiled):
        remedy = shlex.join([sys.executable, "-I", "-S", "-m", "compileall", "-q", os.path.dirname(PACKAGE)])
        yield Finding("bytecode", NOTE, "each run compiles the launcher anew; to compile it once, run", remedy)


def _telemetry(situation: Situation) -> Iterator[Finding]:
    reason = situation.decision.reason
    if reason is None:
        yield Finding("telemetry", OK, "on")
    else:
        yield Finding("telemetry", NOTE, f"off, because {because(reason)}")


def _configs(situation: Situation) -> Iterator[Finding]:
    ours, policy = situation.config, situation.policy
    if ours and ours.problem:
        yield Finding("config_toml", PROBLEM, f"{ours.path}: {ours.problem}; telemetry is off until this is repaired")
    elif ours:
        yield Finding("config_toml", OK, ours.path if ours.exists else f"{ours.path} does not exist, which is fine")
        if ours.text("launcher", "chef_run") and fallback.may_be_anothers(ours.path):
            message = f"chef_run under [launcher] is ignored, as users other than root can change {ours.path}"
            yield Finding("config_toml", PROBLEM, f"{message}: make it and its directories writable by root alone")
    if policy.problem:
        yield Finding("system_policy", PROBLEM, f"{policy.path}: {policy.problem}")


def _notes(situation: Situation) -> Iterator[Finding]:
    for note in notes(situation, chef_run(situation)["path"]):
        yield Finding(note.code, NOTE, note.message)


def _directory(situation: Situation) -> Iterator[Finding]:
    home = situation.home
    if home is None or situation.home_problem:
        remedy = "" if home and home.itself.exists() else "; set HOME to your home directory"
        yield Finding("directory", PROBLEM, f"{situation.home_problem}, so nothing is recorded or sent{remedy}")
        return
    path = home.workstation.path
    closed = [
        (each.path, error) for each in (home.workstation, home.telemetry, home.rejected) if (error := _closed(each))
    ]
    if closed:
        for path, error in closed:
            message = f"{path} cannot be opened ({error.strerror}): make it a directory that you can read and write"
            yield Finding("directory", PROBLEM, message)
        return
    missing = f"{path} does not exist yet: chef-run makes it, and until then no run is recorded"
    yield from list(_ownership(home)) or [Finding("directory", OK, path if home.workstation.exists() else missing)]


def _closed(directory: files.Directory) -> Optional[OSError]:
    """Why nothing in this directory can be looked at; None if it can, or if there is no directory."""
    try:
        directory.status(".")
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return None


if sys.platform != "win32":

    def _ownership(home: Home) -> Iterator[Finding]:
        """Files that belong to another user, and directories that others may write to."""
        foreign: list[str] = []
        for directory in (home.workstation, home.telemetry, home.rejected):
            if not directory.exists():
                continue
            names = [".", *sorted(directory.names())]
            foreign += [
                os.path.normpath(os.path.join(directory.path, name)) for name in names if _is_foreign(directory, name)
            ]
            if not _is_foreign(directory, ".") and files.others_can_write(directory.status(".")):
                path = directory.path
                line = shlex.join(["chmod", "go-w", path])
                yield Finding("directory", PROBLEM, f"other users can write to {path}", line)
        if foreign:
            line = shlex.join(["sudo", "chown", "-R", str(os.geteuid()), home.workstation.path])
            which = f"{len(foreign)} files, such as {foreign[0]}, belong" if foreign[1:] else f"{foreign[0]} belongs"
            yield Finding("directory", PROBLEM, f"{which} to another user", line)

    def _is_foreign(directory: files.Directory, name: str) -> bool:
        try:
            return directory.status(name).st_uid != os.geteuid()
        except OSError:
            return False  # removed meanwhile

else:

    def _ownership(home: Home) -> Iterator[Finding]:
        """Does nothing: Windows has permissions of another kind."""
        yield from ()


def _usable(situation: Situation) -> Optional[Home]:
    """Where sessions are kept, if they can be; else that has been said."""
    home = situation.home
    return None if home is None or situation.home_problem or _closed(home.telemetry) else home


def _obstacle(situation: Situation) -> Iterator[Finding]:
    home = _usable(situation)
    obstacle = losses.obstacle(home) if home else None
    if obstacle:
        yield Finding("obstacle", PROBLEM, f"{obstacle}: nothing can be recorded until that is corrected")


def _not_recorded(situation: Situation) -> Iterator[Finding]:
    home = _usable(situation)
    lost = losses.by_reason(home) if home else None
    if home and lost:
        path = os.path.join(home.telemetry.path, LOST)
        yield Finding("not_recorded", NOTE, f"{lost_runs(lost)}; once that is corrected, delete {path}")


def _notice(situation: Situation) -> Iterator[Finding]:
    home = _usable(situation)
    if home is None:
        return
    if notice_is_current(home):
        yield Finding("notice", OK, "shown")
    elif spool.any_waiting(home):
        message = "sessions are waiting, but the notice has not been shown, or this could not be saved: nothing is sent"
        yield Finding("notice", PROBLEM, f"{message}; run chef-run without closing its standard error")
    else:
        yield Finding("notice", NOTE, "not shown yet: the next run of chef-run shows it, and nothing is sent before")


def _delivery(situation: Situation) -> Iterator[Finding]:
    """What keeps the sessions that wait from being sent."""
    home = _usable(situation)
    if home is None:
        return
    sending, lock_problem = look_at_lock(home)
    failure = schedule.last_failure(home)
    if lock_problem:
        yield Finding("lock", PROBLEM, lock_problem)
    elif failure and not sending and situation.decision.on and spool.any_waiting(home):
        attempts = f" ({count(failure.attempts, 'attempt')} in a row)" if failure.attempts > 1 else ""
        message = f"failed{attempts}: {failure.message}; the first run after {moment(failure.not_before)} tries again, "
        message += "or run chef-run-launcher flush now"
        yield Finding("last_delivery", PROBLEM, message)
    elif not failure:
        yield Finding("last_delivery", OK, "no failure")
    unwritable = receipts.obstacle(home)
    if unwritable:
        yield Finding("receipts", PROBLEM, f"{unwritable}, and nothing is sent: delete it")
    closed = not_permitted(home)
    if closed:
        message = f"{count(closed, 'session')} cannot be read and will not be sent: make the files in "
        yield Finding("unreadable", PROBLEM, f"{message}{home.telemetry.path} readable, or delete them")


def _rejected(situation: Situation) -> Iterator[Finding]:
    home = _usable(situation)
    if home is None:
        return
    if spool.rejected(home):
        yield Finding("rejected", PROBLEM, rejected_sessions(home))
    dropped = spool.dropped(home)
    if dropped:
        yield Finding("dropped", NOTE, f"{count(dropped, 'session')}: too old, too large, or over the limit")


def _endpoint(situation: Situation, network: bool) -> Iterator[Finding]:
    try:
        destination = usable_endpoint(situation)
    except NothingMaySend as problem:
        state = NOTE if problem.why == "no_endpoint" else PROBLEM
        yield Finding("endpoint", state, f"nothing is sent, as {problem}")
    else:
        yield Finding("endpoint", OK, f"{destination.url}, set by {destination.named_by}")
        yield from _connection(destination, network)


def _connection(destination: Endpoint, network: bool) -> Iterator[Finding]:
    """What a connection to the endpoint takes: the proxy, the certificate authorities, and the network if allowed."""
    by, usable = None, True
    try:
        by = proxy.choose(destination.url)
        yield Finding("proxy", OK, by.url if by else "none")
    except proxy.Unusable as problem:
        usable = False
        yield Finding("proxy", PROBLEM, f"{problem}: nothing is sent until this is corrected")
    try:
        trust.context(destination)
        named = destination.ca_file or os.environ.get("SSL_CERT_FILE") or "this machine"
        yield Finding("authorities", OK, f"those of {named}")
    except trust.Unusable as problem:
        usable = False
        yield Finding("authorities", PROBLEM, f"{problem}: nothing is sent until this is corrected")
    if network and by and by.url.startswith("https:"):
        yield Finding(
            "network", NOTE, "not checked through a proxy that is itself reached by TLS; try chef-run-launcher flush"
        )
    elif network and usable:
        yield _network(destination, by)


def _network(destination: Endpoint, by: Optional[proxy.Proxy]) -> Finding:
    try:
        _handshake(destination, by)
    except ssl.SSLCertVerificationError as error:
        message = f"this machine does not trust the certificate of the endpoint ({error.verify_message})"
    except OSError as error:
        message = f"the endpoint cannot be reached ({proxy.refusal(error) or error.strerror or 'no answer in time'})"
    except (http.client.HTTPException, UnicodeError):
        message = "the endpoint cannot be reached: its host name is invalid, or the proxy does not speak HTTP"
    else:
        return Finding("network", OK, "the endpoint can be reached")
    return Finding("network", PROBLEM, message)


def _handshake(destination: Endpoint, by: Optional[proxy.Proxy]) -> None:
    """Connect to the endpoint, and hang up. Raises OSError, HTTPException, UnicodeError."""
    host, port = _address(by.url if by else destination.url)
    if destination.url.startswith("https:"):
        context = trust.context(destination)
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT, context=context
        )
        if by:
            connection.set_tunnel(*_address(destination.url), _credentials(by))
    else:
        connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
    try:
        connection.connect()
    finally:
        connection.close()


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or endpoint.DEFAULT_PORTS[parts.scheme]


def _credentials(by: proxy.Proxy) -> dict[str, str]:
    if by.user is None:
        return {}
    return {"Proxy-Authorization": "Basic " + base64.b64encode(by.user.encode("latin-1")).decode()}


# With the code of what is found if it fails. All need the launcher's parts, and none needs another section.
SECTIONS = (
    ("bytecode", _bytecode),
    ("telemetry", _telemetry),
    ("config_toml", _configs),
    ("setting", _notes),
    ("directory", _directory),
    ("obstacle", _obstacle),
    ("not_recorded", _not_recorded),
    ("notice", _notice),
    ("last_delivery", _delivery),
    ("rejected", _rejected),
)

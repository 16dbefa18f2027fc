"""`doctor`: what stands in the way of running chef-run, of recording, and of delivery; and what to do about it."""

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
from collections.abc import Iterator
from typing import Annotated, NamedTuple, Optional
from urllib.parse import urlsplit

import typer

from launcher import PACKAGE, fallback, make_importable, real
from launcher.cli.output import console, count, facts, print_json
from launcher.cli.status import lost_rows
from launcher.consent import config, decision
from launcher.consent.situation import Situation
from launcher.delivery import endpoint, proxy, trust
from launcher.delivery.endpoint import Endpoint
from launcher.home import files, losses, spool
from launcher.home.layout import LOST, Home

OK, NOTE, PROBLEM = "ok", "note", "problem"
START_UP_FILES = (".bashrc", ".bash_profile", ".bash_aliases", ".profile", ".zshrc", ".config/fish/config.fish")
TIMEOUT = 5  # seconds, for each step of the connection
# What a run imports by and by, and its sender; the rest comes with these.
PARTS = (
    *("run", "relay.windows" if sys.platform == "win32" else "relay.posix"),
    *(() if sys.platform == "win32" else ("relay.second_terminal", "relay.serving")),
    *("consent.config_option", "consent.notice", "reading.output", "record.recording"),
    *("delivery.plan", "delivery.receipts", "delivery.schedule", "delivery.sender", "home.spool", "home.losses"),
)
# To import urllib3 opens a socket, to see whether there is IPv6: these are looked at only.
LOOKED_AT = ("launcher.delivery.attempt", "launcher.delivery.transport", "urllib3")


class Finding(NamedTuple):
    """What was examined, its state, and a message, which for a problem says what to do."""

    what: str
    state: str
    message: str


def doctor(
    network: Annotated[
        bool, typer.Option("--network", help="Connect to the endpoint too: a TLS handshake, and not a byte of data.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Look for what stands in the way. Changes nothing, and does not use the network unless it is told to.

    Exits with 1 if there is a problem.
    """
    findings = list(_examine(Situation(os.environ), network))
    if as_json:
        print_json([{"what": each.what, "state": each.state, "says": each.message} for each in findings])
    else:
        console.print(facts((f"{finding.state:8}{finding.what}", finding.message) for finding in findings))
    if any(finding.state == PROBLEM for finding in findings):
        raise typer.Exit(1)


def _examine(situation: Situation, network: bool) -> Iterator[Finding]:
    yield _in_front(situation)
    yield from _starts(situation)
    broken = list(_broken_parts(situation))
    yield from broken
    if broken:
        return  # what follows needs them
    yield _chef_run(situation)
    yield from _speed()
    yield _telemetry(situation)
    yield from _configs(situation)
    yield from _folder(situation)
    destination = endpoint.choose(situation.variables, situation.config, situation.policy, situation.profile)
    if destination is None:
        yield Finding("endpoint", NOTE, "none in this distribution: nothing is ever sent")
    elif destination.problem:
        yield Finding("endpoint", PROBLEM, f"refused: {destination.problem}; {destination.named_by} names it")
    else:
        yield Finding("endpoint", OK, f"{destination.url}, by {destination.named_by}")
        yield from _connection(destination, network)
    yield from _rejected(situation)


def _in_front(situation: Situation) -> Finding:
    what = "in front"
    found = shutil.which("chef-run", path=situation.variables.get("PATH"))
    if found and real.is_launcher(found, sys.argv[0]):
        return Finding(what, OK, f"{found} is the launcher")
    home = situation.variables.get("HOME", "")
    for name in START_UP_FILES:
        path = os.path.join(home, name)
        if home and _mentions_us(path):
            return Finding(what, OK, f"{path} speaks of it; `type chef-run` shows whether your shell has it")
    setup = os.path.join(PACKAGE, "../../../libexec/setup")  # which our packages have
    if os.path.exists(setup):
        remedy = f"sudo {os.path.normpath(setup)} front"
    else:
        remedy = 'put eval "$(chef-run-launcher shell-init bash)" into ~/.bashrc, say'
    return Finding(what, PROBLEM, f"chef-run is not the launcher: {remedy}")


def _mentions_us(path: str) -> bool:
    """Whether a shell's start-up file has an alias, or has us make one. (fish: `… shell-init fish | source`.)"""
    try:
        text = files.read(path, config.MAX_CONFIG_SIZE).decode("utf-8", "replace")
    except OSError:
        return False
    lines = [line.strip() for line in text.splitlines() if "chef-run-launcher" in line]
    return any(line.startswith("alias chef-run") or ("shell-init" in line and line[0] != "#") for line in lines)


def _starts(situation: Situation) -> Iterator[Finding]:
    """Scripts on the PATH that start the launcher with a Python that is not there, or too old."""
    for name in ("chef-run", "chef-run-launcher"):
        path = shutil.which(name, path=situation.variables.get("PATH"))
        python = _python_of(path) if path and real.is_launcher(path, sys.argv[0]) else None
        if python and shutil.which(python) is None:
            yield Finding("start", PROBLEM, f"{path} cannot be run, its Python is gone: {python}; install it again")
        elif python and _is_too_old(python):
            yield Finding(
                "start", PROBLEM, f"{path}: {python} is older than Python 3.9, which it needs; {_runs_alone()}"
            )


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
        return f"until it is installed again, {fallback.find()} runs, unrecorded"
    except fallback.NoChefRun as problem:
        return f"and without it, it {problem}"


def _chef_run(situation: Situation) -> Finding:
    if decision.DEPTH in situation.variables:
        return Finding("chef-run", PROBLEM, f"{decision.DEPTH} is set: a launcher started this one; unset it")
    try:
        path = real.find(situation.variables, situation.config, situation.profile, sys.argv[0])
    except real.NoChefRun as problem:
        return Finding("chef-run", PROBLEM, str(problem))
    return Finding("chef-run", OK, f"{path}, which is not the launcher itself")


def _speed() -> Iterator[Finding]:
    """Whether there is bytecode, which a run never writes."""
    compiled = config.__spec__.cached if config.__spec__ else None
    if compiled and not os.path.exists(compiled):
        remedy = shlex.join([sys.executable, "-I", "-S", "-m", "compileall", "-q", os.path.dirname(PACKAGE)])
        yield Finding("speed", NOTE, f"each run compiles the launcher: {remedy}")


def _telemetry(situation: Situation) -> Finding:
    reason = situation.decision.reason
    if reason is None:
        return Finding("telemetry", OK, "on")
    return Finding("telemetry", NOTE, f"off: {reason.name}: {reason.message}")


def _configs(situation: Situation) -> Iterator[Finding]:
    ours, policy = situation.config, situation.policy
    if ours and ours.problem:
        yield Finding("config.toml", PROBLEM, f"{ours.path}: {ours.problem}; repair it, or telemetry stays off")
    elif ours:
        yield Finding("config.toml", OK, ours.path if ours.exists else f"{ours.path}: no such file, nor needed")
        if ours.text("launcher", "chef_run") and fallback.may_be_anothers(ours.path):
            message = "its chef_run under [launcher] is passed over: others than root can change that file"
            yield Finding("config.toml", PROBLEM, f"{message}; make it and its folders root's alone")
    if policy.problem:
        yield Finding("system policy", PROBLEM, f"{policy.path}: {policy.problem}")


def _folder(situation: Situation) -> Iterator[Finding]:
    home = situation.home
    if home is None or situation.home_problem:
        yield Finding("folder", PROBLEM, f"{situation.home_problem}: nothing is recorded there")
        return
    path = home.workstation.path
    yield from [*_ownership(home), *_losses(home)] or [
        Finding("folder", OK, path if home.workstation.exists() else f"{path}: not made yet")
    ]


def _losses(home: Home) -> Iterator[Finding]:
    """What keeps runs from being recorded, and how many it has kept."""
    obstacle = losses.obstacle(home)
    if obstacle:
        yield Finding("folder", PROBLEM, f"{obstacle}: nothing can be recorded until there is room")
    for what, says in lost_rows(losses.by_reason(home)):
        path = os.path.join(home.telemetry.path, LOST)
        yield Finding(what, NOTE, f"{says}; once that is mended, remove {path}")


if sys.platform != "win32":

    def _ownership(home: Home) -> Iterator[Finding]:
        """Files that belong to another user, and directories that others may write to."""
        foreign: list[str] = []
        for directory in (home.workstation, home.telemetry, home.rejected):
            if not directory.exists():
                continue
            names = [".", *sorted(directory.names())]
            foreign += [os.path.join(directory.path, name) for name in names if _is_foreign(directory, name)]
            if directory.status(".").st_mode & 0o022:
                yield Finding("folder", PROBLEM, f"others may write to it: chmod go-w {directory.path}")
        if foreign:
            remedy = f"sudo chown -R {os.geteuid()} {home.workstation.path}"
            message = f"{foreign[0]}, say, belongs to another user (after sudo?): {remedy}"
            yield Finding("folder", PROBLEM, message)

    def _is_foreign(directory: files.Directory, name: str) -> bool:
        try:
            return directory.status(name).st_uid != os.geteuid()
        except OSError:
            return False  # removed meanwhile

else:

    def _ownership(home: Home) -> Iterator[Finding]:
        """Does nothing: Windows has permissions of another kind."""
        yield from ()


def _rejected(situation: Situation) -> Iterator[Finding]:
    """Sessions that were put aside."""
    number = len(spool.rejected(situation.home)) if situation.home else 0
    if situation.home and number:
        reason = spool.last_rejection(situation.home) or "a reason that was not kept"
        message = f"{count(number, 'session')} put aside, the last because of {reason}"
        yield Finding("rejected", NOTE, f"{message}; mend that, then `flush --rejected` sends them again")


def _connection(destination: Endpoint, network: bool) -> Iterator[Finding]:
    """What a connection to the endpoint takes: the proxy, the certificate authorities, and the network if allowed."""
    by, usable = None, True
    try:
        by = proxy.choose(destination.url)
        yield Finding("proxy", OK, by.url if by else "none")
    except proxy.Unusable as problem:
        usable = False
        yield Finding("proxy", PROBLEM, f"{problem}: correct it, or nothing is sent")
    try:
        trust.context(destination)
        named = destination.ca_file or os.environ.get("SSL_CERT_FILE") or "this machine"
        yield Finding("authorities", OK, f"those of {named}")
    except trust.Unusable as problem:
        usable = False
        yield Finding("authorities", PROBLEM, f"{problem}: correct it, or nothing is sent")
    if network and by and by.url.startswith("https:"):
        yield Finding("network", NOTE, "not looked at through a proxy that is itself reached by TLS; `flush` tells")
    elif network and usable:
        yield _network(destination, by)


def _network(destination: Endpoint, by: Optional[proxy.Proxy]) -> Finding:
    try:
        _handshake(destination, by)
    except ssl.SSLCertVerificationError as error:
        message = f"the certificate is not one that this machine trusts ({error.verify_message})"
    except OSError as error:
        message = f"it cannot be reached ({proxy.refusal(error) or error.strerror or 'no answer in time'})"
    except (http.client.HTTPException, UnicodeError):
        message = "it cannot be reached: its name is none, or the proxy does not speak HTTP"
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

"""`doctor`: what stands in the way of running chef-run, of recording, and of delivery; and what to do about it."""

import http.client
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from typing import Annotated, NamedTuple, Optional
from urllib.parse import urlsplit

import typer

from launcher import PACKAGE, real
from launcher.cli.output import console, facts, print_json
from launcher.consent import config, decision
from launcher.consent.situation import Situation
from launcher.delivery import proxy, trust
from launcher.delivery.endpoint import Endpoint
from launcher.delivery.plan import plan
from launcher.home import files
from launcher.home.layout import Home

OK, NOTE, PROBLEM = "ok", "note", "problem"
START_UP_FILES = (".bashrc", ".bash_profile", ".bash_aliases", ".profile", ".zshrc", ".config/fish/config.fish")
TIMEOUT = 5  # seconds, for each step of the connection


class Finding(NamedTuple):
    """What was looked at, how it is, and that in words: of a problem, with what to do."""

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
    yield _chef_run(situation)
    yield from _speed()
    yield _telemetry(situation)
    yield from _configs(situation)
    yield from _folder(situation)
    _, destination, _ = plan(situation)
    if destination is None:
        yield Finding("endpoint", NOTE, "none in this distribution: nothing is ever sent")
    elif destination.problem:
        yield Finding("endpoint", PROBLEM, f"refused: {destination.problem}; {destination.named_by} names it")
    else:
        yield Finding("endpoint", OK, f"{destination.url}, by {destination.named_by}")
        yield from _way(destination, network)


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
        text = files.read(path, config.MAX_CONFIG_SIZE, follow=True).decode("utf-8", "replace")
    except OSError:
        return False
    lines = [line.strip() for line in text.splitlines() if "chef-run-launcher" in line]
    return any(line.startswith("alias chef-run") or ("shell-init" in line and line[0] != "#") for line in lines)


def _chef_run(situation: Situation) -> Finding:
    if decision.DEPTH in situation.variables:
        return Finding("chef-run", PROBLEM, f"{decision.DEPTH} is set: a launcher started this one; unset it")
    try:
        path = real.find(situation.variables, situation.config, situation.profile, sys.argv[0])
    except real.NoChefRun as problem:
        return Finding("chef-run", PROBLEM, str(problem))
    return Finding("chef-run", OK, f"{path}, which is not the launcher itself")


def _speed() -> Iterator[Finding]:
    """What a run cannot mend itself: it writes no bytecode."""
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
    if policy.problem:
        yield Finding("system policy", PROBLEM, f"{policy.path}: {policy.problem}")


def _folder(situation: Situation) -> Iterator[Finding]:
    home = situation.home
    if home is None or situation.home_problem:
        yield Finding("folder", PROBLEM, f"{situation.home_problem}: nothing is recorded there")
        return
    yield from list(_ownership(home)) or [
        Finding("folder", OK, home.directory if os.path.exists(home.directory) else f"{home.directory}: not made yet")
    ]


if sys.platform != "win32":

    def _ownership(home: Home) -> Iterator[Finding]:
        """What of ours belongs to somebody else, and which folders others may write to."""
        strangers: list[str] = []
        for folder in (home.directory, home.telemetry, home.rejected):
            try:
                paths = [folder, *sorted(os.path.join(folder, name) for name in os.listdir(folder))]
            except OSError:
                continue
            strangers += [path for path in paths if os.lstat(path).st_uid != os.geteuid()]
            if os.lstat(folder).st_mode & 0o022:
                yield Finding("folder", PROBLEM, f"others may write to it: chmod go-w {folder}")
        if strangers:
            remedy = f"sudo chown -R {os.geteuid()} {home.directory}"
            message = f"{strangers[0]}, say, belongs to another user (after sudo?): {remedy}"
            yield Finding("folder", PROBLEM, message)

else:

    def _ownership(home: Home) -> Iterator[Finding]:
        """Nothing: Windows has other ways to say who may do what."""
        yield from ()


def _way(destination: Endpoint, network: bool) -> Iterator[Finding]:
    """The way to the endpoint: the proxy, the authorities, and the handshake if the network may be used."""
    by, usable = None, True
    try:
        by = proxy.choose(destination.url)
        yield Finding("proxy", OK, by.url if by else "none")
    except proxy.Unusable as problem:
        usable = False
        yield Finding("proxy", PROBLEM, f"{problem}: correct it, or nothing is sent")
    try:
        trust.context(destination)
        yield Finding(
            "authorities", OK, f"those of {destination.ca_file or os.environ.get('SSL_CERT_FILE') or 'this machine'}"
        )
    except trust.Unusable as problem:
        usable = False
        yield Finding("authorities", PROBLEM, f"{problem}: correct it, or nothing is sent")
    if network and by and by.url.startswith("https:"):
        yield Finding("network", NOTE, "not looked at through a proxy that is itself reached by TLS; `flush` tells")
    elif network and usable:
        met = _handshake(destination, by)
        yield Finding("network", PROBLEM if met else OK, met or "the endpoint can be reached")


def _handshake(destination: Endpoint, by: Optional[proxy.Proxy]) -> Optional[str]:
    """Connect to the endpoint, and hang up: what went wrong, if something did."""
    import base64
    import ssl

    parts = urlsplit(destination.url)
    host, port = parts.hostname or "", parts.port
    first = urlsplit(by.url) if by else parts
    at, at_port = first.hostname or "", first.port
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            at, at_port, timeout=TIMEOUT, context=trust.context(destination)
        )
        if by:
            credentials = base64.b64encode(by.user.encode("latin-1")).decode()
            connection.set_tunnel(host, port or 443, {"Proxy-Authorization": f"Basic {credentials}"} if by.user else {})
    else:
        connection = http.client.HTTPConnection(at, at_port, timeout=TIMEOUT)
    try:
        connection.connect()
    except ssl.SSLCertVerificationError as error:
        return f"the certificate is not one that this machine trusts ({error.verify_message})"
    except OSError as error:
        return f"it cannot be reached ({proxy.refusal(error) or error.strerror or 'no answer in time'})"
    except (http.client.HTTPException, UnicodeError):
        return "it cannot be reached: its name is none, or the proxy does not speak HTTP"
    finally:
        connection.close()
    return None

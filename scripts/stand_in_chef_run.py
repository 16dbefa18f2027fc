#!/usr/bin/env python3
"""A stand-in for Chef Workstation's chef-run: it looks the same from outside and touches no host.

What an observer can see is as chef-run 0.9.6 does it: the files under ~/.chef-workstation, output on a pipe
and on a terminal, signals, exit codes. Texts that no program reads are shorter. Left out: the licence prompt,
the download of the policy universe, ~/.ssh/config, and the ten minutes of retries over WinRM. With HOME unset
its files go to a temporary folder. Whatever it cannot write ends it as an uncaught exception, as it does in
Ruby.

The beginning of a target's host name says what the target is and how its run ends:

    win... mac... solaris... aix... ubuntu...       that system; the run succeeds
    freebsd... openbsd... hpux... vmkernel...       not a supported operating system
    rocky... opensuse... alpine...                  Linux, and no Chef Infra Client package to install
    refused... badauth... unresolvable...           no connection
    silent...                                       a server that says nothing: no connection after 30 seconds
    broken...                                       Linux, and the converge fails
    anything else (web01, 127.0.0.1)                Debian; the run succeeds

STAND_IN_SECONDS in the environment is how long the targets take to converge (0.5 by default).
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
import time
import uuid
from typing import Callable, NamedTuple, NoReturn

VERSION = "0.9.6"
SECONDS_OF_SILENCE = 30
NO_INSTALLATION = "00000000-0000-0000-0000-000000000000"
MOST_TARGETS_IN_A_RANGE = 24

EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_CRASHED = 0, 1, 64, 128

BANNER = """\
Creating config file in {config}.

Telemetry is enabled by default in chef-run. The anonymous data helps to
make it better. What is gathered, and how to opt out of it:
https://docs.chef.io/workstation/privacy/

"""

USAGE = """\
chef-run TARGETS RESOURCE NAME [KEY=VALUE...] [FLAGS]
chef-run TARGETS RECIPE [FLAGS]
"""

FLAGS = """\
    -c, --config PATH              -i, --identity-file PATH
    -p, --protocol <PROTOCOL>      -h, --help      -v, --version
        --user <USER>  --password <PASSWORD>  --cookbook-repo-paths PATH
        --[no-]sudo  --sudo-command <COMMAND>  --sudo-options 'OPTIONS...'  --sudo-password <PASSWORD>
        --[no-]ssl  --[no-]ssl-verify  --[no-]install  --chef-license ACCEPTANCE
"""

UNEXPECTED = """\
CHEFINT001

An unexpected error has occurred:

  {}

If you cannot resolve this issue, contact Chef support with the log file and the stack trace.
"""

RULE = "-=" * 30

FLAGS_WITH_A_VALUE = {
    *("config", "identity-file", "protocol", "user", "password", "cookbook-repo-paths"),
    *("sudo-command", "sudo-options", "sudo-password", "chef-license"),
}
FLAGS_ALONE = {
    *("help", "version", "ssl", "no-ssl", "ssl-verify", "no-ssl-verify"),
    *("sudo", "no-sudo", "install", "no-install"),
}
SHORT_FLAGS = {
    "c": "config",
    "i": "identity-file",
    "p": "protocol",
    "u": "user",
    "h": "help",
    "v": "version",
}


class Failure(Exception):
    """An error that chef-run handles: it prints the text, and its payload names the id.

    The summary is what a target's row shows of it; without one, the first line of the text.
    """

    def __init__(self, error_id: str, text: str, summary: str = "") -> None:
        super().__init__(error_id)
        self.error_id = error_id
        self.text = text
        self.summary = summary or text.partition("\n")[0]


class ConfigError(Exception):
    """A configuration that cannot be used. chef-run explains it, and exits with 0."""


class Crash(Exception):
    """An error in chef-run's own error printer: exit 128, and no payload."""


class Interrupted(BaseException):
    """A signal ended the run. Its text is what chef-run prints of it."""


class Machine(NamedTuple):
    """A kind of target: its system as a payload writes it, and the action that fails on it, if one does."""

    family: str = "linux"
    release: str = "'12.11'"
    architecture: str = "x86_64"
    failing: str = ""
    error_id: str = ""
    text: str = ""
    summary: str = ""


class Target(NamedTuple):
    host: str
    transport: str
    user: str
    machine: Machine


def unsupported(name: str) -> Machine:
    text = f"'{name}' is not a supported target operating system at this time.\n\nUse Windows or Linux."
    return Machine(failing="connect", error_id="CHEFTARG001", text=text)


def unreachable(reason: str) -> Machine:
    return Machine(failing="connect", error_id="CHEFTRN999", text=f"Connection failed: {reason}\n\n{reason}")


def without_package(platform: str, release: str) -> Machine:
    text = (
        "No artifacts found matching criteria.\n  product name: chef\n"
        f"  platform: {platform}\n  platform version: {release}\n  architecture: x86_64"
    )
    return Machine(
        release=f"'{release}'",
        failing="install",
        error_id="Mixlib::Install::Backend::ArtifactsNotFound",
        text=UNEXPECTED.format(text),
        summary=text,
    )


MACHINES = {
    "win": Machine("windows", "10.0.20348"),
    "mac": Machine("macos", "23.4.0", "arm64"),
    "solaris": Machine("solaris", "'11'", "i386"),
    "aix": Machine("aix", "'7.2'", "powerpc"),
    "ubuntu": Machine("linux", "'22.04'"),
    "freebsd": unsupported("freebsd"),
    "openbsd": unsupported("openbsd"),
    "hpux": unsupported("hpux"),
    "vmkernel": unsupported("vmkernel"),
    "rocky": without_package("rocky", "9.4"),
    "opensuse": without_package("opensuse", "15.6"),
    "alpine": without_package("alpine", "3.20.1"),
    "refused": unreachable("Connection refused - connect(2) for {host}:22"),
    "badauth": unreachable("Authentication failed for user {user}@{host}"),
    "silent": unreachable("timeout during server version negotiating"),
    "unresolvable": Machine(
        failing="connect",
        error_id="SocketError",
        text="A network error occurred:\n\n  getaddrinfo: Name or service not known",
        summary="getaddrinfo: Name or service not known",
    ),
    "broken": Machine(
        failing="converge",
        error_id="CHEFCCR099",
        text="The converge of the remote host failed.\n\nPlease examine the log file for the cause.",
        summary="Failed to converge.",
    ),
}

# What the plain display writes in place of a failure's text.
ERROR_CLASSES = {
    "CHEFTARG001": "ChefApply::TargetHost::UnsupportedTargetOS",
    "CHEFTRN999": "ChefApply::TargetHost::ConnectionFailure",
}


def write(text: str) -> None:
    """Write all of it to standard output, now; a signal may cut a write to a terminal short."""
    rest = text.encode("utf-8", "surrogateescape")
    while rest:
        rest = rest[os.write(1, rest) :]


# --- The command line and the configuration


class CommandLine(NamedTuple):
    words: list[str]
    options: dict[str, str]


def parse_command_line(argv: list[str]) -> CommandLine:
    words: list[str] = []
    options: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if word == "--":
            words += rest
            break
        if word == "-" or not word.startswith("-"):
            words.append(word)
            continue
        name, value = parse_flag(word)
        if name in FLAGS_WITH_A_VALUE and value is None:
            if not rest:
                text = UNEXPECTED.format(f"missing argument: {word}")
                raise Failure("OptionParser::MissingArgument", text)
            value = rest.pop(0)
        options[name] = value or ""
    return CommandLine(words, options)


def parse_flag(word: str) -> tuple[str, str | None]:
    """The flag's full name, and its value where the word itself holds one (`--user=x`, `-ux`)."""
    if word.startswith("--"):
        typed, equals, value = word[2:].partition("=")
        names = FLAGS_WITH_A_VALUE | FLAGS_ALONE
        matches = [typed] if typed in names else [name for name in names if name.startswith(typed)]
        if len(matches) == 1:
            return matches[0], value if equals else None
    elif word[1] in SHORT_FLAGS:
        return SHORT_FLAGS[word[1]], word[2:] or None
    raise Failure("CHEFVAL010", f"The flag '{word}' does not exist.\n\nAvailable flags are:\n{FLAGS}")


def read_config(path: str) -> dict[str, str]:
    """The settings as `section.key`. Only as much of TOML as these files use."""
    settings: dict[str, str] = {}
    if not os.path.exists(path):
        return settings
    section = ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            text = line.partition("#")[0].strip()
            key, equals, value = (part.strip() for part in text.partition("="))
            if text.startswith("[") and text.endswith("]"):
                section = text.strip("[] ")
            elif equals:
                settings[f"{section}.{key}"] = value.strip("\"'")
            elif text:
                raise ConfigError(f"Error in configuration file.\n\nWhen loading '{path}': {text}")
    return settings


def config_path(argv: list[str], default: str) -> str:
    """The file that is loaded: only the separate words `-c FILE` name another one than the default."""
    if "-c" not in argv:
        return default
    given = argv[argv.index("-c") + 1 :][:1]
    if not given or not os.path.isfile(given[0]):
        raise ConfigError(f"The path '{''.join(given)}' is not a valid file, or it cannot be read.")
    return given[0]


# --- Targets


def resolve_targets(words: str, options: dict[str, str], settings: dict[str, str]) -> list[Target]:
    # Lower case for the whole word, password and all, is what the real program does.
    urls = [url for word in words.lower().rstrip(",").split(",") if word for url in expand_ranges(word)]
    protocol = options.get("protocol", settings.get("connection.default_protocol", "ssh"))
    return [parse_target(url, protocol, options.get("user", "root")) for url in dict.fromkeys(urls)]


def expand_ranges(word: str) -> list[str]:
    """`web[1:3]` is web1, web2 and web3. Of two ranges the last one changes slowest."""
    ranges = list(re.finditer(r"\[([0-9a-z]+):([0-9a-z]+)\]", word))
    if len(ranges) > 2:
        raise Failure("CHEFRANGE002", f"The target '{word}' contains too many ranges.")
    if not ranges:
        return [word]
    found = ranges[-1]
    values = range_values(*found.groups())
    names = [name for value in values for name in expand_ranges(word[: found.start()] + value + word[found.end() :])]
    if len(names) > MOST_TARGETS_IN_A_RANGE:
        raise Crash("The range names too many targets.")
    return names


def range_values(first: str, last: str) -> list[str]:
    if first.isdigit() and last.isdigit():
        low, high = sorted((int(first), int(last)))
        return [str(number) for number in range(low, high + 1)]
    if len(first) == len(last) == 1 and first.isalpha() and last.isalpha():
        low, high = sorted((ord(first), ord(last)))
        return [chr(letter) for letter in range(low, high + 1)]
    raise Crash("A range is of numbers or of letters.")


def parse_target(url: str, protocol: str, default_user: str) -> Target:
    scheme, separator, rest = url.rpartition("://")
    transport = scheme if separator else protocol
    if separator and transport not in ("ssh", "winrm"):
        raise Failure("CHEFVAL011", f"The protocol '{transport}' is not supported.")
    if transport not in ("ssh", "winrm"):
        text = f"Can't find train plugin {transport}. Please install it first.."
        raise Failure("Train::PluginLoadError", UNEXPECTED.format(text))
    credentials, _, address = re.split(r"[/?#]", rest)[0].rpartition("@")
    host = address[1:].partition("]")[0] if address.startswith("[") else address.partition(":")[0]
    user = credentials.partition(":")[0] or default_user
    return Target(host, transport, user, machine_of(host))


def machine_of(host: str) -> Machine:
    for prefix, machine in MACHINES.items():
        if host.startswith(prefix):
            return machine
    return Machine()


# --- Three ways to show a run


class Silence:
    """Off a terminal nothing shows but errors."""

    def step(self, *texts: str) -> None:
        """Show a step of the preparation; the last of the texts says that it is done."""

    def start(self, header: str, targets: list[Target]) -> None:
        """Show the header and a row for each target."""

    def status(self, row: int, text: str) -> None:
        """Show what is being done on a target."""

    def finished(self, row: int, text: str, failure: Failure | None = None) -> None:
        """Show how it ended on a target."""

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    def end(self, ok: bool) -> None:
        """Show how the run ended."""

    def abort(self) -> None:
        """Leave the terminal usable."""


class Lines(Silence):
    """`[dev] spinner=false`: a line for each change, on a terminal and off it."""

    def step(self, *texts: str) -> None:
        for text in ("...", *texts):
            write(f"[ - ] {text}\n")

    def start(self, header: str, targets: list[Target]) -> None:
        self.hosts = [target.host for target in targets]
        write(f"[ HEADER ] {header}\n")

    def status(self, row: int, text: str) -> None:
        write(f"[ - ] [{self.hosts[row]}] {text}\n")

    def finished(self, row: int, text: str, failure: Failure | None = None) -> None:
        self.status(row, text)
        if failure:
            name = ERROR_CLASSES.get(failure.error_id, failure.error_id)
            write(f"[ERR] [{self.hosts[row]}] {name}\n")


class Spinner(Silence):
    """Rows redrawn in place, as the tty-spinner gem draws them, with the cursor hidden meanwhile."""

    FRAMES = "|/-\\"
    SECONDS_OF_A_FRAME = 0.1
    HIDE, SHOW, SAVE, RESTORE = "\x1b[?25l", "\x1b[?25h", "\x1b7", "\x1b8"
    CLEAR = "\x1b[0m\x1b[2K\x1b[1G"

    def step(self, *texts: str) -> None:
        write(f"{self.HIDE}\x1b[1G[|] ...")
        for text in texts[:-1]:
            for frame in self.FRAMES:
                write(f"{self.CLEAR}[{frame}] {text}")
        write(f"{self.CLEAR}[✔] {texts[-1]}\n{self.SHOW}")

    def start(self, header: str, targets: list[Target]) -> None:
        self.names = [f"[{target.host}] " for target in targets]
        self.header = header
        self.texts = [":status"] * len(targets)
        self.marks = [""] * len(targets)
        self.frame = 0
        write(self.HIDE + "\n" * (1 + len(targets)))
        self.redraw()

    def status(self, row: int, text: str) -> None:
        self.texts[row] = text
        self.redraw()

    def finished(self, row: int, text: str, failure: Failure | None = None) -> None:
        self.marks[row] = "✖" if failure else "✔"
        self.status(row, text)

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, self.SECONDS_OF_A_FRAME))
            self.redraw()

    def end(self, ok: bool) -> None:
        self.redraw("✔" if ok else "✖")
        write(self.SHOW)

    def abort(self) -> None:
        write(self.SHOW)

    def redraw(self, mark: str = "") -> None:
        frame = self.FRAMES[self.frame % len(self.FRAMES)]
        self.frame += 1
        count = len(self.names)
        self.draw(count + 1, f"[{mark or frame}] {self.header}")
        for row in range(count):
            branch = "└── " if row == count - 1 else "├── "
            text = f"{branch}[{self.marks[row] or frame}] {self.names[row]}{self.texts[row]}"
            self.draw(count - row, text)

    def draw(self, lines_up: int, text: str) -> None:
        write(f"{self.SAVE}\x1b[{lines_up}A{self.CLEAR}{text}{self.RESTORE}")


# --- Files


class Payload:
    """chef-run's own telemetry session, written at the end of a run."""

    def __init__(self, folder: str, installation_id: str, enabled: bool) -> None:
        self.folder = folder
        self.installation_id = installation_id
        self.enabled = enabled
        self.entries: list[str] = []
        self.timestamp = ""

    def remove_earlier(self) -> None:
        """Each run begins so, whether or not it may write one of its own."""
        for name in os.listdir(self.folder):
            if name.startswith("telemetry-payload-"):
                try:
                    os.unlink(os.path.join(self.folder, name))
                except FileNotFoundError:
                    pass  # another run was first; the real one does this in a thread whose errors nobody sees

    def action(self, name: str, seconds: float, target: Target | None = None) -> None:
        block = "  :platform: {}\n  :hostname_sha1:\n  :transport_type:\n"
        if target:
            machine = target.machine
            sha1 = hashlib.sha1(target.host.encode("utf-8", "surrogateescape")).hexdigest()
            block = (
                f"  :platform:\n    :name: :{machine.family}\n    :version: {machine.release}\n"
                f"    :architecture: {machine.architecture}\n"
                f"  :hostname_sha1: {sha1}\n  :transport_type: {target.transport}\n"
            )
        self.capture("action", f":action: {name}\n:target:\n{block}:duration: {seconds!r}\n")

    def error(self, error_id: str) -> None:
        self.capture("error", f":exception:\n  :id: {error_id}\n  :message: redacted\n")

    def run(self, seconds: float) -> None:
        self.capture("run", f":arguments:\n- :redacted\n:duration: {seconds!r}\n")

    def capture(self, event: str, data: str) -> None:
        self.timestamp = self.timestamp or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.entries.append(
            f"- :event: :{event}\n  :properties:\n    :installation_id: {self.installation_id}\n"
            f"    :run_timestamp: '{self.timestamp}'\n    :host_platform: {sys.platform}\n    :event_data:\n"
            + "".join(f"      {line}\n" for line in data.splitlines())
        )

    def commit(self) -> None:
        """Write the entries, newest first, under the lowest number that is free."""
        if not self.enabled:
            return
        number = 1
        while os.path.exists(path := os.path.join(self.folder, f"telemetry-payload-{number}.yml")):
            number += 1
        write_file(path, "---\nversion: 1.1.1\nentries:\n" + "".join(reversed(self.entries)))


def set_up(home: str) -> None:
    """The folders, always; the banner, config.toml and installation_id only where there was no folder yet."""
    first_run = not os.path.exists(home)
    config = os.path.join(home, "config.toml")
    if first_run:
        write(BANNER.format(config=config))
    for folder in ("logs", "telemetry"):
        os.makedirs(os.path.join(home, folder), exist_ok=True)
    if first_run:
        write_file(config, "")
        write_file(os.path.join(home, "installation_id"), str(uuid.uuid4()))


def write_file(path: str, text: str, mode: str = "w") -> None:
    with open(path, mode, encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)


def read_installation_id(home: str) -> str:
    try:
        with open(os.path.join(home, "installation_id"), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return NO_INSTALLATION


def log_failure(home: str, argv: list[str], failure: Failure) -> None:
    """The stack trace holds the command line in full, passwords and all: so does the real one."""
    text = f"Error encountered while running the following:\n  {' '.join(argv)}\n{failure.error_id}\n"
    write_file(os.path.join(home, "logs", "stack-trace.log"), text, "a")


def failures_of_several(home: str, targets: list[Target], failures: dict[int, Failure]) -> Failure:
    """Write the failures to errors.txt, one line for each; what is printed names only that file."""
    lines = []
    for row, failure in sorted(failures.items()):
        error = f"Error: {failure.error_id}:" if failure.error_id.startswith("CHEF") else ":"
        lines.append(f"Host: {targets[row].host} {error} {' '.join(failure.text.split())}\n")
    path = os.path.join(home, "logs", "errors.txt")
    write_file(path, "".join(lines))
    return Failure("CHEFMULTI001", f"One or more actions has failed.\n\nThe failures are in:\n\n  {path}\n")


# --- A run


def main(argv: list[str]) -> int:
    if "HOME" in os.environ:
        return chef_run(argv, os.path.join(os.environ["HOME"], ".chef-workstation"))
    import tempfile  # slow to import, and hardly ever needed

    with tempfile.TemporaryDirectory() as home:
        return chef_run(argv, os.path.join(home, ".chef-workstation"))


def chef_run(argv: list[str], home: str) -> int:
    set_up(home)
    try:
        settings = read_config(config_path(argv, os.path.join(home, "config.toml")))
    except ConfigError as error:
        write(f"\n{error}\n")
        return EXIT_OK
    write_file(os.path.join(home, "logs", "default.log"), "")
    enabled = "CHEF_TELEMETRY_OPT_OUT" not in os.environ and settings.get("telemetry.enabled") != "false"
    payload = Payload(os.path.join(home, "telemetry"), read_installation_id(home), enabled)
    payload.remove_earlier()
    display = choose_display(settings)
    began = time.monotonic()
    code = EXIT_OK
    try:
        turn_signals_into_exceptions()
        perform(argv, home, settings, display, payload)
    except Failure as failure:
        write(f"\n{failure.text}\n")
        payload.error(failure.error_id)
        log_failure(home, argv, failure)
        code = EXIT_FAILED
    except Crash as crash:
        write_internal_error(str(crash))
        return EXIT_CRASHED
    except Interrupted as interrupted:
        display.abort()
        write_internal_error(str(interrupted))
        code = EXIT_INTERRUPTED
    payload.run(time.monotonic() - began)
    payload.commit()
    return code


def turn_signals_into_exceptions() -> None:
    """Only now: a signal during start-up kills, as by default. What the caller ignores stays ignored."""
    handled = [
        number
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1")
        if (number := getattr(signal, name, None)) and signal.getsignal(number) is not signal.SIG_IGN
    ]

    def interrupt(received: int, frame: object) -> NoReturn:
        for number in handled:  # the first one ends the run; a second one changes nothing
            signal.signal(number, signal.SIG_IGN)
        raise Interrupted("" if received == signal.SIGINT else signal.Signals(received).name)

    for number in handled:
        signal.signal(number, interrupt)


def write_internal_error(message: str) -> None:
    write(f"INTERNAL ERROR\n{RULE}\nMessage:\n{message}\nBacktrace:\nstand-in\n{RULE}\n")


def choose_display(settings: dict[str, str]) -> Silence:
    if settings.get("dev.spinner") == "false":
        return Lines()
    return Spinner() if os.isatty(1) else Silence()


def perform(argv: list[str], home: str, settings: dict[str, str], display: Silence, payload: Payload) -> None:
    """One command, from its arguments to its end. Raises Failure, Crash or Interrupted."""
    words, options = parse_command_line(argv)
    if "help" in options or not argv:
        return write(f"Chef Run is a tool to execute ad-hoc tasks.\n\n{USAGE}\nFLAGS:\n{FLAGS}")
    if "version" in options:
        return write(f"chef-run: {VERSION}\n")
    if len(words) < 2:
        raise Failure("CHEFVAL002", f"A target and a resource or recipe are required.\n\n{USAGE}")
    for word in words[3:]:
        if not re.match(r"\w+=", word):
            text = f"Property '{word}' did not match the 'key=value' syntax required\n\n{USAGE}"
            raise Failure("CHEFVAL003", text)
    targets = resolve_targets(words[0], options, settings)
    if not targets:
        return None
    is_resource = len(words) > 2
    task = f"{words[1]}[{words[2]}]" if is_resource else words[1]
    began = time.monotonic()
    display.step("Packaging cookbook...", "Packaging cookbook... done!")
    packed = time.monotonic()
    payload.action("GenerateCookbookFromResource" if is_resource else "GenerateCookbookFromRecipe", packed - began)
    policy = "Generating local policyfile..."
    display.step(policy, f"{policy} exporting...", f"{policy} exporting... done!")
    payload.action("GenerateLocalPolicy", time.monotonic() - packed)
    plural = "s" if len(targets) > 1 else ""
    display.start(f"Applying {task} from {'resource' if is_resource else 'recipe'} to target{plural}.", targets)
    failures = apply(task, targets, display, payload)
    display.end(ok=not failures)
    if failures and len(targets) > 1:
        raise failures_of_several(home, targets, failures)
    for failure in failures.values():
        raise failure
    return None


def apply(task: str, targets: list[Target], display: Silence, payload: Payload) -> dict[int, Failure]:
    """Connect, install and converge. The failures, by the target's row."""
    failures: dict[int, Failure] = {}

    def on_each(action: Callable[[int, Target], None]) -> None:
        for row, target in enumerate(targets):
            if row in failures:
                continue
            try:
                action(row, target)
            except Failure as failure:
                failures[row] = failure
                display.finished(row, failure.summary, failure)

    def connect(row: int, target: Target) -> None:
        display.status(row, f"Connecting as {target.user}...")
        if target.host.startswith("silent"):
            display.pause(SECONDS_OF_SILENCE)
        fail_if(target, "connect")
        display.status(row, "Connected.")

    def install(row: int, target: Target) -> None:
        began = time.monotonic()
        display.status(row, "Verifying Chef Infra Client installation.")
        payload.action("InstallChef", time.monotonic() - began, target)
        fail_if(target, "install")
        display.status(row, "Chef Infra Client version 18.5.0 already installed on target.")
        display.status(row, "Pushing remote policy to target...")

    def converge(row: int, target: Target) -> None:
        payload.action("ConvergeTarget", seconds, target)
        fail_if(target, "converge")
        display.finished(row, f"Successfully converged {task}.")

    on_each(connect)
    on_each(install)
    on_each(lambda row, target: display.status(row, f"Applying {task}..."))
    seconds = float(os.environ.get("STAND_IN_SECONDS", "0.5")) if len(failures) < len(targets) else 0.0
    display.pause(seconds)
    on_each(converge)
    return failures


def fail_if(target: Target, action: str) -> None:
    machine = target.machine
    if machine.failing == action:
        text = machine.text.replace("{host}", target.host).replace("{user}", target.user)
        raise Failure(machine.error_id, text, machine.summary)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

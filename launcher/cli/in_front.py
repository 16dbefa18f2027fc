"""Whether `chef-run`, as this user's shell finds it, is the launcher."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping

from launcher import PACKAGE, real

TIMEOUT = 5  # seconds that a shell may take to start and to answer
MARK = "-- answer --"  # in front of the answer: start-up files may print as well
ASKED = ("bash", "zsh", "fish")
# The start-up file of a shell, and the line that it needs.
LINES = {
    "bash": ("~/.bashrc", 'eval "$(chef-run-launcher shell-init bash)"'),
    "zsh": ("~/.zshrc", 'eval "$(chef-run-launcher shell-init zsh)"'),
    "fish": ("~/.config/fish/config.fish", "chef-run-launcher shell-init fish | source"),
}
POWERSHELL = ("$PROFILE", "chef-run-launcher shell-init powershell | Out-String | Invoke-Expression")
# What may stand in front of a command and changes nothing of what it is.
TRANSPARENT = ("command", "env", "exec", "nohup", "time")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# How the alias and the function of shell-init start the launcher.
OURS = ('"${__chef_run[@]:', "$launcher exec $argv")


def examine(variables: Mapping[str, str], *, has_chef_run: bool) -> tuple[bool | None, str, str]:
    """Whether the launcher is in front, and a sentence that says so, or what is in front and what to do about it.

    None if that is so only as far as can be told, or for no other reason than that there is no chef-run at all. If what
    to do takes a line to be copied, the sentence ends before it, and the line comes by itself; else that is empty.
    """
    shell = os.path.basename(variables.get("SHELL", ""))
    answer = _ask(variables) if shell in ASKED else None
    if answer is not None and _leads_to_us(answer, variables):
        at_login = _ask(variables, "-l") if shell == "bash" else None
        if at_login is not None and not _leads_to_us(at_login, variables) and not _is_a_path_of_ours(at_login):
            problem = "login shells of bash do not read ~/.bashrc here; add this line to ~/.bash_profile"
            return None, problem, "[ -f ~/.bashrc ] && . ~/.bashrc"
        return True, f"{shell} runs chef-run through the launcher", ""
    found = _on_path(variables)
    first = found[0] if found else None
    whose = "your PATH"
    if answer is not None:
        whose = shell
        first = _path_in(answer)
        if answer and not first and "not found" not in answer:
            what, line = _line(shell)
            return False, f"{shell} has an alias or a function of its own for chef-run; {what}", line
    if first and real.is_launcher(first, sys.argv[0]):
        if shell and answer is None:
            finds = f"it finds {first}, the launcher, unless an alias comes before it"
            return None, f"{shell} could not be asked: {finds}", ""
        return True, f"{first} is the launcher", ""
    if not first and not has_chef_run:
        what, line = _remedy(shell)
        return None, f"{whose} finds no chef-run, as there is none; once it is installed, {what}", line
    behind = next((path for path in found if real.is_launcher(path, sys.argv[0])), None)
    if first and behind:
        what, line = _line(shell)
        return False, f"{whose} finds {first} before {behind}; {what}", line
    what, line = _remedy(shell)
    return False, f"{whose} finds {f'{first}, not the launcher' if first else 'no chef-run'}; {what}", line


def _leads_to_us(answer: str, variables: Mapping[str, str]) -> bool:
    """Whether what the shell said is an alias or a function, and one that starts the launcher."""
    found = re.match(
        r"chef-run is (?:aliased to `(.*)'|an alias for (.*)|a (?:shell )?function\b(.*))", answer, re.DOTALL
    )
    if found is None:
        return False
    text = "".join(filter(None, found.groups()))
    return any(mark in text for mark in OURS) or any(_starts_us(line, variables) for line in text.splitlines())


def _path_in(answer: str) -> str | None:
    """The path of a program, if that is what the shell said."""
    found = re.search(r" is (?:hashed \()?(/[^)\n]*)", answer)
    return found[1] if found else None


def _is_a_path_of_ours(answer: str) -> bool:
    path = _path_in(answer)
    return path is not None and real.is_launcher(path, sys.argv[0])


def _starts_us(line: str, variables: Mapping[str, str]) -> bool:
    """Whether it is one command of a launcher that exists: `chef-run-launcher exec`, or by a name of chef-run's.

    By itself or by a Python, and with variables of its own.
    """
    try:
        words = [os.path.expanduser(os.path.expandvars(word)) for word in shlex.split(line)]
    except ValueError:
        return False
    while words and (words[0] in TRANSPARENT or ASSIGNMENT.match(words[0])):
        words = words[1:]
    path = shutil.which(words[0], path=variables.get("PATH")) if words else None
    if path is None:
        return False
    if real.is_launcher(path, sys.argv[0]):
        return words[1:2] == ["exec"] or os.path.basename(words[0]) == "chef-run"
    if not os.path.basename(path).startswith("python") or "exec" not in words[2:]:
        return False
    return _python_starts_us([path, *words[1 : words.index("exec")]], variables)


def _python_starts_us(command: list[str], variables: Mapping[str, str]) -> bool:
    """Whether this Python has a launcher to start: as a module, or as a file."""
    if command[-2:] != ["-m", "launcher"]:
        file = command[-1]
        is_main = os.path.basename(file) == "__main__.py" and os.path.basename(os.path.dirname(file)) == "launcher"
        return real.is_launcher(file, sys.argv[0]) or (is_main and os.path.isfile(file))
    asked = [*command[:-2], "-c", "import launcher.entry"]
    try:
        done = subprocess.run(asked, env=dict(variables), capture_output=True, timeout=TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _ask(variables: Mapping[str, str], *options: str) -> str | None:
    """What the shell says that chef-run is, once it has read its start-up files; None if it cannot be asked."""
    command = [variables["SHELL"], *options, "-i", "-c", f"echo '{MARK}'; type chef-run"]
    try:
        # In a session of its own: an interactive shell would take the terminal for itself.
        done = subprocess.run(
            command,
            env={**variables, "HISTFILE": os.devnull, "LANGUAGE": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    _, mark, answer = os.fsdecode(done.stdout).partition(MARK)
    return answer.strip() if mark else None


def _on_path(variables: Mapping[str, str]) -> list[str]:
    """Every chef-run on the PATH, the first one first."""
    found = (shutil.which("chef-run", path=place) for place in variables.get("PATH", os.defpath).split(os.pathsep))
    return [path for path in found if path]


def _remedy(shell: str) -> tuple[str, str]:
    """What to do, and the line that it takes."""
    setup = os.path.join(PACKAGE, "../../../libexec/setup")  # which our packages have
    if os.path.exists(setup):
        return "run", shlex.join(["sudo", os.path.normpath(setup), "front"])
    return _line(shell)


def _line(shell: str) -> tuple[str, str]:
    if shell and shell not in (*LINES, "pwsh"):
        link = "put a symbolic link named chef-run to chef-run-launcher into a directory that comes earlier in the PATH"
        return link, ""
    file, line = POWERSHELL if shell == "pwsh" else LINES.get(shell, LINES["bash"])
    return f"add this line to the end of {file}", line

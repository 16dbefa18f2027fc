"""What a shell evaluates to have chef-run started through us: `eval "$(chef-run-launcher shell-init bash)"`.

An alias, where the shell has them: `\\chef-run` and `command chef-run` still reach the original, scripts are left
alone, and Ctrl-Z suspends one simple command, as without us.
"""

from __future__ import annotations

import os
import shlex
import sys

from launcher import PACKAGE

MAIN = os.path.join(PACKAGE, "__main__.py")

# zsh expands the alias before it completes, and so completes a command line of Python. If it is ours, the words that
# follow are completed as chef-run's. Its completion is looked up then, and so may be defined after this.
ZSH_COMPLETION = """\
if (( ${+functions[compdef]} )); then
  _chef_run_launcher() {
    (( CURRENT > 5 )) && [[ ${(Q)words[4]} == %(main)s && $words[5] == exec ]] || return
    shift 4 words
    (( CURRENT -= 4 ))
    words[1]=chef-run
    _normal
    _compskip=all
  }
  () { compdef -p _chef_run_launcher "${(b)1}"; } %(python)s
fi"""


def show(shell: str) -> None:
    """Print the text for this shell, one of SHELLS."""
    sys.stdout.buffer.write(os.fsencode(script(shell) + "\n"))  # a path may hold bytes that are not UTF-8
    sys.stdout.flush()


def script(shell: str) -> str:
    """The text for this shell, one of SHELLS."""
    return SHELLS[shell](_start())


def _start() -> list[str]:
    """The fastest start of a wrapped run, isolated from the user's Python settings."""
    return [sys.executable, "-I", "-S", MAIN, "exec"]


def _bash(start: list[str]) -> str:
    return f"alias chef-run={shlex.quote(shlex.join(start))}"


def _zsh(start: list[str]) -> str:
    # Quoted twice: zsh compares the word as it is written in the alias.
    names = {"python": shlex.quote(shlex.quote(start[0])), "main": shlex.quote(MAIN)}
    return f"{_bash(start)}\n{ZSH_COMPLETION % names}"


def _fish(start: list[str]) -> str:
    command = " ".join("'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'" for word in start)
    return f"function chef-run --description 'chef-run, by way of chef-run-launcher'\n  {command} $argv\nend"


def _powershell(start: list[str]) -> str:
    command = " ".join("'" + word.replace("'", "''") + "'" for word in start)
    return (
        "function global:chef-run {\n"
        f"  if ($MyInvocation.ExpectingInput) {{ $input | & {command} @args }} else {{ & {command} @args }}\n"
        "}"
    )


SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}

"""What a shell evaluates to have chef-run started through us: `eval "$(chef-run-launcher shell-init bash)"`.

An alias, where the shell has them: `\\chef-run` and `command chef-run` still reach the original, scripts are left
alone, and it is one simple command, as without us: Ctrl-Z suspends it, `$!` is its process, and `fg` gives its exit
code. Where our files have gone from under an open shell, chef-run is started without us.
"""

from __future__ import annotations

import os
import shlex
import sys

from launcher import PACKAGE

MAIN = os.path.join(PACKAGE, "__main__.py")

# The command is four of eight words, and which four is asked when it is started, not when it is defined: a fork of the
# shell, less than a millisecond. A function would save that; but bash gives a function one more process in the
# background, and zsh loses its exit code when it has been suspended. The sh drops our `exec`.
COMMAND = '"${__chef_run[@]:$(__chef_run):4}"'
BASH = """\
__chef_run=(%(start)s /bin/sh -c 'shift; exec chef-run "$@"' chef-run)
__chef_run() {
  [[ -x %(python)s && -e %(main)s ]]
  printf %%d $(( $? * 4 ))
}
alias chef-run=%(command)s"""

# zsh expands the alias before it completes, and so completes a command line of ours. The words that follow are
# completed as chef-run's. Its completion is looked up then, and so may be defined after this.
ZSH_COMPLETION = """\
if (( ${+functions[compdef]} )); then
  _chef_run_launcher() {
    (( CURRENT > 2 )) && [[ $words[2] == exec ]] || return
    shift words
    (( CURRENT -= 1 ))
    words[1]=chef-run
    _normal
    _compskip=all
  }
  () { compdef -p _chef_run_launcher "${(b)1}"; } %s
fi"""


def show(shell: str) -> None:
    """Print the text for this shell, one of SHELLS."""
    sys.stdout.buffer.write(os.fsencode(script(shell) + "\n"))  # a path may hold bytes that are not UTF-8
    sys.stdout.flush()


def script(shell: str) -> str:
    """The text for this shell, one of SHELLS."""
    return SHELLS[shell](_start())


def _start() -> list[str]:
    """The fastest start of the launcher, isolated from the user's Python settings."""
    return [sys.executable, "-I", "-S", MAIN]


def _bash(start: list[str]) -> str:
    names = {"start": shlex.join(start), "python": shlex.quote(start[0]), "main": shlex.quote(MAIN)}
    return BASH % {**names, "command": shlex.quote(f"{COMMAND} exec")}


def _zsh(start: list[str]) -> str:
    return f"{_bash(start)}\n{ZSH_COMPLETION % shlex.quote(COMMAND)}"


def _fish(start: list[str]) -> str:
    words = ["'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'" for word in start]
    return (
        "function chef-run --description 'chef-run, by way of chef-run-launcher'\n"
        f"  set -l launcher {' '.join(words)}\n"
        "  if test -x $launcher[1]; and test -e $launcher[4]\n"
        "    $launcher exec $argv\n"
        "  else\n"
        "    command chef-run $argv\n"
        "  end\n"
        "end"
    )


def _powershell(start: list[str]) -> str:
    words = ["'" + word.replace("'", "''") + "'" for word in start]
    ours = f"{' '.join(words)} 'exec' @args"
    return (
        "function global:chef-run {\n"
        f"  if (-not ((Test-Path -LiteralPath {words[0]}) -and (Test-Path -LiteralPath {words[-1]}))) {{\n"
        "    $original = (Get-Command chef-run -CommandType Application -TotalCount 1 -ErrorAction Stop).Path\n"
        "    if ($MyInvocation.ExpectingInput) { $input | & $original @args } else { & $original @args }\n"
        "    return\n"
        "  }\n"
        f"  if ($MyInvocation.ExpectingInput) {{ $input | & {ours} }} else {{ & {ours} }}\n"
        "}"
    )


SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}

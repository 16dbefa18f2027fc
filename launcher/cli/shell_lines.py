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
ASKS = "_CHEF_RUN_LAUNCHER_COMPLETE"  # has a command of ours say what may follow on its line
WAY_OUT = os.path.join(PACKAGE, "fallback.py")

# The command is a part of these words, and which one is asked when it is started, not when it is defined. The answer is
# where that part begins: `__chef_run` leaves it in arithmetic or prints it, and `$?` as it was, for who passes that on.
# A function instead of the alias would be one more process in the background of bash, which `kill $!` then ends instead
# of chef-run, and loses its exit code in zsh when it has been suspended.
WORDS = """\
__chef_run=(%(start)s exec command chef-run)
"""

# Before 5.3, bash asks in a fork of itself: 0.7 to 1 ms.
BASH = (
    WORDS
    + """\
__chef_run() {
  local code=$?
  if [[ -x %(python)s && -s %(main)s && -s %(way_out)s ]]; then printf 0; else printf 5; fi
  return "$code"
}
alias chef-run='"${__chef_run[@]:$(__chef_run):5}"'
if (( BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 503 )); then
  alias chef-run='"${__chef_run[@]:${ __chef_run; }:5}"'
fi
_chef_run_launcher() {
  local IFS=$'\\n'
  COMPREPLY=($(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" %(asks)s=complete_bash "$1" 2>/dev/null))
}
complete -o default -F _chef_run_launcher chef-run-launcher"""
)

ZSH_COMMAND = '"${__chef_run[@]:$((__chef_run())):5}"'
# zsh expands the alias before it completes, and so completes a command line of ours. The words that follow are
# completed as chef-run's. Its completion is looked up then, and so may be defined after this.
ZSH = (
    WORDS
    + """\
__chef_run() {
  if [[ -x %(python)s && -s %(main)s && -s %(way_out)s ]]; then (( 0 )) || :; else (( 5 )); fi
}
functions -M __chef_run 0 0
alias chef-run=%(command)s
if (( ${+functions[compdef]} )); then
  _chef_run_launcher() {
    (( CURRENT > 1 )) || return
    words[1]=chef-run
    _normal
    _compskip=all
  }
  () { compdef -p _chef_run_launcher "${(b)1}"; } %(command)s
  _chef_run_launcher_itself() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,CURRENT]}" %(asks)s=complete_zsh $words[1] 2>/dev/null)"
  }
  compdef _chef_run_launcher_itself chef-run-launcher
fi"""
)


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
    return BASH % _names(start)


def _zsh(start: list[str]) -> str:
    return ZSH % {**_names(start), "command": shlex.quote(ZSH_COMMAND)}


def _names(start: list[str]) -> dict[str, str]:
    needed = {"python": start[0], "main": MAIN, "way_out": WAY_OUT}
    return {"start": shlex.join(start), "asks": ASKS, **{name: shlex.quote(path) for name, path in needed.items()}}


# A line of one command, chef-run, for the background, to which fish itself sends no function.
FISH_BACKGROUND = r"^\s*chef-run\s[^;|&\n(){}]*&\s*$"


def _fish(start: list[str]) -> str:
    *words, way_out = ["'" + word.replace("\\", "\\\\").replace("'", "\\'") + "'" for word in [*start, WAY_OUT]]
    return (
        "function chef-run --description 'chef-run, through chef-run-launcher'\n"
        f"  set -l launcher {' '.join(words)}\n"
        f"  if not test -x $launcher[1]; or not test -s $launcher[4]; or not test -s {way_out}\n"
        "    command chef-run $argv\n"
        f"  else if string match -rq '{FISH_BACKGROUND}' -- (status current-commandline 2>/dev/null | string collect)\n"
        "    $launcher exec $argv &\n"
        "  else\n"
        "    $launcher exec $argv\n"
        "  end\n"
        "end\n"
        "complete -c chef-run-launcher -f -a "
        f"'(env _TYPER_COMPLETE_ARGS=(commandline -cp) _TYPER_COMPLETE_FISH_ACTION=get-args {ASKS}=complete_fish "
        "chef-run-launcher 2>/dev/null)'"
    )


def _powershell(start: list[str]) -> str:
    *words, way_out = ["'" + word.replace("'", "''") + "'" for word in [*start, WAY_OUT]]
    ours = f"{' '.join(words)} 'exec' @args"
    whole = " -and ".join(f"(Test-Path -LiteralPath {path})" for path in (words[0], words[-1], way_out))
    return (
        "function global:chef-run {\n"
        f"  if (-not ({whole})) {{\n"
        "    $original = (Get-Command chef-run -CommandType Application -TotalCount 1 -ErrorAction Stop).Path\n"
        "    if ($MyInvocation.ExpectingInput) { $input | & $original @args } else { & $original @args }\n"
        "    return\n"
        "  }\n"
        f"  if ($MyInvocation.ExpectingInput) {{ $input | & {ours} }} else {{ & {ours} }}\n"
        "}"
    )


SHELLS = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}

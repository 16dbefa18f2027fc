"""`shell-init`: chef-run by way of the launcher, in a shell."""

from enum import Enum
from typing import Annotated

import typer

from launcher.cli import shell_lines as texts


class Shell(str, Enum):
    """The shells that it has a text for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def shell_init(
    shell: Annotated[
        Shell, typer.Argument(metavar="bash|zsh|fish|powershell", help="The shell that is to evaluate it.")
    ],
) -> None:
    """Print what a shell evaluates so that chef-run is started by way of the launcher.

    ~/.bashrc: eval "$(chef-run-launcher shell-init bash)"

    ~/.zshrc, after compinit: eval "$(chef-run-launcher shell-init zsh)"

    config.fish: chef-run-launcher shell-init fish | source

    $PROFILE: chef-run-launcher shell-init powershell | Out-String | Invoke-Expression
    """
    texts.show(shell.value)

"""`shell-init`: chef-run through the launcher, in a shell."""

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


def shell_init(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish|powershell", hidden=True)]) -> None:
    """Print what makes a shell run chef-run through the launcher.

    Add the line for your shell to its start-up file:

    \b
    ~/.bashrc
      eval "$(chef-run-launcher shell-init bash)"
    ~/.zshrc, after compinit
      eval "$(chef-run-launcher shell-init zsh)"
    ~/.config/fish/config.fish
      chef-run-launcher shell-init fish | source
    $PROFILE
      chef-run-launcher shell-init powershell | Out-String | Invoke-Expression
    """
    texts.show(shell.value)

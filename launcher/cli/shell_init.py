"""`shell-init`: chef-run through the launcher, in a shell."""

from typing import Annotated

import typer

from launcher.cli import shell_lines


def _shells() -> list[str]:
    return list(shell_lines.SHELLS)


def shell_init(shell: Annotated[str, typer.Argument(metavar="SHELL", hidden=True, autocompletion=_shells)]) -> None:
    """Print what makes a shell run chef-run through the launcher.

    SHELL is bash, zsh, fish or powershell. Add its line to its start-up file:

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
    if shell not in shell_lines.SHELLS:
        raise typer.BadParameter(f"{shell!r} is not one of {', '.join(shell_lines.SHELLS)}")
    shell_lines.show(shell)

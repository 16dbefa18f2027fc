"""The management commands: `chef-run-launcher COMMAND`."""

from typing import Annotated, Optional

import typer

from launcher import __version__
from launcher.cli.doctor import doctor
from launcher.cli.dry_run import dry_run
from launcher.cli.enable_disable import disable, enable
from launcher.cli.explain_hash import explain_hash
from launcher.cli.flush import flush
from launcher.cli.purge import purge
from launcher.cli.shell_init import shell_init
from launcher.cli.show import show
from launcher.cli.status import status
from launcher.cli.verify_off import verify_off

EXIT_CODES = "Exit codes: 0 done, 1 not done, 2 not understood."
UNTOUCHED = {"ignore_unknown_options": True, "allow_interspersed_args": False}

app = typer.Typer(
    help="Runs chef-run so that nobody can tell the difference, and keeps a small record of each run.",
    epilog=EXIT_CODES + " `exec` exits as chef-run does.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chef-run-launcher {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version of the launcher."),
    ] = False,
) -> None: ...


@app.command("exec", context_settings={**UNTOUCHED, "help_option_names": []})
def _exec(
    arguments: Annotated[list[str], typer.Argument(metavar="ARGS...", help="All of it is chef-run's.")],
) -> None:
    """Run chef-run, and record the run. This is what the alias calls."""
    # entry.py sees `exec` first, and starts it without this module; this line is for --help.


@app.command("dry-run", context_settings=UNTOUCHED, epilog=EXIT_CODES)
def _dry_run(
    arguments: Annotated[
        Optional[list[str]], typer.Argument(metavar="ARGS...", help="All of it is chef-run's.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON; in front of ARGS.")] = False,
) -> None:
    """Show what a run with these arguments would record and send. Runs, writes and sends nothing."""
    dry_run(arguments or [], as_json)


for _name, _command in (
    ("status", status),
    ("show", show),
    ("flush", flush),
    ("enable", enable),
    ("disable", disable),
    ("purge", purge),
    ("verify-off", verify_off),
    ("doctor", doctor),
    ("explain-hash", explain_hash),
    ("shell-init", shell_init),
):
    app.command(_name, epilog=EXIT_CODES)(_command)

"""The management commands: `chef-run-launcher COMMAND`."""

import io
import shutil
import sys
from typing import Annotated, Any, NoReturn, Optional

import typer
import typer.core
from typer.completion import get_completion_inspect_parameters

from launcher import __version__, fallback
from launcher.cli import MIN_WIDTH
from launcher.cli.complaint import fail
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

EXIT_CODES = "Exit codes: 0 success, 1 failure, 2 usage error."
UNTOUCHED = {"ignore_unknown_options": True, "allow_interspersed_args": False}
# In the order in which --help shows them.
GROUPS = {
    "Run chef-run": ("exec", "shell-init"),
    "Inspect": ("status", "doctor", "show", "dry-run", "explain-hash", "verify-off"),
    "Manage": ("flush", "disable", "enable", "purge"),
}


UNBROKEN = "\N{NON-BREAKING HYPHEN}"
USAGE_ERROR: Any = typer.BadParameter.__base__  # click's, or that of typer's own copy of click


class _Formatter(typer.Context.formatter_class):  # type: ignore[misc,valid-type]
    """Folds no line at a hyphen: chef-run and --reset-id are words. No line ends in blanks."""

    def write_usage(self, prog: str, args: str = "", *rest: Any) -> None:
        super().write_usage(_unbroken(prog), _unbroken(args), *rest)

    def write_text(self, text: str) -> None:
        super().write_text(_unbroken(text))

    def write_dl(self, rows: Any, *rest: Any, **named: Any) -> None:
        super().write_dl([(_unbroken(name), _unbroken(meaning)) for name, meaning in rows], *rest, **named)

    def getvalue(self) -> str:
        text: str = super().getvalue().replace(UNBROKEN, "-")
        return "\n".join(map(str.rstrip, text.split("\n")))


def _unbroken(text: str) -> str:
    return text.replace("-", UNBROKEN)


class _Context(typer.core.TyperCommand.context_class):  # type: ignore[misc,valid-type]
    formatter_class = _Formatter


class _Command(typer.core.TyperCommand):
    context_class = _Context

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Some versions of typer put the words that must be given into braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class _InGroups(typer.core.TyperGroup):
    """Its --help is short enough for a terminal of 24 lines, and what is wrong with a command line fits its columns."""

    context_class = _Context

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        try:
            sys.exit(super().main(*args, **{**extra, "standalone_mode": False}))
        except USAGE_ERROR as error:
            text = io.StringIO()
            error.show(text)
            sys.stderr.write("".join(fallback.folded(line) + "\n" for line in text.getvalue().splitlines()))
            sys.exit(error.exit_code)
        except typer.Abort:  # Ctrl-C or Ctrl-D in the line of a question
            sys.stderr.write("\n")
            fail("aborted")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        width = max(map(len, self.commands))
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), self.commands[name].get_short_help_str(80)) for name in names])


app = typer.Typer(
    cls=_InGroups,
    help="Runs chef-run unchanged, records each run, and sends the sessions later.",
    epilog=f"Options: -h, --version. {EXIT_CODES}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,  # it would write into start-up files; `shell-init` has it
    context_settings={
        "help_option_names": ["-h", "--help"],
        # Of its own, it would never fold below 50 columns.
        "terminal_width": max(MIN_WIDTH, min(shutil.get_terminal_size().columns, 80) - 2),
    },
)
get_completion_inspect_parameters()  # prepares the answers to what the shells' lines ask


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chef-run-launcher {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version of the launcher and exit."),
    ] = False,
) -> None: ...


@app.command("exec", cls=_Command, context_settings={**UNTOUCHED, "help_option_names": []})
def _exec(
    arguments: Annotated[list[str], typer.Argument(metavar="ARGS", hidden=True)],
) -> None:
    """Run chef-run with ARGS, and record the run."""
    # entry.py sees `exec` first, and starts it without this module; this line is for --help.


@app.command("dry-run", cls=_Command, context_settings=UNTOUCHED, epilog=EXIT_CODES)
def _dry_run(
    arguments: Annotated[Optional[list[str]], typer.Argument(metavar="ARGS", hidden=True)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON. Must come before ARGS.")] = False,
) -> None:
    """Show what a run would record and send, without doing it.

    ARGS are chef-run's arguments. Nothing is run, written or sent.

    \b
    Examples:
      chef-run-launcher dry-run web01 directory /tmp/hello
      chef-run-launcher dry-run --json 'web[01:20]' -p winrm user bob
    """
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
    app.command(_name, cls=_Command, epilog=EXIT_CODES)(_command)

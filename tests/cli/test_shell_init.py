"""`shell-init`, evaluated by the real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from launcher.cli.shell_lines import SHELLS
from tests.support.homes import Home
from tests.support.programs import ISOLATED, MAIN, SECONDS, Launcher, Program, copy_of_the_launcher

START_UP_FILES = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}
TESTED = sorted(START_UP_FILES)

# Says how it was started: by a launcher, or not.
CHEF_RUN = '#!/bin/sh\necho "depth=${CHEF_RUN_LAUNCHER_DEPTH-none} $#: $*"\nexit 7\n'

# As a user may have them before our line: completion of chef-run, and no mercy for what is not set.
BEFORE = {
    "bash": "PS1='ready> '\ncomplete -W 'alpha-host beta-host' chef-run\nset -u\n",
    "zsh": "PS1='ready> '\nautoload -U compinit; compinit -u\n_of_chef_run() { compadd alpha-host beta-host }\n"
    "compdef _of_chef_run chef-run\nset -u\n",
    "fish": "function fish_prompt; echo -n 'ready> '; end\nset -g fish_greeting\n"
    "complete -c chef-run -f -a 'alpha-host beta-host'\n",
}


def our_line(shell: str, launcher: str) -> str:
    return (
        f"'{launcher}' shell-init fish | source\n"
        if shell == "fish"
        else f"eval \"$('{launcher}' shell-init {shell})\"\n"
    )


@pytest.fixture(params=TESTED)
def shell(request: pytest.FixtureRequest, tmp_path: Path, home: Home, launcher: Launcher) -> str:
    """A shell whose start-up file has our line, and a chef-run that it finds on the PATH."""
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"needs {name} (scripts/install-test-tools)")
    chef_run = tmp_path / "bin" / "chef-run"
    chef_run.parent.mkdir()
    chef_run.write_text(CHEF_RUN)
    chef_run.chmod(0o755)
    home.env["PATH"] = f"{chef_run.parent}:{home.env['PATH']}"
    start_up = home.path / START_UP_FILES[name]
    start_up.parent.mkdir(parents=True, exist_ok=True)
    start_up.write_text(BEFORE[name] + our_line(name, str(launcher.path)))
    # Without it, fish has a process in the background read every manual page, long after the test.
    (home.path / ".local" / "share" / "fish" / "generated_completions").mkdir(parents=True)
    return name


def says(home: Home, shell: str, line: str, *options: str) -> str:
    """What an interactive shell prints that is given this one line."""
    done = subprocess.run(
        [shell, "-i", *options, "-c", line], env=home.env, capture_output=True, timeout=SECONDS, check=False, text=True
    )
    assert done.stdout, done.stderr
    return done.stdout


def test_the_real_chef_run_gets_the_arguments_as_they_are(home: Home, shell: str) -> None:
    """It is the launcher that runs it."""
    home.set_up()
    status = "$status" if shell == "fish" else "$?"
    said = says(home, shell, f"chef-run 'web01' 'two words' '$x' '' -- -p ; echo {status}")
    assert said == "depth=1 6: web01 two words $x  -- -p\n7\n"
    assert len(home.sessions()) == 1


def test_it_goes_where_a_command_can_go(home: Home, shell: str) -> None:
    """The exit code of what went before is still there for it, and an environment of its own is possible."""
    if shell == "fish":
        lines = {"false; chef-run $status": "1", "chef-run x | cat": "x", "echo | chef-run x": "x"}
    else:
        lines = {
            "(exit 3); chef-run $?": "3",
            "chef-run x | cat": "x",
            "echo | chef-run x": "x",
            "(chef-run x; :)": "x",
            "echo $(chef-run x)": "x",
            "! chef-run x": "x",
            "if chef-run x; then :; fi": "x",
            "true && chef-run x": "x",
            "false || chef-run x": "x",
            "STAND_IN_SECONDS=1 chef-run x": "x",
            "{ chef-run x; } 2>&1": "x",
        }
    for line, argument in lines.items():
        assert says(home, shell, line) == f"depth=1 1: {argument}\n", line


def test_the_original_can_still_be_reached(home: Home, shell: str) -> None:
    assert says(home, shell, "command chef-run x") == "depth=none 1: x\n"
    if shell != "fish":  # where a backslash has another meaning
        assert says(home, shell, "\\chef-run x") == "depth=none 1: x\n"
    assert home.sessions() == []


def test_a_launcher_that_is_chef_run_on_path_too_makes_no_loop(
    home: Home, shell: str, tmp_path: Path, launcher: Launcher
) -> None:
    (tmp_path / "front").mkdir()
    (tmp_path / "front" / "chef-run").symlink_to(launcher.path)
    home.env["PATH"] = f"{tmp_path / 'front'}:{home.env['PATH']}"
    assert says(home, shell, "chef-run x") == "depth=1 1: x\n"


def test_it_works_in_a_login_shell(home: Home, shell: str) -> None:
    if shell == "bash":  # whose /etc/profile may have set the PATH anew
        (home.path / ".bash_profile").write_text(f"PATH='{home.env['PATH']}'\n. ~/.bashrc\n")
    assert says(home, shell, "chef-run x", "-l") == "depth=1 1: x\n"


@pytest.mark.parametrize("order", ["{ours}{chefs}", "{chefs}{ours}"])
def test_it_works_beside_the_shell_init_of_chef(home: Home, shell: str, tmp_path: Path, order: str) -> None:
    (tmp_path / "chefs").mkdir()
    start_up = home.path / START_UP_FILES[shell]
    if shell == "fish":
        chefs = f"set -gx PATH {tmp_path / 'chefs'} $PATH\nset -gx GEM_ROOT /gems\n"
    else:
        chefs = f"export PATH='{tmp_path / 'chefs'}':$PATH\nexport GEM_ROOT=/gems\n"
    start_up.write_text(order.format(ours=start_up.read_text(), chefs=chefs))
    assert says(home, shell, "chef-run x") == "depth=1 1: x\n"


def test_evaluating_it_twice_is_as_once(home: Home, shell: str, launcher: Launcher) -> None:
    start_up = home.path / START_UP_FILES[shell]
    start_up.write_text(start_up.read_text() + our_line(shell, str(launcher.path)))
    assert says(home, shell, "chef-run x") == "depth=1 1: x\n"


def test_a_folder_with_a_difficult_name_is_quoted(home: Home, shell: str, tmp_path: Path) -> None:
    difficult = tmp_path / 'it\'s [a] "$(folder)" \\ of * mine'
    copy_of_the_launcher(difficult)
    python = difficult / "py thon"
    python.symlink_to(sys.executable)
    start = [str(python), "-I", "-S", str(difficult / "launcher" / "__main__.py")]
    text = subprocess.run([*start, "shell-init", shell], env=home.env, capture_output=True, check=True).stdout
    start_up = home.path / START_UP_FILES[shell]
    start_up.write_bytes(BEFORE[shell].encode() + text)
    assert says(home, shell, "chef-run 'a b'") == "depth=1 1: a b\n"
    with terminal(home, shell) as at:
        at.send("chef-run al\t")
        at.expect_exact("alpha-host")


@pytest.mark.parametrize("shell", ["zsh"], indirect=True)
@pytest.mark.parametrize("options", ["ksharrays", "ignorebraces", "ignoreclosebraces", "shwordsplit globsubst"])
def test_zsh_takes_it_whatever_its_options(home: Home, shell: str, options: str) -> None:
    start_up = home.path / ".zshrc"
    start_up.write_text(start_up.read_text().replace("set -u\n", f"set -u\nsetopt {options}\n"))
    with terminal(home, shell) as at:
        at.send("chef-run al\t")
        at.expect_exact("alpha-host")
        at.send("\r")
        at.expect_exact("depth=1 1: alpha-host")


def terminal(home: Home, shell: str) -> pexpect.spawn[bytes]:
    at = Program(Path(shutil.which(shell) or shell), home.path, home.env).on_a_terminal("-i")
    at.expect_exact("ready> ")
    return at


def test_completion_of_chef_run_is_kept(home: Home, shell: str) -> None:
    with terminal(home, shell) as at:
        at.send("chef-run al\t")
        at.expect_exact("alpha-host")
        at.send("be\t")
        at.expect_exact("beta-host")
        at.send("\r")
        at.expect_exact("depth=1 2: alpha-host beta-host")


def test_our_commands_and_the_ids_of_sessions_are_completed(home: Home, shell: str, launcher: Launcher) -> None:
    (id,) = home.has_waiting("web01")
    home.env["PATH"] = f"{launcher.path.parent}:{home.env['PATH']}"
    with terminal(home, shell) as at:
        at.send("chef-run-launcher verify-o\t")
        at.expect_exact("verify-off")
        at.send("\x15chef-run-launcher show \t")
        at.expect_exact(id)
        at.send("\x15")


def test_python_itself_is_completed_as_ever(home: Home, shell: str) -> None:
    (home.path / "a-script.py").write_text("print('done by Python')\n")
    with terminal(home, shell) as at:
        at.send(f"{sys.executable} a-scr\t")
        at.expect_exact("a-script.py")
        at.send("\r")
        at.expect_exact("done by Python")


def test_a_run_can_be_suspended_and_taken_up_again(home: Home, shell: str, tmp_path: Path) -> None:
    (tmp_path / "bin" / "chef-run").write_text("#!/bin/sh\necho at work\nread answer\necho the answer is $answer\n")
    with terminal(home, shell) as at:
        at.send("chef-run web01\r")
        at.expect_exact("at work\r\n")
        at.send("\x1a")
        at.expect_exact("ready> ")
        at.send("fg\r")
        at.expect_exact("foreground" if shell == "fish" else '" web01')
        at.send("yes\r")
        at.expect_exact("the answer is yes")


@pytest.mark.parametrize("shell", ["fish"], indirect=True)
def test_fish_can_send_it_to_the_background(home: Home, shell: str, tmp_path: Path) -> None:
    """A line of its own; any other is what a function is to fish: run in the foreground."""
    release, log = tmp_path / "release", tmp_path / "log"
    os.mkfifo(release)
    (tmp_path / "bin" / "chef-run").write_text(f"#!/bin/sh\nread answer <{release}\necho $answer $#: $*\n")
    with terminal(home, shell) as at:
        at.send(f"chef-run web01 'two words' >{log} &\r")
        at.expect_exact("ready> ")
        at.send("jobs\r")
        at.expect_exact("running")
        at.send(f"echo done >{release}; while not test -s {log}; end; cat {log}\r")
        at.expect_exact("done 2: web01 two words")


def test_job_control_is_that_of_one_simple_command(home: Home, shell: str, tmp_path: Path) -> None:
    """Its text is short, its exit code is there when it was suspended, `$!` is it, and Ctrl-C ends a loop."""
    if shell == "fish":
        pytest.skip("there it is a function, as fish has no other aliases")
    (tmp_path / "bin" / "chef-run").write_text("#!/bin/sh\necho at work\nread answer\necho done; exit 7\n")
    with terminal(home, shell) as at:
        at.send("chef-run web01\r")
        at.expect_exact("at work\r\n")
        at.send("\x1a")
        at.expect_exact("ready> ")
        at.send("jobs\r")
        at.expect_exact('" web01')
        assert len(at.before.rpartition(b"\n")[2]) < 80, at.before
        assert b"__main__.py" not in at.before
        at.expect_exact("ready> ")
        at.send("bg\r")
        at.expect_exact("ready> ")
        at.send("fg\r")
        at.expect_exact('" web01')
        at.send("yes\r")
        at.expect_exact("done")
        at.expect_exact("ready> ")
        at.send("echo code=$?\r")
        at.expect_exact("code=7\r\n")
        at.expect_exact("ready> ")
        at.send("while :; do chef-run web01; done\r")
        at.expect_exact("at work\r\n")
        at.send("\x03")
        at.expect_exact("ready> ")
        at.send("chef-run web01 </dev/zero >/dev/null & kill $!; wait $!; echo code=$?\r")
        at.expect_exact("code=143")
        at.send("unalias chef-run; type chef-run\r")
        at.expect_exact(str(tmp_path / "bin" / "chef-run"))


@pytest.mark.parametrize("option", ["set -e", "set -e; shopt -s inherit_errexit 2>/dev/null || setopt errexit"])
def test_a_shell_that_ends_at_errors_goes_on_after_a_run(home: Home, shell: str, tmp_path: Path, option: str) -> None:
    if shell == "fish":
        pytest.skip("fish has no such option")
    (tmp_path / "bin" / "chef-run").write_text("#!/bin/sh\necho ran\n")
    assert says(home, shell, f"{option}; eval 'chef-run web01'; echo still here").split("\n")[-3:] == [
        "ran",
        "still here",
        "",
    ]


@pytest.mark.parametrize("gone", ["all", "python", "launcher", "way out", "what it holds"])
def test_an_open_shell_survives_what_goes_from_under_it(home: Home, shell: str, tmp_path: Path, gone: str) -> None:
    """The original runs until there is a launcher again."""
    folder = tmp_path / "venv"

    def install() -> None:
        folder.mkdir(exist_ok=True)
        if not (folder / "python").exists():
            (folder / "python").symlink_to(sys.executable)
        copy_of_the_launcher(folder)

    def remove() -> None:
        if gone in ("all", "python"):
            (folder / "python").unlink()
            (folder / "python").symlink_to(tmp_path / "no-such-python")
        if gone in ("all", "launcher"):
            shutil.rmtree(folder / "launcher")
        if gone == "what it holds":  # a disk that was full, or a power cut
            (folder / "launcher" / "__main__.py").write_text("")
        if gone == "way out":
            (folder / "launcher" / "fallback.py").unlink()
        if gone == "all":
            shutil.rmtree(folder)

    def restore() -> None:
        if (folder / "python").is_symlink() and not (folder / "python").exists():
            (folder / "python").unlink()
        install()

    install()
    start = [str(folder / "python"), "-I", "-S", str(folder / "launcher" / "__main__.py")]
    text = subprocess.run([*start, "shell-init", shell], env=home.env, capture_output=True, check=True).stdout
    (home.path / START_UP_FILES[shell]).write_bytes(BEFORE[shell].encode() + text)
    status = "$status" if shell == "fish" else "$?"
    with terminal(home, shell) as at:
        for change, depth in ((install, "1"), (remove, "none"), (restore, "1")):
            change()
            at.send(f"chef-run web01 'two words' ''; echo code={status}\r")
            at.expect_exact(f"depth={depth} 3: web01 two words \r\n")
            at.expect_exact("code=7\r\n")
            at.expect_exact("ready> ")
            at.send("chef-run al\t")
            at.expect_exact("alpha-host")
            at.send("\r")
            at.expect_exact(f"depth={depth} 1: alpha-host")
            at.expect_exact("ready> ")


def test_a_new_shell_does_not_wait_for_the_management_commands() -> None:
    command = [*ISOLATED, "-X", "importtime", str(MAIN), "shell-init", "bash"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert "launcher.cli.shell_lines" in imported
    assert not imported & {"typer", "rich", "typing"}


def test_the_text_for_powershell_quotes_as_powershell_does(tmp_path: Path, home: Home) -> None:
    folder = tmp_path / "it's mine"
    copy_of_the_launcher(folder)
    start = [*ISOLATED, str(folder / "launcher" / "__main__.py")]
    done = subprocess.run(
        [*start, "shell-init", "powershell"], env=home.env, capture_output=True, check=True, text=True
    )
    quoted = f"& '{sys.executable}' '-I' '-S' '{str(start[-1]).replace(chr(39), chr(39) * 2)}' 'exec' @args"
    assert done.stdout.count(quoted) == 2


@pytest.mark.parametrize("arguments", [[], ["tcsh"], ["bash", "zsh"]])
def test_a_shell_that_it_has_no_text_for_is_not_understood(launcher: Launcher, arguments: list[str]) -> None:
    done = launcher.run("shell-init", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"shell-init [OPTIONS] SHELL\n" in done.stderr


def test_the_shells_that_it_has_texts_for_are_named(launcher: Launcher) -> None:
    """By the error, the help, and the completion."""
    launcher.env.update({"_CHEF_RUN_LAUNCHER_COMPLETE": "complete_bash", "COMP_CWORD": "2"})
    launcher.env["COMP_WORDS"] = "chef-run-launcher\nshell-init\n"
    assert launcher.run("chef-run-launcher").stdout.decode().split() == list(SHELLS)
    del launcher.env["_CHEF_RUN_LAUNCHER_COMPLETE"]
    error, usage = launcher.run("shell-init", "tcsh").stderr.decode(), launcher.run("shell-init", "-h").stdout.decode()
    assert error.endswith(f"'tcsh' is not one of {', '.join(SHELLS)}\n")
    assert all(shell in usage for shell in SHELLS)


@pytest.mark.parametrize("command", ["shell-init bash", "status", "disable"])
def test_without_a_standard_output_nothing_is_wrong_but_that(launcher: Launcher, command: str) -> None:
    closed = ["sh", "-c", f"exec '{launcher.path}' {command} >&-"]
    done = subprocess.run(closed, env=launcher.env, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_output_that_cannot_be_written_is_one_line(launcher: Launcher) -> None:
    with open(os.devnull, "rb") as nowhere:
        command = [str(launcher.path), "shell-init", "bash"]
        done = subprocess.run(command, env=launcher.env, stdout=nowhere, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1

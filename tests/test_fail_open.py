"""Where the launcher cannot do its work, chef-run does its own: unrecorded, with its own output and exit code."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher import fallback, real, run
from launcher.consent import config, decision
from launcher.consent.situation import NOTICE_VERSION
from launcher.home.layout import NOTICE
from launcher.relay import handover
from tests.support.homes import Home
from tests.support.programs import ISOLATED, MAIN, MODULES, SECONDS, Launcher, Program
from tests.support.waiting import wait_until

# Counts how often it is started, and says how.
CHEF_RUN = '#!/bin/sh\necho x >>"$HOME/started"\necho "depth=$CHEF_RUN_LAUNCHER_DEPTH $#: $*"\nexit 7\n'
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
TOO_OLD = ("2.7", "3.6", "3.7", "3.8")
F_SETPIPE_SZ = 1031  # of Linux; fcntl knows it from Python 3.10 on


@pytest.fixture(autouse=True)
def original(home: Home, tmp_path: Path) -> Path:
    """A chef-run on the PATH, in a home that has been used."""
    program = tmp_path / "bin" / "chef-run"
    program.parent.mkdir()
    program.write_text(CHEF_RUN)
    program.chmod(0o755)
    home.env["PATH"] = f"{program.parent}:{home.env['PATH']}"
    home.use()
    home.layout.telemetry.create(NOTICE, NOTICE_VERSION)
    return program


@pytest.fixture(params=TOO_OLD)
def old_python(request: pytest.FixtureRequest) -> str:
    """A Python for which the launcher is not made."""
    for python in PYENV.glob(f"{request.param}.*/bin/python"):
        return str(python)
    pytest.skip(f"needs a Python {request.param} of pyenv (pyenv install {request.param})")


def start(home: Home, main: Path, *words: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    options = [] if "/2.7." in python else ["-I", "-S"]
    command = [python, *options, str(main), *words]
    return subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=SECONDS, check=False)


def is_chef_runs_own(home: Home, done: subprocess.CompletedProcess[str]) -> bool:
    """Whether chef-run has run, once, as if nothing stood in front of it but for the mark in its environment."""
    assert (home.path / "started").exists(), done
    started = (home.path / "started").read_text()
    (home.path / "started").unlink()
    said = (done.returncode, done.stdout, done.stderr)
    assert (said, started) == ((7, "depth=1 3: web01 two words \n", ""), "x\n")
    return True


ARGUMENTS = ("web01", "two words", "")


def test_too_old_a_python_runs_chef_run(home: Home, old_python: str) -> None:
    assert is_chef_runs_own(home, start(home, MAIN, "exec", *ARGUMENTS, python=old_python))
    assert home.sessions() == []


def test_too_old_a_python_gives_chef_run_what_the_caller_gave(home: Home, original: Path, old_python: str) -> None:
    """Signals as they were, the environment but for the depth, and bytes of any encoding."""
    original.write_text(
        '#!/bin/sh\necho "$LC_CTYPE"; awk "/SigIgn/ { print \\$2 }" /proc/$$/status; printf %s "$1" | od -An -tx1\n'
    )
    del home.env["LANG"]
    options = [] if "/2.7." in old_python else ["-I", "-S"]
    command: list[str | bytes] = [old_python, *options, str(MAIN), "exec", b"\xff\xc3"]
    direct: list[str | bytes] = [str(original), b"\xff\xc3"]
    said = [
        subprocess.run(words, env=home.env, capture_output=True, text=True, check=True).stdout.split()
        for words in (command, direct)
    ]
    assert said[0] == said[1]
    assert said[0][1:] == ["ff", "c3"]


@pytest.mark.parametrize("command", [["status"], ["shell-init", "bash"], ["doctor"], []])
def test_too_old_a_python_is_named_by_every_other_command(home: Home, old_python: str, command: list[str]) -> None:
    done = start(home, MAIN, *command, python=old_python)
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs Python 3.9 or newer" in done.stderr
    assert done.stderr.count("\n") == 1


def test_in_a_dry_run_it_runs_nothing(home: Home, old_python: str) -> None:
    home.env["CHEF_RUN_LAUNCHER_DRY_RUN"] = "1"
    done = start(home, MAIN, "exec", *ARGUMENTS, python=old_python)
    assert (done.returncode, done.stdout) == (1, "")
    assert not (home.path / "started").exists()


def test_by_the_name_of_chef_run_too_old_a_python_runs_the_next(home: Home, tmp_path: Path, old_python: str) -> None:
    link = tmp_path / "front" / "chef-run"
    link.parent.mkdir()
    link.write_text(f"#!{old_python}\nimport sys\nsys.path.insert(0, {str(MAIN.parents[1])!r})\n")
    link.write_text(link.read_text() + "from launcher.__main__ import main\nmain()\n")
    link.chmod(0o755)
    home.env["PATH"] = f"{link.parent}:{home.env['PATH']}"
    command = [str(link), *ARGUMENTS]
    done = subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert is_chef_runs_own(home, done)


@pytest.mark.parametrize("state", ["missing", "cut short", "broken"])
def test_whatever_module_is_not_as_it_should_be_chef_run_runs(home: Home, package: Path, state: str) -> None:
    """But for the two that are the way out."""
    for name in MODULES:
        if name in ("__main__.py", "fallback.py") or name.startswith("cli"):
            continue
        module = package / name
        if state == "missing":
            module.unlink()
        else:
            module.write_text("class Cut:\n    def" if state == "cut short" else "1 / 0\n")
        assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))
        shutil.copy2(MAIN.parent / name, module)  # with its time: it is still compiled


@pytest.mark.parametrize("name", ["entry.py", "quiet.py", "cli/app.py", "real.py"])
def test_a_missing_module_is_named_by_every_other_command(home: Home, package: Path, name: str) -> None:
    (package / name).unlink()
    command = [sys.executable, "-I", str(package / "__main__.py"), "status"]
    done = subprocess.run(command, env=home.env, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert name.removesuffix(".py").rpartition("/")[2] in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("text", [None, "", "product = [[", "\xff", "chef_run = [3]\n"])
@pytest.mark.parametrize("variable", [False, True])
def test_a_broken_profile_is_passed_over(
    home: Home, package: Path, original: Path, text: str | None, variable: bool
) -> None:
    profile = package / "distribution.toml"
    if text is None:
        profile.unlink()
    else:
        profile.write_bytes(text.encode("latin-1"))
    if variable:
        home.env["CHEF_RUN_LAUNCHER_REAL"] = str(original)
    assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))
    assert home.sessions() == []


# What is in front of chef-run's start in launcher/run.py, and what comes after it.
BEFORE = "    signals = handover.caller_signals()\n"
AFTER = {
    "at once": "    preparing = _beside(",
    "beside it": "    flushed = quietly(_flush, destination, signals)\n",
    "before it has ended": "    ran = child.wait()\n",
    "once it has ended": "    prepared = preparation()\n",
    "before its output is whole": "    report = quietly(child.drain)",
    "in the end": "    if kept and child.stderr is not None:\n",
}


def defect(package: Path, module: str, place: str) -> None:
    text = (package / module).read_text()
    assert text.count(place) == 1
    (package / module).write_text(text.replace(place, f"{' ' * (len(place) - len(place.lstrip()))}1 / 0\n{place}"))


def test_a_defect_before_the_start_is_noted_and_chef_run_runs(home: Home, package: Path, tmp_path: Path) -> None:
    defect(package, "run.py", BEFORE)
    home.env["CHEF_RUN_LAUNCHER_DEFECTS"] = str(tmp_path / "defects")
    assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))
    assert "ZeroDivisionError" in (tmp_path / "defects").read_text()


@pytest.mark.parametrize("place", AFTER.values(), ids=AFTER)
def test_a_defect_once_chef_run_is_started_starts_no_other(home: Home, package: Path, place: str) -> None:
    defect(package, "run.py", place)
    assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))


@pytest.mark.parametrize("method", ["_let_it_begin", "wait", "_follow", "drain"])
def test_a_defect_in_the_relay_starts_no_other_either(home: Home, package: Path, original: Path, method: str) -> None:
    """And what chef-run ends by, and all of its output, arrive."""
    first = {
        "_let_it_begin": "    os.sched_yield()\n",
        "wait": "        self._status = self._follow()\n",
        "drain": "        self._drained = True\n",
    }
    defect(package, "relay/posix.py", first.get(method, "        awaited = signals_to_block() | {_signal.SIGCHLD}\n"))
    assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))
    original.write_text("#!/bin/sh\nseq 100000; kill -TERM $$\n")
    done = start(home, package / "__main__.py", "exec", *ARGUMENTS)
    assert (done.returncode, done.stdout.count("\n")) == (-15, 100000)


@pytest.mark.parametrize(
    ("module", "place"),
    [
        ("follower.py", "            self._watcher.show(data)\n"),
        ("serving.py", "    _signal.set_wakeup_fd(-1)\n"),
        ("serving.py", "    on_a_terminal = any(follower.is_to_a_terminal for follower in followers)\n"),
    ],
)
def test_a_defect_in_the_relay_process_loses_no_output(
    home: Home, package: Path, original: Path, tmp_path: Path, module: str, place: str
) -> None:
    defect(package, f"relay/{module}", place)
    home.env["CHEF_RUN_LAUNCHER_DEFECTS"] = str(tmp_path / "defects")
    original.write_text("#!/bin/sh\nseq 100000; seq 10 >&2; exit 7\n")
    done = start(home, package / "__main__.py", "exec", *ARGUMENTS)
    assert (done.returncode, done.stdout.count("\n"), done.stderr.count("\n")) == (7, 100000, 10)
    assert "ZeroDivisionError" in (tmp_path / "defects").read_text()


@pytest.mark.parametrize("missing", ["serving.py", "follower.py"])
def test_without_half_the_relay_each_reader_sees_its_end(
    home: Home, package: Path, original: Path, missing: str
) -> None:
    """An upgrade is under way. One output may end long before the other, and may be a file that does not block."""
    (package / "relay" / missing).unlink()
    original.write_text("#!/bin/sh\nhead -c 40000 /dev/zero >&2; exec 2>&-; read line; exit 7\n")
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    capacity = fcntl.fcntl(theirs, F_SETPIPE_SZ, 4096)
    command = [*ISOLATED, str(package / "__main__.py"), "exec", *ARGUMENTS]
    starting = subprocess.Popen(command, env=home.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=theirs)
    with starting as process, open(ours, "rb") as stderr:
        os.close(theirs)
        assert process.stdin
        wait_until(lambda: waiting_to_be_read(ours) == capacity, "the reader's pipe is full")
        assert len(stderr.read()) == 40000
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(SECONDS) == 7


def waiting_to_be_read(pipe: int) -> int:
    """Bytes."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_what_the_variable_names_is_taken_at_its_word(home: Home, package: Path, tmp_path: Path) -> None:
    defect(package, "run.py", BEFORE)
    for path, says, code in (
        ("/nonexistent", "cannot run /nonexistent: No such file or directory", 127),
        (str(tmp_path), f"cannot run {tmp_path}: Permission denied", 126),
        (str(package / "__main__.py"), f"names {package / '__main__.py'}, which is the launcher itself", 127),
    ):
        home.env["CHEF_RUN_LAUNCHER_REAL"] = path
        done = start(home, package / "__main__.py", "exec", *ARGUMENTS)
        assert (done.returncode, done.stdout) == (code, "")
        assert says in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_name_where_we_have_come_to_stand_means_the_original(home: Home, package: Path, tmp_path: Path) -> None:
    """As our packages put it aside: who named it meant that, and not us."""
    door = tmp_path / "workstation" / "chef-run"
    door.parent.mkdir()
    door.symlink_to(package / "__main__.py")
    (tmp_path / "link").symlink_to(door)
    home.env["CHEF_RUN_LAUNCHER_REAL"] = str(tmp_path / "link")
    main, kept = package / "__main__.py", door.with_name("chef-run.distrib")
    main.chmod(0o755)
    for breaks in (None, package / "entry.py"):
        if breaks:
            breaks.write_text("broken")
            kept.unlink()
        assert start(home, main, "exec").returncode == 127
        kept.write_text("#!/bin/sh\n")
        assert start(home, main, "exec", "web01").stdout == "depth=1 1: web01\n"


def test_without_a_chef_run_one_line_says_so(home: Home, package: Path, original: Path) -> None:
    defect(package, "run.py", BEFORE)
    original.unlink()
    done = start(home, package / "__main__.py", "exec", *ARGUMENTS)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (127, "", 1)
    assert "cannot find chef-run" in done.stderr


def test_the_profiles_chef_run_comes_before_the_paths(home: Home, package: Path, tmp_path: Path) -> None:
    defect(package, "run.py", BEFORE)
    for folder in ("launcher", ""):
        program = tmp_path / "copy" / folder / "other" / "chef-run"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho the other\n")
        program.chmod(0o755)
    (package / "distribution.toml").write_text(
        "chef_run = [\n  '/nonexistent', # nothing\n  \"../other/chef-run\",\n]\n"
    )
    assert start(home, package / "__main__.py", "exec").stdout == "the other\n"


# How config.toml may name a chef-run, and whether that is read without the TOML library.
NAMED = {
    '[launcher]\nchef_run = "{path}"\n': True,
    "[telemetry]\nenabled = true\n\n  [ launcher ]  # ours\n  chef_run='{path}' # theirs\r\n[other]\nx = 1": True,
    '[other]\nchef_run = "{path}"\n': False,
    '[[launcher]]\nchef_run = "{path}"\n': False,
    '[launcher]\n#chef_run = "{path}"\nchef_run = ""\n': False,
    '[launcher]\nchef_run = "{path}\n': False,
    '[launcher]\nchef_run = ["{path}"]\n': False,
    '[launcher]\nchef_run = "{path}\\t"\n': False,
    '[other]\ntext = """\n[launcher]\nchef_run = "{path}"\n"""\n': False,
}


@pytest.mark.parametrize("python", [sys.executable, *TOO_OLD], ids=lambda name: name.rpartition("/")[2])
def test_what_config_toml_names_is_run(home: Home, package: Path, tmp_path: Path, python: str) -> None:
    """Where it stands there plainly. A file that is none, or too large, names nothing."""
    if python in TOO_OLD:
        python = next((str(path) for path in PYENV.glob(f"{python}.*/bin/python")), "")
        if not python:
            pytest.skip("needs that Python of pyenv")
    defect(package, "run.py", BEFORE)
    named = tmp_path / "named"
    named.write_text("#!/bin/sh\necho the named one\n")
    named.chmod(0o755)

    def says() -> str:
        return start(home, package / "__main__.py", "exec", python=python).stdout

    for text, is_read in NAMED.items():
        home.config.write_bytes(text.replace("{path}", str(named)).encode())
        assert (says() == "the named one\n") == is_read, text
    home.config.write_bytes(b"[launcher]\nchef_run = '~/../named'\n")
    assert says() == "the named one\n"
    home.config.write_text(f"[launcher]\nchef_run = '{named}'\n" + " " * (256 * 1024))
    assert says() == "depth=1 0: \n"
    home.config.unlink()
    os.mkfifo(home.config)
    assert says() == "depth=1 0: \n"
    home.config.unlink()
    home.config.write_text("[launcher]\nchef_run = '/nonexistent'\n")
    done = start(home, package / "__main__.py", "exec", python=python)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (127, "", 1)


def test_a_config_toml_of_any_text_holds_nothing_up(home: Home, package: Path) -> None:
    defect(package, "run.py", BEFORE)
    for text in ("[" + " " * 250_000, "[launcher]\nchef_run =" + " " * 250_000, "[launcher]\nchef_run = '" * 8000):
        home.config.write_text(text)
        began = os.times()
        assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))
        assert os.times().children_user - began.children_user < 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whom others could have run what they like")
def test_root_takes_no_program_from_a_file_of_others(home: Home, launcher: Launcher, package: Path) -> None:
    """Nor where the launcher is whole; doctor says so."""
    named = home.path / "named"
    named.write_text(CHEF_RUN.replace("depth", "named depth"))
    named.chmod(0o755)
    defect(package, "run.py", BEFORE)

    def says() -> list[str]:
        broken = start(home, package / "__main__.py", "exec", "x").stdout
        whole = launcher.exec("x").stdout.decode()
        doctor = launcher.run("doctor").stdout.decode()
        assert broken == whole
        assert ("is ignored" in doctor.replace("\n", " ")) == (not broken.startswith("named"))
        return broken.split()[:1]

    home.config.write_text(f"[launcher]\nchef_run = '{named}'\n")
    assert says() == ["named"]
    elsewhere = home.path / "elsewhere.toml"

    def link_elsewhere() -> None:
        home.config.rename(elsewhere)
        home.config.symlink_to(elsewhere)
        elsewhere.chmod(0o666)

    changes: list[tuple[Path, Callable[[], None]]] = [
        (home.config, lambda: home.config.chmod(0o664)),
        (home.config, lambda: os.chown(home.config, 65534, -1)),
        (home.workstation, lambda: home.workstation.chmod(0o777)),
        (home.path, lambda: os.chown(home.path, 65534, -1)),
        (elsewhere, link_elsewhere),
    ]
    for path, change in changes:
        change()
        assert says() == ["depth=1"], path
        os.chown(path, 0, -1)
        path.chmod(0o755)
        assert says() == ["named"], path


@pytest.mark.parametrize("shell", ["bash", "dash", "zsh"])
def test_a_signal_that_the_calling_shell_ignores_stays_ignored(
    home: Home, package: Path, original: Path, shell: str
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    defect(package, "run.py", BEFORE)
    original.write_text("#!/bin/sh\nawk '/SigIgn/ { print $2 }' /proc/$$/status\n")
    ours = f"{' '.join(ISOLATED)} {package}/__main__.py exec"
    said = []
    for trap in ("", "trap '' PIPE", "trap '' XFSZ INT", "trap '' PIPE XFSZ TERM"):
        for command in (ours, str(original)):
            line = [shell, "-c", f"{trap}\n{command}\nexit 0"]
            done = subprocess.run(line, env=home.env, capture_output=True, text=True, timeout=SECONDS, check=True)
            said.append(done.stdout)
    assert said[::2] == said[1::2]
    assert len(set(said)) == 4


@pytest.mark.parametrize("module", ["__init__.py", "quiet.py", "entry.py", "real.py"])
def test_an_interrupt_while_it_starts_ends_it_without_a_word(home: Home, package: Path, module: str) -> None:
    """From our first line on, before which it is Python's."""
    (package / module).write_text("import os\nos.kill(os.getpid(), 2)\n")
    done = start(home, package / "__main__.py", "exec", *ARGUMENTS)
    assert (done.returncode, done.stdout, done.stderr) == (-2, "", "")
    ignoring = ["env", "--ignore-signal=INT", *ISOLATED, str(package / "__main__.py"), "exec", *ARGUMENTS]
    done = subprocess.run(ignoring, env=home.env, capture_output=True, text=True, check=False)
    assert is_chef_runs_own(home, done)


@pytest.mark.parametrize("words", [["exec", *ARGUMENTS], ["status"]])
def test_without_even_the_way_out_one_line_says_so(home: Home, package: Path, words: list[str]) -> None:
    (package / "fallback.py").unlink()
    (package / "entry.py").unlink()
    done = start(home, package / "__main__.py", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (127, "", 1)
    assert "the installation is incomplete" in done.stderr


def test_launchers_that_start_each_other_for_ever_end(
    home: Home, package: Path, tmp_path: Path, original: Path
) -> None:
    defect(package, "run.py", BEFORE)
    original.write_text(f'#!/bin/sh\nexec {" ".join(ISOLATED)} {package}/__main__.py "exec" "$@"\n')
    done = start(home, package / "__main__.py", "exec")
    assert (done.returncode, done.stderr.count("\n")) == (127, 1)
    assert "starts the launcher again" in done.stderr
    behind = tmp_path / "behind" / "chef-run"
    behind.parent.mkdir()
    behind.write_text(CHEF_RUN.replace("depth=$CHEF_RUN_LAUNCHER_DEPTH ", "depth=1 "))
    behind.chmod(0o755)
    home.env["PATH"] += f":{behind.parent}"
    assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))


def test_a_script_without_an_interpreter_line_goes_to_the_shell(home: Home, package: Path, original: Path) -> None:
    defect(package, "run.py", BEFORE)
    original.write_text(CHEF_RUN.partition("\n")[2])
    assert is_chef_runs_own(home, start(home, package / "__main__.py", "exec", *ARGUMENTS))


def test_pips_script_fails_open_too(home: Home, launcher: Launcher, package: Path, tmp_path: Path) -> None:
    script = Program(tmp_path / "chef-run-launcher", tmp_path, home.env)
    text = launcher.path.read_text()
    script.path.write_text(text.replace("import sys\n", f"import sys\nsys.path.insert(0, {str(package.parent)!r})\n"))
    script.path.chmod(0o755)
    (package / "real.py").unlink()
    done = script.run("exec", *ARGUMENTS)
    assert (done.returncode, done.stdout) == (7, b"depth=1 3: web01 two words \n")


def test_the_way_out_goes_by_the_same_names() -> None:
    """It may import nothing of ours, and so repeats them."""
    assert (fallback.REAL, fallback.DEPTH) == (real.VARIABLE, decision.DEPTH)
    assert (fallback.DRY_RUN, fallback.MAX_DEPTH) == (decision.DRY_RUN, run.MAX_DEPTH)
    assert (fallback.MAX_CONFIG_SIZE, fallback.SHELLS) == (config.MAX_CONFIG_SIZE, handover._SHELLS)
    assert (fallback.OUR_SCRIPTS, fallback.OUR_SHIM) == (real._OUR_SCRIPTS, real._OUR_SHIM)

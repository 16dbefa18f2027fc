"""The manual page, chef-run-launcher(1): what it names, and what man and mandoc say of it."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from launcher.cli.in_front import POWERSHELL
from launcher.consent.situation import OPT_OUT_FILE
from launcher.home.layout import HOSTS_KEY, INSTALLATION_ID, RECEIPTS
from launcher.home.layout import Home as Layout
from tests.packaging.conftest import SOURCE, only
from tests.support.programs import MAIN, Launcher

PACKAGE = MAIN.parent


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, as `make man` makes it."""
    path = tmp_path_factory.mktemp("man") / "chef-run-launcher.1"
    with open(path, "wb") as file:
        subprocess.run([sys.executable, SOURCE / "scripts" / "packaging" / "manpage"], stdout=file, check=True)
    return path


@pytest.fixture(scope="module")
def text(page: Path) -> str:
    """What a reader sees of it."""
    if shutil.which("mandoc") is None:
        pytest.skip("needs mandoc (scripts/install-packaging-tools)")
    command = ["mandoc", "-T", "utf8", "-O", "width=500", str(page)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.sub(".\x08", "", shown)  # bold and underlined, as a typewriter has it


def test_man_shows_it_without_a_warning(page: Path) -> None:
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("needs man and groff (scripts/install-packaging-tools)")
    env = {**os.environ, "MANROFFSEQ": "", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    command = ["man", "--warnings", "--encoding=UTF-8", "--local-file", "-Tutf8", "--ditroff", str(page)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_it_fits_into_80_columns_and_shows_an_address(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("needs mandoc (scripts/install-packaging-tools)")
    done = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=80", page], capture_output=True, text=True, check=True)
    lines = re.sub(".\x08", "", done.stdout).splitlines()
    # A line to be copied is not folded.
    assert [line.strip() for line in lines if len(line) > 80] in ([], [POWERSHELL[1]])
    assert "https://" in " ".join(lines).partition("SEE ALSO")[2]


def test_mandoc_finds_nothing_wrong_with_it(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("needs mandoc (scripts/install-packaging-tools)")
    done = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_has_all_that_help_shows(text: str, launcher: Launcher) -> None:
    """Commands, options, and what they mean: word by word, however lines are broken."""
    flat = " ".join(text.split())
    launcher.env.update(COLUMNS="500", NO_COLOR="1", TERM="dumb")
    summaries = dict(re.findall(r"^  ([a-z-]+)  +(\w.*)$", launcher.run("--help").stdout.decode(), re.MULTILINE))
    assert len(summaries) == 12
    assert all(summary in flat for summary in summaries.values())
    commands = [command for command in summaries if command != "exec"]  # whose --help is chef-run's
    for command, done in zip(commands, launcher.run_each([command, "--help"] for command in commands)):
        said = done.stdout.decode()
        options = re.findall(r"^  (--[a-z-]+)  +(\w.*)$", said, re.MULTILINE)
        for word, meaning in options:
            assert meaning in flat
            assert word in flat
        examples = re.findall(rf"^ +(chef-run-launcher {command}.*)$", said, re.MULTILINE)
        assert examples or command == "shell-init"
        assert all(example in flat for example in examples)


def test_it_names_every_variable_and_every_file(text: str) -> None:
    sources = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    variables = set(re.findall(r'"((?:CHEF|DO_NOT|SSL_CERT)_[A-Z_]+)"', sources))
    variables |= {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}
    assert {"CHEF_TELEMETRY_OPT_OUT", "CHEF_RUN_LAUNCHER_REAL", "SSL_CERT_FILE"} < variables
    assert {each for each in variables if each not in text} == set()
    layout = Layout("~")
    telemetry = layout.telemetry.path
    installation_id = f"{layout.workstation.path}/{INSTALLATION_ID}"
    shared = (layout.config, installation_id, f"~/{OPT_OUT_FILE}", f", {OPT_OUT_FILE}")
    for path in (*shared, f"{telemetry}/{RECEIPTS}", f"{telemetry}/{HOSTS_KEY}", f"{layout.rejected.path}/"):
        assert path in text
    for code in ("0", "1", "2", "126", "127"):
        assert re.search(rf"\b{code}\b", text.partition("EXIT STATUS")[2].partition("ENVIRONMENT")[0])


def test_the_packages_and_the_folder_have_it(page: Path, packages: Path, tmp_path: Path) -> None:
    """Made of what they carry, which takes the same options, though not of the same typer."""
    with tarfile.open(only(packages, "*-folder.tar.gz")) as archive:
        (member,) = [each for each in archive if each.name.endswith("/share/man/man1/chef-run-launcher.1")]
        file = archive.extractfile(member)
        assert file
        carried = file.read()
        readme = archive.extractfile(f"{member.name.partition('/')[0]}/README")
        assert readme and max(map(len, readme.read().decode().splitlines())) <= 80
    assert carried == page.read_bytes()
    subprocess.run(["dpkg-deb", "-x", only(packages, "*.deb"), tmp_path / "deb"], check=True)
    assert gzip.decompress((tmp_path / "deb/usr/share/man/man1/chef-run-launcher.1.gz").read_bytes()) == carried
    listed = subprocess.run(["rpm", "-qpl", only(packages, "*.rpm")], capture_output=True, text=True, check=True).stdout
    assert "/usr/share/man/man1/chef-run-launcher.1.gz" in listed.splitlines()

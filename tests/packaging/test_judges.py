"""What the judges of the distributions and of the package index say of the packages, and what they cannot see."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from launcher import __version__
from tests.packaging.conftest import MAINTAINER, SOURCE, build, only
from tests.support.homes import Home
from tests.support.programs import INSTALLED, Program, python_with_pip

PACKAGING = SOURCE / "scripts" / "packaging"
LICENCE = (SOURCE / "LICENSE").read_bytes()
HOMEPAGE = "https://docs.chef.io/workstation/privacy/"


def says(*command: object) -> str:
    """All that a judge says; skips the test where it is not installed."""
    program, *arguments = map(str, command)
    path = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if path is None:
        pytest.skip(f"needs {program} (scripts/install-packaging-tools)")
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "500", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([path, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return f"{done.stdout.decode()}exit code {done.returncode}\n"


@pytest.fixture(scope="module")
def deb(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the .deb lays out."""
    folder = tmp_path_factory.mktemp("deb")
    subprocess.run(["dpkg-deb", "-x", only(packages, "*.deb"), folder], check=True)
    return folder


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheel and the sdist."""
    folder = tmp_path_factory.mktemp("distributions")
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)]
    subprocess.run(command, cwd=SOURCE, capture_output=True, check=True)
    return [only(folder, "*.whl"), only(folder, "*.tar.gz")]


def test_lintian_finds_nothing_in_the_deb(packages: Path) -> None:
    command = ["lintian", "--no-cfg", "--allow-root", "--pedantic", "--display-info", "--tag-display-limit=0"]
    assert says(*command, "--fail-on=error,warning,info,pedantic", only(packages, "*.deb")) == "exit code 0\n"


def test_rpmlint_finds_nothing_in_the_rpm(packages: Path) -> None:
    said = says("rpmlint", "--config", PACKAGING / "rpmlint.toml", only(packages, "*.rpm"))
    assert "1 packages and 0 specfiles checked; 0 errors, 0 warnings" in said


def test_what_is_overridden_is_overridden_for_a_reason() -> None:
    """Each by its name, below a comment of its own."""
    for file in ("lintian-overrides", "rpmlint.toml"):
        lines = (PACKAGING / file).read_text().splitlines()
        overrides = [n for n, line in enumerate(lines) if re.match(r"chef-run-launcher: |  '|Valid|Compress", line)]
        assert len(overrides) > 5
        for n in overrides:
            above = [line.lstrip() for line in lines[:n] if not re.match(r"chef-run-launcher: |  '", line)]
            assert above[-1].startswith("#"), lines[n]


@pytest.mark.parametrize("judge", [["twine", "check", "--strict"], ["check-wheel-contents"], ["pyroma", "--min=9"]])
def test_the_judges_of_wheels_and_sdists_find_nothing(distributions: list[Path], judge: list[str]) -> None:
    wheel, sdist = distributions
    subjects = {"twine": [wheel, sdist], "check-wheel-contents": [wheel], "pyroma": [sdist]}[judge[0]]
    said = says(*judge, *subjects)
    assert said.endswith("exit code 0\n"), said
    assert "WARNING" not in said


def test_the_licence_lies_in_every_package(
    packages: Path, distributions: list[Path], deb: Path, tmp_path: Path
) -> None:
    wheel, sdist = distributions
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"chef_run_launcher-{__version__}.dist-info/licenses/LICENSE") == LICENCE
    for path, inside in ((sdist, "LICENSE"), (only(packages, "*-folder.tar.gz"), "lib/chef-run-launcher/LICENSE")):
        with tarfile.open(path) as tar:
            file = tar.extractfile(f"{tar.getnames()[0].split('/')[0]}/{inside}")
            assert file and file.read() == LICENCE
    assert (deb / "opt/chef-run-launcher/lib/chef-run-launcher/LICENSE").read_bytes() == LICENCE
    listed = subprocess.run(["rpm", "-qpl", only(packages, "*.rpm")], capture_output=True, text=True, check=True).stdout
    assert "/opt/chef-run-launcher/lib/chef-run-launcher/LICENSE" in listed.splitlines()
    if shutil.which("msiextract") and shutil.which("wixl"):
        subprocess.run(["msiextract", "-C", tmp_path, only(packages, "*.msi")], check=True, stdout=subprocess.DEVNULL)
        (found,) = tmp_path.rglob("lib/chef-run-launcher/LICENSE")
        assert found.read_bytes() == LICENCE


def test_the_copyright_file_names_all_that_is_carried(deb: Path) -> None:
    """With who has the copyright, and the licence's text."""
    text = (deb / "usr/share/doc/chef-run-launcher/copyright").read_text()
    head, ours, *carried = text.split("\n\n")
    assert head.startswith("Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n")
    assert "License: Apache-2.0" in ours
    required = re.findall(r"^([\w-]+)==(\S+)", (PACKAGING / "requirements.txt").read_text(), re.MULTILINE)
    named = [re.findall(r"^Comment: (\S+) (\S+)$", paragraph, re.MULTILINE) for paragraph in carried[:-1]]
    assert sorted((name.lower().replace("_", "-"), version) for ((name, version),) in named) == sorted(required)
    library = deb / "opt" / "chef-run-launcher" / "lib" / "chef-run-launcher"
    covered = set()
    for paragraph in carried[:-1]:
        fields = dict(re.findall(r"^([A-Z]\w+): (.+(?:\n .*)*)", paragraph, re.MULTILINE))
        covered |= {path.split("/")[1] for path in fields["Files"].split()}
        assert re.search(r"[A-Z]\w+", fields["Copyright"])
        assert len(fields["License"].splitlines()) > (10 if not fields["License"].startswith("Apache") else 1)
    assert {path.name for path in library.iterdir()} == covered | {"launcher", "LICENSE", "copyright"}


def test_no_tests_of_what_is_carried_are_carried(deb: Path) -> None:
    assert not [path for path in deb.rglob("*") if path.is_dir() and path.name in ("test", "tests")]


def test_who_is_to_be_asked_must_be_said(tmp_path: Path) -> None:
    """By whoever builds the packages: nothing is built without."""
    command = [python_with_pip(), str(PACKAGING / "build"), f"--output={tmp_path}"]
    placeholder = "NAME <ADDRESS>"
    for named in ("", "nobody", placeholder, "A <a@b>\nPre-Depends: c"):
        maintainer = [f"--maintainer={named}"] if named else []
        done = subprocess.run([*command, *maintainer], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(
            "build: packages say whom to ask about them, and nobody is named: give your own name"
        )
        assert placeholder not in done.stderr, "somebody might copy it"
    assert list(tmp_path.iterdir()) == []


def test_a_profile_may_say_who_is_to_be_asked(tmp_path: Path) -> None:
    """And its page is that of the packages."""
    text = (PACKAGING / "cinc.toml").read_text() + 'maintainer = "Cinc <cinc@example.org>"\n'
    (tmp_path / "profile.toml").write_text(text)
    output = build(SOURCE, tmp_path / "dist", "deb", f"--profile={tmp_path / 'profile.toml'}", maintainer="")
    deb = ["dpkg-deb", "--showformat=${Maintainer} ${Homepage}", "-W", str(only(output, "*.deb"))]
    said = subprocess.run(deb, capture_output=True, text=True, check=True).stdout
    assert said == "Cinc <cinc@example.org> https://cinc.sh/"


def test_deb_and_rpm_say_who_where_and_under_what(packages: Path) -> None:
    deb = ["dpkg-deb", "--showformat=${Maintainer}\n${Homepage}\n", "-W", str(only(packages, "*.deb"))]
    said = subprocess.run(deb, capture_output=True, text=True, check=True).stdout
    assert said == f"{MAINTAINER}\n{HOMEPAGE}\n"
    rpm = ["rpm", "-qp", "--queryformat=%{PACKAGER}\n%{URL}\n%{LICENSE}\n", str(only(packages, "*.rpm"))]
    said = subprocess.run(rpm, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{MAINTAINER}\n{HOMEPAGE}\nApache-2.0 AND ")
    licences = set(said.splitlines()[2].split(" AND "))
    assert licences == {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "PSF-2.0"}


def test_deb_and_rpm_have_the_changes_of_each_version(packages: Path, deb: Path) -> None:
    doc = deb / "usr" / "share" / "doc" / "chef-run-launcher"
    parsed = ["dpkg-parsechangelog", "--all", "--show-field=Version", "-l-"]
    debian = subprocess.run(["zcat", doc / "changelog.Debian.gz"], capture_output=True, check=True).stdout
    if shutil.which(parsed[0]) is None:
        pytest.skip("needs dpkg-parsechangelog (scripts/install-packaging-tools)")
    versions = subprocess.run(parsed, input=debian, capture_output=True, check=True).stdout.decode().split()
    headings = re.findall(r"^## (\S+) \(", (SOURCE / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == f"{__version__}-1"
    assert versions == [f"{version}-1" for version in headings]
    rpm = subprocess.run(["rpm", "-qp", "--changelog", only(packages, "*.rpm")], capture_output=True, check=True).stdout
    assert [line.split()[-1] for line in rpm.decode().splitlines() if line.startswith("* ")] == versions


def test_the_installer_has_its_codes_in_upper_case(packages: Path) -> None:
    if shutil.which("msiinfo") is None:
        pytest.skip("needs msiinfo (scripts/install-packaging-tools)")
    for table in ("Property", "Upgrade", "Component"):
        command = ["msiinfo", "export", str(only(packages, "*.msi")), table]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        codes = re.findall(r"\{([0-9A-Fa-f-]{36})\}", text)
        assert codes and all(code == code.upper() for code in codes)


@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_the_shells_complete_its_commands_by_what_is_installed(deb: Path, home: Home, shell: str) -> None:
    """At the first Tab, and without a line in a start-up file."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    home.env["PATH"] = f"{INSTALLED.parent}:{home.env['PATH']}"
    share = deb / "usr" / "share"
    # What a distribution's own start-up does, for these directories.
    start_up = {
        "bash": f"PS1='ready> '; . {share}/bash-completion/completions/chef-run-launcher\n",
        "zsh": f"PS1='ready> '; fpath=({share}/zsh/vendor-completions $fpath); autoload -U compinit; compinit -u\n",
        "fish": f"function fish_prompt; echo -n 'ready> '; end\nset -g fish_greeting\n"
        f"set -p fish_complete_path {share}/fish/vendor_completions.d\n",
    }[shell]
    path = home.path / {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}[shell]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(start_up)
    with Program(Path(shutil.which(shell) or shell), home.path, home.env).on_a_terminal("-i") as at:
        at.expect_exact("ready> ")
        at.send("chef-run-launcher explain-h\t")
        at.expect_exact("explain-hash")
        at.send("web01 --js\t")
        at.expect_exact("--json")
        at.send("\r")
        at.expect_exact('"hostname_sha256"')

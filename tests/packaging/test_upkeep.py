"""What keeps the packages up: that a release is one, and which of the versions that they carry are behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher import __version__
from tests.packaging.conftest import SOURCE
from tests.support.programs import python_with_pip

DAY = "(2026-11-26)"


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of the source, in which all is committed."""
    folder = tmp_path / "checkout"
    for name in ("launcher", "scripts"):
        shutil.copytree(SOURCE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("CHANGELOG.md", "pyproject.toml", ".gitignore"):
        shutil.copy(SOURCE / name, folder)
    (folder / "CHANGELOG.md").write_text(f"# Changes\n\n## {__version__} {DAY}\n\n- It runs.\n")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True)


def commit(folder: Path) -> None:
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=all")


def release(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, folder / "scripts" / "packaging" / "release")


def test_version_changelog_and_tag_that_agree_are_a_release(checkout: Path) -> None:
    git(checkout, "tag", f"v{__version__}")
    done = release(checkout)
    assert (done.returncode, done.stderr) == (0, "")
    assert __version__ in done.stdout


def test_without_its_tag_on_this_commit_it_is_no_release(checkout: Path) -> None:
    assert f"this commit has no tag v{__version__}" in release(checkout).stderr
    git(checkout, "tag", f"v{__version__}")
    (checkout / "scripts" / "more").touch()
    commit(checkout)
    done = release(checkout)
    assert done.returncode == 1
    assert done.stderr == f"release: this commit has no tag v{__version__}\n"


@pytest.mark.parametrize(
    ("changelog", "says"),
    [
        (f"## 99.0.0 {DAY}\n\n- It flies.\n", "CHANGELOG.md begins with 99.0.0"),
        (f"## {__version__}\n\n- It runs.\n", f"CHANGELOG.md: not a version and a date: ## {__version__}"),
        (f"## {__version__} (2026-11-31)\n", "CHANGELOG.md: no such day: 2026-11-31"),
        (f"## {__version__} (2026-01-01)\n## 0.0.1 {DAY}\n", "CHANGELOG.md: the newest version must come first"),
        ("# Changes\n", "CHANGELOG.md names no version"),
    ],
)
def test_a_changelog_that_says_otherwise_is_named(checkout: Path, changelog: str, says: str) -> None:
    (checkout / "CHANGELOG.md").write_text(changelog)
    commit(checkout)
    git(checkout, "tag", f"v{__version__}")
    done = release(checkout)
    assert done.returncode == 1
    assert done.stderr.startswith(f"release: {says}")
    assert done.stderr.count("\n") == 1


def test_what_is_not_committed_keeps_it_from_being_a_release(checkout: Path) -> None:
    git(checkout, "tag", f"v{__version__}")
    (checkout / "launcher" / "new.py").touch()
    done = release(checkout)
    assert (done.returncode, done.stderr) == (1, "release: not committed: launcher/new.py\n")


def test_what_is_behind_is_printed_as_it_is_to_be_pinned(checkout: Path) -> None:
    """With the sum that pip will want of it; what is not behind is not."""
    requirements = checkout / "scripts" / "packaging" / "requirements.txt"
    requirements.write_text(f"distro==1.8.0 \\\n    --hash=sha256:{'0' * 64}\n")
    done = run(python_with_pip(), checkout / "scripts" / "packaging" / "pins")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("distro==1.") and done.stdout.endswith("# instead of 1.8.0\n")
    newest = done.stdout.partition("    # instead")[0]
    assert "--hash=sha256:" in newest
    requirements.write_text(f"{newest}\n")
    done = run(python_with_pip(), checkout / "scripts" / "packaging" / "pins")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ["packaging", "test"])
def test_what_installs_tools_says_what_and_installs_nothing(name: str) -> None:
    script = SOURCE / "scripts" / f"install-{name}-tools"
    done = run(script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Installs, as root on Debian, the tools that ")
    assert "They are: " in done.stdout
    assert run(script, "--nonsense").returncode == 2

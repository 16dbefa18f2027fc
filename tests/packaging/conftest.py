"""Packages, built once for all tests here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import launcher
from tests.packaging.machines import FLAVOURS, Machine
from tests.support.programs import python_with_pip
from tests.support.roots import layer

SOURCE = Path(__file__).resolve().parents[2]
NEXT_VERSION = "99.0.0"
# Packages name somebody who is to be asked about them: here, nobody (RFC 2606).
MAINTAINER = "The tests of chef-run-launcher <tests@example.org>"


def build(source: Path, output: Path, *options: str, date: str = "1700000000", maintainer: str = MAINTAINER) -> Path:
    """Run the build of a source tree. Returns the directory of what it built."""
    command = [python_with_pip(), str(source / "scripts" / "packaging" / "build"), f"--output={output}"]
    command += [f"--maintainer={maintainer}", *options]
    env = {**os.environ, "SOURCE_DATE_EPOCH": date}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def source_of_next_version(folder: Path) -> Path:
    """The source as a later release will have it: another version, a module more and one less."""
    for name in ("launcher", "scripts"):
        shutil.copytree(SOURCE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("LICENSE", "CHANGELOG.md"):
        shutil.copy(SOURCE / name, folder)
    init = folder / "launcher" / "__init__.py"
    init.write_text(init.read_text().replace(launcher.__version__, NEXT_VERSION))
    (folder / "launcher" / "cli" / "watched.py").rename(folder / "launcher" / "cli" / "watching.py")
    user = folder / "launcher" / "cli" / "verify_off.py"
    user.write_text(user.read_text().replace("import watched", "import watching as watched"))
    return folder


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the packages of this version."""
    return build(SOURCE, tmp_path_factory.mktemp("packages"))


@pytest.fixture(scope="session")
def next_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the next version."""
    folder = tmp_path_factory.mktemp("next")
    return build(source_of_next_version(folder / "source"), folder / "dist", "deb", "rpm")


@pytest.fixture(scope="session")
def cinc_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of this version for Cinc."""
    profile = SOURCE / "scripts" / "packaging" / "cinc.toml"
    return build(SOURCE, tmp_path_factory.mktemp("cinc"), "deb", "rpm", f"--profile={profile}")


def only(folder: Path, pattern: str) -> Path:
    """The one file of this kind; skips the test where its tool was missing."""
    found = list(folder.glob(pattern))
    if not found:
        pytest.skip(f"no {pattern} was built: its tool is not installed (scripts/install-packaging-tools)")
    (one,) = found
    return one


@contextmanager
def made(kind: str, folder: Path, packages: Path, next_packages: Path) -> Iterator[Machine]:
    for tool in ("dpkg-deb", "rpm", "rpmbuild"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (scripts/install-packaging-tools)")
    pattern = f"*.{kind[:3]}"
    with layer(folder / "layer") as root:
        yield Machine(root, kind, folder, only(packages, pattern), only(next_packages, pattern))


@pytest.fixture(params=FLAVOURS)
def machine(request: pytest.FixtureRequest, tmp_path: Path, packages: Path, next_packages: Path) -> Iterator[Machine]:
    """One with dpkg, and one with rpm."""
    with made(request.param, tmp_path, packages, next_packages) as one:
        yield one


@pytest.fixture
def debian(tmp_path: Path, packages: Path, next_packages: Path) -> Iterator[Machine]:
    """One with dpkg, for what `setup` does whoever calls it, and what only dpkg knows of."""
    with made("deb", tmp_path, packages, next_packages) as one:
        yield one

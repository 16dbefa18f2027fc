"""The pictures of the documents: scripts/make-pictures, and what it has made."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def check(scripts: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(scripts / "make-pictures"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_the_pictures_show_what_the_program_prints() -> None:
    done = check(SCRIPTS)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0), "make pictures"


def test_a_picture_of_other_output_or_figures_is_out_of_date(tmp_path: Path) -> None:
    scripts = shutil.copytree(SCRIPTS, tmp_path / "scripts")
    replace(scripts / "pictures" / "status.svg", "not&#160;set", "set")
    replace(scripts / "pictures" / "cost.json", '"unbuffer": ', '"unbuffer": 1')
    done = check(scripts)
    assert done.returncode == 1
    assert re.search(r"^-.* set\n", done.stdout, re.M) and re.search(r"^\+.* not set\n", done.stdout, re.M)
    assert re.search(r"^\+unbuffer ", done.stdout, re.M)


def test_a_picture_fetches_nothing() -> None:
    pictures = list((SCRIPTS / "pictures").glob("*.svg"))
    assert len(pictures) == 6
    for picture in pictures:
        assert not re.search(r"href|@import|@font-face|url\((?!#)", picture.read_text(encoding="utf-8")), picture.name


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")

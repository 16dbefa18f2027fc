"""The host's operating system: what os-release says, as distro reads it, in one short word each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.record import host_os

# What these distributions ship, as far as it matters; and what other files would have us record.
OS_RELEASE = {
    'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n': ("debian", "12"),
    'NAME="Ubuntu"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n': ("ubuntu", "24.04"),
    'NAME="Rocky Linux"\nVERSION="9.4 (Blue Onyx)"\nID="rocky"\nVERSION_ID="9.4"\n': ("rocky", "9.4"),
    'NAME="Oracle Linux Server"\nID="ol"\nVERSION_ID="8.9"\n': ("oracle", "8.9"),
    'NAME="openSUSE Leap"\nID="opensuse-leap"\nVERSION_ID="15.6"\n': ("opensuse", "15.6"),
    "ID='flatcar'\nVERSION_ID=3975.2.2\nNAME='Flatcar \"Container\" Linux'\n": ("flatcar", "3975.2.2"),
    "ID=arch\n": ("arch", None),
    'ID="my own os"\nVERSION_ID="1 (mine)"\n': ("my_own_os", None),
    f"ID={'a' * 33}\nVERSION_ID=1\n": (None, "1"),
    "": (None, None),
}


@pytest.mark.parametrize(("text", "expected"), OS_RELEASE.items(), ids=[str(os) for os, _ in OS_RELEASE.values()])
def test_it_is_what_os_release_says(text: str, expected: tuple[str | None, str | None], tmp_path: Path) -> None:
    (tmp_path / "os-release").write_text(text)
    script = "import json; from launcher.record import host_os; print(json.dumps(host_os.operating_system()))"
    env = {"UNIXCONFDIR": str(tmp_path), "UNIXUSRLIBDIR": str(tmp_path)}  # where distro looks
    done = subprocess.run([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == dict(zip(("os", "version"), expected))


@given(st.text(max_size=40))
def test_whatever_stands_there_a_record_has_one_short_word(text: str) -> None:
    """Or nothing at all."""
    for word in host_os.described(text, text).values():
        assert word is None or (word.lower() == text.lower() and word.isascii() and 0 < len(word) <= 32)
        assert not set(word or "") & set(" /\\\"'")

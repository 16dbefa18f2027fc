"""What the documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(not (HERE.parent / "SECURITY.md").exists(), reason="the tests of a checkout without its documents")
def test_each_test_that_security_md_names_is_there() -> None:
    promised = re.findall(r"`([\w/]+\.py)::(\w+)`", (HERE.parent / "SECURITY.md").read_text(encoding="utf-8"))
    assert len(promised) > 20
    for path, name in promised:
        assert f"def {name}(" in (HERE / path).read_text(encoding="utf-8"), f"{path}::{name}"

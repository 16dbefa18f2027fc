"""Thousands of generated command lines, read by Ruby's own OptionParser and by us."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from launcher.reading.command_line import NAMES, Refused, parse
from tests.support.hashes import sha256
from tests.support.homes import targets_of

SCRIPT = Path(__file__).with_name("ruby_answers.rb")
LETTERS = "vhcipuUPnsx-=c_*1"
VALUES = ["winrm", "bob", "", "-p", "--", "=x", "--user", "web01", "\u00e9"]
ENDS = [
    *("1", "3", "01", "03", "08", "09", "10", "019", "0x1", "0xa"),
    *("0x", "0b1", "0b11", "0b2", "0o7", "0d9", "24", "25", "9", "1a", "9z"),
    *("a", "c", "z", "x", "y", "aa", "ad", "zz", "a9", "b2", "z9", "ab1"),
]


def answers(questions: list[dict[str, Any]]) -> list[Any]:
    ruby = shutil.which("ruby")
    if not ruby or subprocess.run([ruby, "-e", "require 'mixlib/cli'"], capture_output=True).returncode:
        pytest.skip("needs ruby and its mixlib-cli (scripts/install-test-tools)")
    done = subprocess.run(
        [ruby, "-Ku", str(SCRIPT)],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def option(choose: random.Random) -> str:
    if choose.random() < 0.4:
        letters = "".join(choose.choice(LETTERS) for _ in range(choose.randint(1, 3)))
        return "-" + letters + choose.choice(["", "", "winrm", "=x"])
    name = choose.choice([*NAMES, "*-completion-bash", "*-completion-zsh", "bogus"])
    how = choose.random()
    if how < 0.5:
        name = name[: choose.randint(0, len(name))]
    elif how < 0.7:
        name = "-".join(word[: choose.randint(0, len(word))] for word in name.split("-"))
    if choose.random() < 0.2:
        name = name.replace("-", "_")
    if choose.random() < 0.2:
        name = choose.choice([name.upper(), name.title()])
    return "--" + name + (f"={choose.choice(VALUES)}" if choose.random() < 0.3 else "")


def command_line(choose: random.Random) -> dict[str, Any]:
    words = [
        option(choose) if choose.random() < 0.6 else choose.choice(["web01", "directory", "a=b", "-", "--", ""])
        for _ in range(choose.randint(0, 5))
    ]
    return {"argv": words, "posixly_correct": choose.random() < 0.2}


def our_parse(argv: list[str], posixly_correct: bool) -> dict[str, Any] | None:
    try:
        options, positional = parse(argv, posixly_correct)
    except Refused:
        return None
    return {"options": [in_rubys_words(name, value) for name, value in options], "positional": positional}


def in_rubys_words(name: str, value: str | None) -> list[Any]:
    if name.startswith("no-"):
        return [name[3:], False]
    return [name, value if NAMES[name] == "takes a value" else True]


def test_ruby_parses_generated_command_lines_as_we_do() -> None:
    choose = random.Random(1)
    questions = [command_line(choose) for _ in range(6000)]

    ours = [our_parse(**question) for question in questions]
    rubys = answers(questions)

    differing = [case for case in zip(questions, ours, rubys) if case[1] != case[2]]
    assert not differing[:5]
    assert len(rubys) == len(questions)
    assert sum(answer is not None for answer in rubys) > 1000


def test_ruby_counts_through_a_range_as_we_do() -> None:
    ranges = [[low, high] for low in ENDS for high in ENDS]

    rubys = answers([{"range": ends} for ends in ranges])

    assert len(rubys) == len(ranges)
    for (low, high), steps in zip(ranges, rubys):
        wanted = [sha256(f"web{step}") for step in steps or []] if len(steps or []) <= 24 else []
        found = [target.sha256 for target in targets_of(f"web[{low}:{high}]")]
        assert found == wanted, (low, high)


def test_ruby_lowers_letters_as_we_do() -> None:
    names = [f"web{chr(code)}x{chr(code)}" for code in range(0xA1, 0x1000) if chr(code).isalpha()]

    rubys = answers([{"name": name} for name in names])

    differing = [
        name
        for name, lowered in zip(names, rubys)
        if [target.sha256 for target in targets_of(name)] != [sha256(lowered)]
    ]
    assert not differing

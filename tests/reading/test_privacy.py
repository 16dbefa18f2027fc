"""No word of a command line leaves the reading of it."""

from __future__ import annotations

import random
from pathlib import Path

from launcher.home.files import Directory
from launcher.reading.command_line import targets
from launcher.reading.output import OS_NAMES, Observer, findings, platforms
from launcher.record import adoption
from tests.support.hashes import sha1
from tests.support.homes import targets_of

RUNS = 10_000
OPTIONS = [
    *("--user", "--password", "--sudo-password", "--sudo-command", "--sudo-options", "--cookbook-repo-paths"),
    *("--chef-license", "-i", "-c", "--config", "-p", "--pass", "-u"),
]


def canary(choose: random.Random) -> str:
    return "cnry" + "".join(choose.choice("ghijklmnopqrstuvwxyz") for _ in range(8))


def arguments_and_host(choose: random.Random) -> tuple[list[str], str]:
    host = canary(choose)
    url = choose.choice(["{h}", "ssh://{c}:{c}@{h}:22/{c}", "{c}@{h}", "winrm://{c}:{c}@{h}", "{h}?{c}={c}#{c}"])
    names = [url.format(h=host, c=canary(choose))]
    names += [canary(choose) + choose.choice(["", "[1:3]", "/" + canary(choose)]) for _ in range(choose.randint(0, 2))]
    words = [",".join(names), canary(choose), canary(choose), f"{canary(choose)}={canary(choose)}"]
    for _ in range(choose.randint(0, 3)):
        option = choose.choice(OPTIONS)
        value = choose.choice(["ssh", "winrm"]) if option == "-p" else canary(choose)
        place = choose.randint(0, len(words))
        words[place:place] = [f"{option}={value}"] if choose.random() < 0.1 else [option, value]
    return words, host


def output(choose: random.Random, words: list[str], host: str) -> bytes:
    name = choose.choice([*OS_NAMES, canary(choose)])
    lines = [
        f"[✖] [{host}] '{name}' is not a supported target operating system\r\n",
        f"[ - ] [{canary(choose)}] '{name}' is not a supported target operating system\n",
        f"\n'{choose.choice([name, host])}' is not a supported target operating system at this time.\n",
        f"\n  platform: {name}\n  platform version: {canary(choose)}\n",
        f"Error encountered while running the following:\n  {' '.join(words)}\n",
        f"\x1b]0;{host}\x07[ - ] [{host}] Connecting as {canary(choose)}...\n",
    ]
    return "".join(choose.choice(lines) for _ in range(4)).encode()


def test_no_canary_leaves_the_pure_part_in_ten_thousand_runs() -> None:
    choose = random.Random(1)
    known = 0
    for _ in range(RUNS):
        words, host = arguments_and_host(choose)
        found = targets(words, isfile=lambda path: True, access=lambda path, mode: True)
        observer = Observer()
        observer.feed(output(choose, words, host))
        said = findings(observer.report())
        systems = platforms(found, {sha1(host): {choose.choice([*OS_NAMES, canary(choose)])}}, said)

        left = [(target.sha256, target.sha1, target.transport) for target in found], said, systems
        assert "cnry" not in repr(left)
        assert b"cnry" not in observer.report()
        assert set(systems) <= {*OS_NAMES, None}
        known += len(found)
    assert known > RUNS / 2


def test_no_canary_leaves_a_payload_and_errors_txt(tmp_path: Path) -> None:
    (tmp_path / "telemetry-payload-1.yml").write_text(
        "---\nversion: cnry\nentries:\n- :event: :run\n  :properties:\n    :event_data:\n      :target:\n"
        "        :platform:\n          :name: :cnry\n"
        f"        :hostname_sha1: {sha1('web01')}\n        :cnry: cnry\n"
    )
    (tmp_path / "errors.txt").write_text(
        "Host: cnry Error: CHEFTARG001: 'cnry' is not a supported target operating system\n"
        "Host: cnry Error: CHEFTARG001: 'freebsd' is not a supported target operating system\n"
    )
    ended = max(path.stat().st_mtime for path in tmp_path.iterdir())
    found = targets_of("web01", "cnry")
    folder = Directory(str(tmp_path))
    adopted = adoption.adopt(folder, found, started=ended - 9, ended=ended, succeeded=False, earlier=())
    failures = adoption.failures(folder, found, started=ended - 9, ended=ended, succeeded=False)
    assert "cnry" not in repr((adopted, failures))
    assert adopted == {sha1("web01"): set()}
    assert failures == {sha1("cnry"): {"freebsd"}}

"""Adopting chef-run's own payload: this run's is taken, every other one stays."""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

import pytest

from launcher.home.files import Directory
from launcher.reading import payload
from launcher.reading.output import Claims
from launcher.record import adoption
from tests.support.hashes import sha1
from tests.support.homes import targets_of

ENDED = 1_800_000_000.0
STARTED = ENDED - 20
WEB01, WEB02 = ("web01", "linux"), ("web02", "linux")
BOOT = 0.6  # seconds from the spawn until chef-run begins its run


def action(host: str, family: str) -> str:
    platform = f"\n          :name: :{family}\n          :version: '12.11'" if family else " {}"
    return f"""- :event: :action
  :properties:
    :installation_id: 11111111-2222-4333-8444-555555555555
    :event_data:
      :action: InstallChef
      :target:
        :platform:{platform}
        :hostname_sha1: {sha1(host)}
        :transport_type: ssh
      :duration: 0.25
"""


def written(
    folder: Path,
    *hosts: tuple[str, str],
    number: int = 1,
    began: float = STARTED + BOOT,
    ended: float = ENDED - 0.05,
    stamp: float | None = None,
) -> Path:
    """A payload as a run leaves it that lasted from `began` to `ended`."""
    path = folder / f"telemetry-payload-{number}.yml"
    moment = datetime.fromtimestamp(began if stamp is None else stamp, timezone.utc)
    path.write_text(
        "---\nversion: 1.1.1\nentries:\n- :event: :run\n  :properties:\n"
        "    :installation_id: 11111111-2222-4333-8444-555555555555\n"
        f"    :run_timestamp: '{moment:%Y-%m-%dT%H:%M:%SZ}'\n    :host_platform: linux\n    :event_data:\n"
        f"      :arguments:\n      - :redacted\n      :duration: {ended - began:.9f}\n"
        + "".join(action(*host) for host in hosts)
    )
    os.utime(path, (ended, ended))
    return path


def adopt(folder: Path, *names: str, succeeded: bool = False, earlier: Iterable[tuple[int, int]] = ()) -> Claims:
    return adoption.adopt(
        Directory(str(folder)),
        targets_of(*names),
        started=STARTED,
        ended=ENDED,
        succeeded=succeeded,
        earlier=set(earlier),
    )


def test_this_runs_payload_gives_the_families_and_is_gone(tmp_path: Path) -> None:
    path = written(tmp_path, ("web01", "linux"), ("web02", "windows"), ("web03", ""))
    found = adopt(tmp_path, "web01", "web02", "web03", "web04")
    assert found == {sha1("web01"): {"linux"}, sha1("web02"): {"windows"}, sha1("web03"): set()}
    assert not path.exists()


def test_a_payload_that_names_no_host_is_removed_too(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert adopt(tmp_path, "web01") == {}
    assert not path.exists()


def test_of_parallel_runs_each_takes_its_own(tmp_path: Path) -> None:
    names = [f"web{number:02}" for number in range(10)]
    for number, name in enumerate(names):
        written(tmp_path, (name, "linux"), number=number + 1, ended=ENDED - number / 100)
    for left, name in enumerate(reversed(names)):
        assert adopt(tmp_path, name) == {sha1(name): {"linux"}}
        assert len(list(tmp_path.iterdir())) == 9 - left


def test_of_several_that_could_be_ours_the_last_written_is_taken(tmp_path: Path) -> None:
    """And no other."""
    within = written(tmp_path, ("web01", "aix"), number=1, began=STARTED + 2, ended=ENDED - 0.1)
    own = written(tmp_path, ("web01", "linux"), number=2)
    short = written(tmp_path, number=3, began=ENDED - 1, ended=ENDED - 0.5)
    assert adopt(tmp_path, "web01") == {sha1("web01"): {"linux"}}
    assert within.exists()
    assert short.exists()
    assert not own.exists()


@pytest.mark.parametrize("how", [{}, {"stamp": STARTED - 7200}], ids=["tells when it began", "does not tell"])
def test_a_payload_that_names_our_hosts_is_preferred(how: dict[str, float], tmp_path: Path) -> None:
    own = written(tmp_path, ("web01", "linux"), number=1, ended=ENDED - 1, **how)
    version = written(tmp_path, number=2, began=ENDED - 0.7)
    assert adopt(tmp_path, "web01", "web02") == {sha1("web01"): {"linux"}}
    assert not own.exists()
    assert version.exists()


def test_a_successful_run_takes_a_payload_of_all_its_hosts_only(tmp_path: Path) -> None:
    """It was connected to all of them. One that failed may have been connected to some of them, or none."""
    version = written(tmp_path, number=1)
    part = written(tmp_path, WEB01, number=2)
    assert adopt(tmp_path, "web01", "web02", succeeded=True) == {}
    assert version.exists()
    assert part.exists()
    written(tmp_path, WEB01, WEB02, number=3, ended=ENDED - 1)
    assert adopt(tmp_path, "web01", "web02", succeeded=True) == {sha1("web01"): {"linux"}, sha1("web02"): {"linux"}}
    assert adopt(tmp_path, succeeded=True) == {}
    assert not version.exists()
    assert adopt(tmp_path, "web01", "web02") == {sha1("web01"): {"linux"}}


def test_a_run_without_targets_takes_a_payload_without_hosts(tmp_path: Path) -> None:
    written(tmp_path, ("web01", "linux"), number=1)
    own = written(tmp_path, number=2, ended=ENDED - 1)
    assert adopt(tmp_path) == {}
    assert not own.exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_of_many_payloads_the_newest_are_read_one_at_a_time(tmp_path: Path) -> None:
    own = written(tmp_path, ("web01", "linux"), number=1, ended=ENDED - 0.01)
    others = [
        written(tmp_path, ("web02", "linux"), number=number, ended=ENDED - number / 100) for number in range(2, 61)
    ]
    for path in others:
        fill(path, 5 << 20)

    tracemalloc.start()
    start = time.process_time()
    assert adopt(tmp_path, "web01") == {sha1("web01"): {"linux"}}
    assert not own.exists()
    assert adopt(tmp_path, "web01") == {}
    written(tmp_path, ("web01", "linux"), number=99, ended=ENDED - 1)
    assert adopt(tmp_path, "web01") == {sha1("web01"): {"linux"}}, "a small one is within what may be read"
    assert time.process_time() - start < 5
    assert tracemalloc.get_traced_memory()[1] < 3 * adoption.MAX_SIZE
    tracemalloc.stop()
    assert all(path.exists() for path in others)


def test_a_payload_beyond_what_may_be_read_stays(tmp_path: Path) -> None:
    own = written(tmp_path, ("web01", "linux"), number=1, ended=ENDED - 1)
    fill(own, adoption.MAX_SIZE)
    others = [written(tmp_path, ("web02", "linux"), number=number, ended=ENDED - 0.1) for number in (2, 3)]
    for path in others:
        fill(path, adoption.MAX_SIZE)
    assert adopt(tmp_path, "web01") == {}
    others[0].unlink()
    assert adopt(tmp_path, "web01") == {sha1("web01"): {"linux"}}


def fill(path: Path, size: int) -> None:
    """Bring a payload to this size, written when it was."""
    written = path.stat().st_mtime
    os.truncate(path, size)
    os.utime(path, (written, written))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda folder: written(folder, WEB02), id="another host"),
        pytest.param(lambda folder: written(folder, WEB01, WEB02), id="another host beside ours"),
        pytest.param(lambda folder: written(folder, WEB01, began=STARTED - 2), id="began before us"),
        pytest.param(lambda folder: written(folder, WEB01, began=STARTED - 600), id="began long before us"),
        pytest.param(lambda folder: written(folder, began=STARTED - 600), id="began before us, without a host"),
        pytest.param(lambda folder: written(folder, WEB01, ended=ENDED - 10), id="ended amid our run"),
        pytest.param(lambda folder: written(folder, WEB01, ended=ENDED + 0.01), id="ended after us"),
        pytest.param(
            lambda folder: written(folder, WEB01, began=STARTED - 90, ended=STARTED - 60),
            id="of an earlier run",
        ),
    ],
)
def test_a_payload_of_another_run_stays(other: Callable[[Path], Path], tmp_path: Path) -> None:
    path = other(tmp_path)
    before = path.read_bytes()
    assert adopt(tmp_path, "web01") == {}
    assert path.read_bytes() == before


def test_a_payload_of_before_stays_unless_it_was_written_anew(tmp_path: Path) -> None:
    path = written(tmp_path, ("web01", "linux"))
    earlier = adoption.before(Directory(str(tmp_path)), started=ENDED)
    assert adopt(tmp_path, "web01", earlier=earlier) == {}
    assert path.exists()

    written(tmp_path, ("web01", "linux"), ended=ENDED - 0.04)
    assert adopt(tmp_path, "web01", earlier=earlier) == {sha1("web01"): {"linux"}}
    assert not path.exists()


def test_a_payload_written_before_we_look_is_not_an_earlier_one(
    tmp_path: Path,
) -> None:
    """chef-run is already at work when the directory is looked at."""
    written(tmp_path, ("web01", "linux"), ended=STARTED + 1)
    assert adoption.before(Directory(str(tmp_path)), STARTED) == frozenset()


@pytest.mark.parametrize("seconds", [-7200, 7200])
def test_a_clock_that_was_set_proves_nothing(tmp_path: Path, seconds: int) -> None:
    """Nor does one that stood still while the machine slept."""
    path = written(tmp_path, ("web01", "linux"), stamp=STARTED + seconds)
    assert adopt(tmp_path, "web01") == {sha1("web01"): {"linux"}}
    assert not path.exists()


def test_a_payload_is_adopted_by_the_real_clock(tmp_path: Path) -> None:
    started = time.time()
    began, monotonic = time.time(), time.monotonic()
    path = written(tmp_path, ("web01", "linux"), began=began, ended=began + time.monotonic() - monotonic)
    path.write_text(path.read_text())  # written now: its time is the file system's
    found = adoption.adopt(
        Directory(str(tmp_path)), targets_of("web01"), started=started, ended=time.time(), succeeded=True, earlier=()
    )
    assert found == {sha1("web01"): {"linux"}}


def test_a_payload_that_knows_when_it_began_is_preferred(tmp_path: Path) -> None:
    own = written(tmp_path, ("web01", "linux"), number=1, ended=ENDED - 2)
    other = written(tmp_path, ("web01", "windows"), number=2, stamp=STARTED - 7200)
    assert adopt(tmp_path, "web01") == {sha1("web01"): {"linux"}}
    assert not own.exists()
    assert other.exists()


def test_of_a_host_with_two_families_both_are_told(tmp_path: Path) -> None:
    written(tmp_path, ("web01", "linux"), ("web01", "windows"), ("web02", "linux"), ("web02", "linux"))
    assert adopt(tmp_path, "web01", "web02") == {sha1("web01"): {"linux", "windows"}, sha1("web02"): {"linux"}}


def test_a_payload_that_two_runs_could_take_is_taken_by_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as launchers:
        for _ in range(20):
            written(tmp_path, WEB01)
            taken = list(launchers.map(lambda _: adopt(tmp_path, "web01"), range(8)))
            assert sum(bool(families) for families in taken) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\0",
        b"---\n",
        b"rubbish\n- :event: :run\n",
        b"--- !ruby/object:Gem::Requirement {}\n",
        b"---\nversion: 1.1.1\nentries: &a [*a]\n",
        b"---\nversion: 1\nentries:\n" + b" " * adoption.MAX_SIZE + b"\n- :event: :run\n",
        b"---\nversion: 1\nentries:\n :event: :run\n",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_no_payload_stays(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "telemetry-payload-1.yml"
    path.write_bytes(text)
    os.utime(path, (ENDED, ENDED))
    assert adopt(tmp_path, "web01") == {}
    assert path.read_bytes() == text


def test_what_else_stands_in_a_payload_is_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, ("web01", "linux"))
    stranger = action("web02", "aix").replace("        :hostname", "     :hostname")
    path.write_text(path.read_text() + stranger + "- :event: :new\n  ? !ruby/object:Kernel\n  : `id`\n")
    os.utime(path, (ENDED, ENDED))
    assert adopt(tmp_path, "web01") == {sha1("web01"): {"linux"}}


def test_links_pipes_and_folders_are_neither_read_nor_removed(tmp_path: Path) -> None:
    """Nor waited for."""
    if sys.platform == "win32":
        pytest.skip("needs FIFOs, which Windows has not")
    elsewhere = tmp_path / "elsewhere"
    folder = tmp_path / "telemetry"
    elsewhere.mkdir()
    folder.mkdir()
    target = written(elsewhere, ("web01", "linux"))
    link, pipe, directory, broken = (folder / f"telemetry-payload-{number}.yml" for number in (1, 2, 3, 4))
    link.symlink_to(target)
    broken.symlink_to(elsewhere / "missing")
    os.mkfifo(pipe)
    filled = os.open(pipe, os.O_RDWR)
    os.write(filled, target.read_bytes())
    directory.mkdir()
    for path in (link, pipe, directory, broken):
        os.utime(path, (ENDED, ENDED), follow_symlinks=False)

    start = time.monotonic()
    assert adopt(folder, "web01") == {}
    assert time.monotonic() - start < 5
    os.close(filled)
    assert len(list(folder.iterdir())) == 4
    assert target.exists()


HOSTILE = {
    "newlines": b"\n",
    "spaces": b"\n" + b" " * 1000,
    "entries": b"\n- :event: :",
    "runs": b"\n- :event: :run\n",
    "hosts": b"\n        :hostname_sha1: '" + b"a" * 40,
    "entries of hosts": b"\n- :event: :a\n        :hostname_sha1: " + b"a" * 40,
    "stamps": b"\n    :run_timestamp: '2026-11-23T18:45:36",
    "durations": b"\n      :duration: 1." + b"1" * 30,
    "no UTF-8": b"\xff",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_whatever_a_payload_holds_is_read_in_bounded_time(unit: bytes) -> None:
    text = b"---\nversion: 1\nentries:\n- :event: :run\n" + unit * (adoption.MAX_SIZE // len(unit))
    start = time.process_time()
    payload.parse(text, ENDED)
    assert time.process_time() - start < 5


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    path = written(tmp_path, ("web01", "linux")).rename(tmp_path / "telemetry-payload-1.yml.bak")
    assert adopt(tmp_path, "web01") == {}
    assert path.exists()


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_folder_that_is_missing_or_no_folder_holds_no_payload(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    (tmp_path / "file").touch()
    assert adoption.before(Directory(str(folder)), STARTED) == frozenset()
    assert adopt(folder, "web01") == {}
    assert failures(folder, "web01", "web02") == {}


def test_errors_txt_is_read_and_kept_and_believed_if_of_this_run(tmp_path: Path) -> None:
    errors = errors_txt(tmp_path, "web01")
    assert failures(tmp_path, "web01", "web02") == {sha1("web01"): {"freebsd"}}
    for other in (STARTED - 1, ENDED + 1):
        os.utime(errors, (other, other))
        assert failures(tmp_path, "web01", "web02") == {}
    assert errors.exists()

    errors.unlink()
    errors.symlink_to(tmp_path / "missing")
    assert failures(tmp_path, "web01", "web02") == {}


def test_errors_txt_of_a_parallel_run_is_not_believed(tmp_path: Path) -> None:
    errors_txt(tmp_path, "web01", "web03")
    assert failures(tmp_path, "web01", "web02") == {}
    errors_txt(tmp_path, "web01")
    assert failures(tmp_path, "web01") == {}, "with one target, chef-run writes none"
    assert failures(tmp_path, "web01", "web02", succeeded=True) == {}, "nor where all goes well"


def test_an_errors_txt_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    errors_txt(tmp_path, "web01", more="x" * adoption.MAX_ERRORS_SIZE)
    assert failures(tmp_path, "web01", "web02") == {}


def errors_txt(folder: Path, *hosts: str, more: str = "") -> Path:
    path = folder / "errors.txt"
    error = "Error: CHEFTARG001: 'freebsd' is not a supported target operating system"
    path.write_text("".join(f"Host: {host} {error} {more}\n" for host in hosts))
    os.utime(path, (ENDED, ENDED))
    return path


def failures(folder: Path, *names: str, succeeded: bool = False) -> Claims:
    return adoption.failures(
        Directory(str(folder)), targets_of(*names), started=STARTED, ended=ENDED, succeeded=succeeded
    )

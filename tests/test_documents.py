"""What the documents say is so: the commands run, the tables are those of the code, and links lead somewhere."""

from __future__ import annotations

import ast
import itertools
import json
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from launcher import PACKAGE
from launcher.cli.app import app
from launcher.cli.in_front import LINES
from launcher.consent.config import load_profile
from launcher.consent.decision import HOSTS
from launcher.consent.suggestions import POLICY_TABLES, TABLES
from launcher.delivery import encode
from launcher.home import spool
from launcher.record import session
from tests.conftest import real_chef_run
from tests.support.hashes import sha256
from tests.support.homes import Home
from tests.support.programs import INSTALLED, Launcher, Program
from tests.support.servers import Collector

HERE = Path(__file__).parent
ROOT = HERE.parent
NAMES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
MOST_LINES = 250
# The commands of README that are not typed here, and who types them instead.
NOT_TYPED = {"pipx install .": "make try-packages"}
# Environment variables of ours, and those of others that change what is recorded, sent or said of it.
VARIABLE = r"CHEF_[A-Z_]*[A-Z]|DO_NOT_TRACK|SSL_CERT_[A-Z]+|CI"
# Figures that somebody has measured, and what makes them.
MEASURED = r"\b[0-9][0-9.,]*\s(?:ms|MiB|GB|starts of)(?!\w)|\bper second|requests a second|busiest second"
# What in backticks is meant as a file of this repository.
PATH = r"(?:scripts|launcher|tests)/[\w./-]+|[\w-]+/[\w./-]*\.(?:py|md|json|toml|txt|cmd)"
MAKER = r"`(?:scripts/[\w/]+|make [\w-]+)[^`]*`"

pytestmark = pytest.mark.skipif(
    not all((ROOT / name).exists() for name in NAMES), reason="the tests of a checkout without its documents"
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(heading: str, name: str = "README.md") -> str:
    """The text below a heading of the second level."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", read(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no section {heading}"
    return found[1]


def rows(heading: str, first: str) -> list[list[str]]:
    """The cells of a section's table whose first column has this heading, without the headings."""
    lines = section(heading).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    table = itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def code(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`\n]+)`", text)


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", read(name), re.MULTILINE | re.DOTALL)


def commands() -> dict[str, Any]:
    """The commands of the launcher, as the library of the command line has them."""
    found: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return found


def options(command: Any) -> set[str]:
    return {name for each in command.params for name in each.opts if name.startswith("--")}


def test_readme_can_be_read_in_one_go() -> None:
    assert len(read("README.md").splitlines()) <= MOST_LINES


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_each_command_of_readme_runs_as_it_is_typed(home: Home, chef_run: Program, plain_collector: Collector) -> None:
    assert blocks("README.md", r"\w+") == blocks("README.md", "sh"), "what cannot be typed in a shell has no block"
    typed = [line for block in blocks("README.md", "sh") for line in block.splitlines()]
    assert set(typed) >= set(NOT_TYPED)
    script = home.path.parent / "typed.sh"
    shown = [f"printf '$ %s\\n' {shlex.quote(line)}\n{line}\n" for line in typed if line not in NOT_TYPED]
    script.write_text("shopt -s expand_aliases\ntrap 'exit 1' ERR\n" + "".join(shown), encoding="utf-8")
    home.env["PATH"] = f"{INSTALLED.parent}:{home.env['PATH']}"
    done = subprocess.run(
        ["bash", str(script)], cwd=ROOT, env=home.env, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stdout.count("$ ")) == (0, len(shown)), done.stdout + done.stderr
    assert done.stdout.count(sha256("web01")) >= 2  # by sha256sum, and by us
    assert len(plain_collector.requests) == 1
    # Uninstalled as README says, nothing of ours is left.
    assert [path.name for path in home.telemetry.iterdir() if not path.name.startswith("telemetry-payload-")] == []
    assert (home.path / ".bashrc").read_text() == ""


@pytest.mark.parametrize("name", NAMES)
def test_commands_targets_and_files_that_are_named_exist(name: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    ours = commands()
    for text in code(read(name)):
        words = text.removeprefix("chef-run-launcher ").split()
        if words[0] == "make":
            assert words[1] in targets, text
        elif words[0] in ours:
            assert set(re.findall(r"--[\w-]+", text)) <= options(ours[words[0]]) | {"--help", "--config"}, text
        elif re.fullmatch(PATH, words[0]):
            places = (ROOT, ROOT / "launcher", HERE, ROOT / "scripts", ROOT / "scripts" / "packaging")
            assert any((place / words[0]).exists() for place in places), text


def test_the_table_of_commands_is_that_of_the_program() -> None:
    said: dict[str, set[str]] = {}
    for cells in rows("See, check and delete", "command"):
        for text in code(cells[0]):
            said[text.split()[0]] = set(re.findall(r"--[\w-]+", text))
    assert said == {name: options(command) - {"--help"} for name, command in commands().items()}


def test_the_table_of_fields_is_the_schema() -> None:
    fields = dict(leaves(session.schema()))
    table = {code(cells[0])[0]: cells for cells in rows("What is recorded", "field")}
    assert list(table) == list(fields)
    for field, (description, values) in fields.items():
        _, example, promise = table[field]
        promised = re.search(r"\((P\d+)\)", description)
        assert promise.startswith(f"{promised[1]}: " if promised else "none: "), field
        if example != f"`{sha256('web01')[:8]}…`":
            assert is_allowed(example.strip("`"), values), field


def leaves(schema: dict[str, Any], path: str = "", description: str = "") -> Iterator[tuple[str, tuple[str, Any]]]:
    """The fields of a schema that have no fields: each with what describes it, and what its values must be."""
    description = schema.get("description", description)
    if "properties" in schema:
        for name, field in schema["properties"].items():
            yield from leaves(field, f"{path}.{name}" if path else name, description)
    elif "items" in schema:
        yield from leaves(schema["items"], f"{path}[]", description)
    else:
        yield path, (description, schema)


def is_allowed(example: str, schema: dict[str, Any]) -> bool:
    if "const" in schema:
        return example == str(schema["const"])
    if "enum" in schema:
        return example in schema["enum"]
    return re.search(schema["pattern"].replace("\\Z", "$"), example) is not None


def test_the_table_of_what_goes_over_the_wire_is_what_goes(home: Home) -> None:
    home.has_waiting("web01")
    [path] = home.sessions()
    record = session.from_bytes(path.read_bytes())
    table = rows("On the wire", "field")
    text = section("On the wire")

    request = encode.encode([record], "chef", "2026-11-26")
    body = json.loads(request.body)
    payload = body.pop("payload")
    sent = {**body, **{f"payload.{name}": value for name, value in payload.items()}}
    said = {name: cells[2] for cells in table for name in code(cells[0])}
    assert set(said) == set(sent)
    for name in ("message_version", "payload_version", "license_id", "type", "origin", "product", "install_context"):
        assert f"`{sent[name]}`" in said[name], name
    assert set(code(said["payload.properties"])) - {"otlp", "null"} == set(payload["properties"])
    assert set(code(text)) >= {"Host", *request.headers, request.path}

    request = encode.encode([record], "otlp", "2026-11-26")
    [resource] = json.loads(request.body)["resourceLogs"]
    [scope] = resource["scopeLogs"]
    [log] = scope["logRecords"]
    attributes = [each["key"] for each in resource["resource"]["attributes"] + log["attributes"]]
    assert {name for cells in table for name in code(cells[1])} == {*log, "resource", "scope", "version", *attributes}
    assert set(scope["scope"]) == {"name", "version"}
    assert request.path in code(text)


def test_the_exit_codes_are_those_of_the_program(tmp_path: Path, home: Home, launcher: Launcher) -> None:
    [text] = [each for each in section("See, check and delete").split("\n\n") if each.startswith("Exit codes: ")]
    said = {int(each) for each in code(text) if each.isdigit()}
    stand_in = real_chef_run(HERE.parent / "scripts" / "stand_in_chef_run.py", tmp_path, home).path
    found = {
        launcher.run("status").returncode: 0,
        launcher.run("show", "0f1e7d5c").returncode: 1,
        launcher.run("status", "--nothing").returncode: 2,
    }
    stand_in.chmod(stat.S_IRUSR)
    found[launcher.exec("web01").returncode] = 126
    stand_in.unlink()
    found[launcher.exec("web01").returncode] = 127
    assert found == {each: each for each in said}


def test_the_environment_variables_are_those_of_the_program() -> None:
    known = set()
    for path in Path(PACKAGE).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(VARIABLE, node.value):
                known.add(node.value)
    said = {name for text in code(read("README.md")) for name in re.findall(rf"(?<!\w)(?:{VARIABLE})(?!\w)", text)}
    assert said == known
    # What the standard library reads for us.
    assert set(code(section("Settings"))) >= {"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"}


def test_the_settings_are_those_of_the_program() -> None:
    said = set()
    for cells in rows("Settings", "key"):
        table = re.search(r"\[(\w+)\]", cells[0])
        said |= {(table[1], key.split()[-1]) for key in code(cells[0]) if table}
    assert said == {(table, key) for table, keys in TABLES.items() for key in keys}
    [hosts] = [cells[2] for cells in rows("Settings", "key") if cells[0].endswith(" hosts`")]
    assert re.findall(r'`"(\w+)"`', hosts) == list(HOSTS)
    policy = {each.split(" = ")[0] for each in code(section("System policy"))} & {key for _, key in said}
    assert policy == set(POLICY_TABLES["telemetry"]) - {"enable"}


def test_the_lines_for_the_shells_are_those_that_doctor_names() -> None:
    said = {cells[0]: (code(cells[1])[0], code(cells[2])[0]) for cells in rows("Install and uninstall", "shell")}
    assert {shell: said[shell] for shell in LINES} == LINES
    assert set(said) - set(LINES) == {"PowerShell"}


def test_the_limits_are_those_of_the_program() -> None:
    text = section("What is recorded")
    assert f"At most {spool.MAX_WAITING} are kept, for at most {spool.MAX_AGE // 86400} days" in text


def test_the_original_is_where_readme_says() -> None:
    """Where the packages put it, and the launcher looks for it."""
    [path] = {text for text in code(section("Packages")) if text.endswith("embedded/bin/chef-run")}
    setup = (ROOT / "scripts" / "packaging" / "setup").read_text(encoding="utf-8")
    [original] = re.findall(r'^original="\$prefix(.+)"$', setup, re.MULTILINE)
    assert path == f"/opt/chef-run-launcher{original}"
    assert path in load_profile().chef_run


def test_the_pythons_that_are_called_tested_are_tested() -> None:
    tested = {version for cells in rows("Supported platforms", "platform") if "`make test" in cells[2]
              for version in re.findall(r"3\.(\d+)", cells[0])}  # fmt: skip
    [minors] = re.findall(r"for minor in ([\d ]+);", (ROOT / "Makefile").read_text())
    assert tested == set(minors.split())


@pytest.mark.parametrize("name", NAMES)
def test_each_number_names_the_command_that_makes_it(name: str) -> None:
    for part in re.split(r"^#+ ", read(name), flags=re.MULTILINE):
        if re.search(MEASURED, part):
            assert re.search(MAKER, part), part.splitlines()[0]


@pytest.mark.parametrize("name", NAMES)
def test_links_and_pictures_lead_somewhere(name: str) -> None:
    for mark, text, target in re.findall(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", read(name)):
        assert text, f"{target} has no text, or no words for those who do not see it"
        if re.match(r"https?:", target):
            assert not mark, "a picture from elsewhere tells who reads"
            continue
        path, _, anchor = target.partition("#")
        assert not path or (ROOT / path).exists(), target
        assert not anchor or anchor in anchors(path or name), target


def anchors(name: str) -> set[str]:
    """What headings are called in links, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", read(name), flags=re.MULTILINE | re.DOTALL), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_test_that_security_md_names_is_there() -> None:
    promised = re.findall(r"`([\w/]+\.py)::(\w+)`", read("SECURITY.md"))
    assert len(promised) > 20
    for path, name in promised:
        assert f"def {name}(" in (HERE / path).read_text(encoding="utf-8"), f"{path}::{name}"

"""Which configuration files chef-run's arguments name.

Apart from the rest of chef-run's grammar, in command_line.py, since it must be known before chef-run is started. Pure.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Not the parser's: chef-run's start-up looks for these two as words of their own, wherever they stand.
LOADING = ("-c", "--config-path")


def config_files(arguments: Sequence[str]) -> list[str]:
    """Every file that these arguments could mean by `-c`, `--config` or `--config-path`, each once.

    More than the parser would take, on purpose: any of them that turns telemetry off does so. Abbreviations
    count, also ambiguous ones, and so does a word after `--` or in the place of another option's value.
    """
    found: dict[str, None] = {}
    for here, word in enumerate(arguments):
        following = arguments[here + 1] if here + 1 < len(arguments) else ""
        if word.startswith("--"):
            given, equals, glued = folded(word[2:])
            if given and (abbreviates(given, "config") or abbreviates(given, "config-path")):
                found[glued if equals else following] = None
        elif word.startswith("-"):
            bundle = word.lstrip("-vh")
            if bundle.startswith("c"):
                found[bundle[1:] or following] = None
                found[bundle[1:].lstrip("=") or following] = None
    found.pop("", None)
    return list(found)


def loaded_config(arguments: Sequence[str]) -> str | None:
    """The file that chef-run loads in the place of the default config.toml; None where it loads that."""
    for here, word in enumerate(arguments):
        if word in LOADING:
            return arguments[here + 1] if here + 1 < len(arguments) else None
    return None


def folded(option: str) -> tuple[str, str, str]:
    """A long option as its name, the equals sign and the value; the name may have capitals, and `_` for `-`."""
    given, equals, glued = option.partition("=")
    return given.replace("_", "-").casefold(), equals, glued


def abbreviates(given: str, name: str) -> bool:
    """Whether `given` is short for `name`, word by word, as OptionParser completes: `i-f` is, for `identity-file`."""
    words, full = given.split("-"), name.split("-")
    return (
        len(words) <= len(full)
        and "" not in words[:-1]
        and all(whole.startswith(word) for word, whole in zip(words, full))
    )

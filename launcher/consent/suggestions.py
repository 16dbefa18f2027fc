"""What a configuration file says that means nothing, and what may have been meant. Pure; for the commands only.

config.toml belongs to other programs too, so that none of this is an error, and none of it changes a decision.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from launcher.consent.config import FORMATS, Config, in_words
from launcher.consent.decision import HOSTS, SWITCHES

Tables = Mapping[str, Mapping[str, type]]

# The tables that are ours to read, with the kinds of value of their keys.
TABLES: Tables = {
    "telemetry": {
        **dict.fromkeys((*SWITCHES, "dev", "dev_mode"), bool),
        **dict.fromkeys(("hosts", "endpoint", "format", "ca_file"), str),
    },
    "launcher": {"chef_run": str, "terminal": str},
}
# In the system policy the keys may stand at the top too.
POLICY_TABLES: Tables = {"telemetry": {**dict.fromkeys(SWITCHES, bool), "hosts": str, "endpoint": str}}
VALUES = {"hosts": HOSTS, "format": FORMATS, "terminal": ("inherit",)}
# What comes of a value that is none of these.
EFFECTS = {"hosts": ', so it counts as "off"', "format": ", so nothing is sent"}
# Sections of chef-run's and of other programs of the Workstation's, which resemble ours or may come to.
FOREIGN = {"cache", "chef", "connection", "data_collector", "dev", "features", "log", "updates"}
# How people may name ours, who then say in it that telemetry is off.
RESEMBLING = {"tele", "analytics", "metrics", "tracking", "usage", "chef_run", "chef_run_launcher"}
# How people say what is said by `enabled = false`.
OFF = {
    *("disable", "disabled", "off", "on", "opt_out", "optout", "opt-out", "opted_out", "no_telemetry", "telemetry"),
    *("do_not_track", "donottrack", "chef_telemetry_opt_out", "collect", "send", "track", "tracking"),
    *("active", "enable_telemetry", "enabled_telemetry", "telemetry_enable", "telemetry_enabled"),
}
INSTEAD = "to turn telemetry off, set enabled = false under [telemetry]"


def suggestions(config: Config, *, is_policy: bool = False) -> list[str]:
    """A sentence for each key, value and section that has no effect though it was probably meant to have one.

    No value is quoted but those of a closed set: a file may hold secrets.
    """
    tables = POLICY_TABLES if is_policy else TABLES
    found: list[str] = []
    for name, value in config.tables.items():
        known = tables.get(name)
        if known is not None:
            found += _in_table(config, name, value, known, tables)
        elif isinstance(value, dict):
            found += _section(config, name, value, tables)
        elif is_policy and name in tables["telemetry"]:
            found += _value(config, None, name, value, tables["telemetry"])
        elif is_policy and name in TABLES["telemetry"]:
            found.append(_not_in_policy(config, None, name))
        else:
            found += _outside(config, name, tables, is_policy)
    return found


def _in_table(config: Config, table: str, value: Any, known: Mapping[str, type], tables: Tables) -> list[str]:
    if not isinstance(value, dict):
        return []  # that is what the decision itself says
    found = []
    for key in value:
        if key in known:
            found += _value(config, table, key, value[key], known)
            continue
        home = next((other for other in tables if key in tables[other]), None)
        if tables is POLICY_TABLES and key in TABLES[table]:
            found.append(_not_in_policy(config, table, key))
        elif home:
            found.append(_at(config, table, key, f"{_q(key)} has no effect under [{table}]; it belongs under [{home}]"))
        else:
            found.append(_at(config, table, key, f"{_q(key)} under [{table}] is not known{_meant(key, known)}"))
    return found


def _not_in_policy(config: Config, table: str | None, key: str) -> str:
    return _at(config, table, key, f"{_q(key)} has no effect in the system policy; it belongs in config.toml")


def _section(config: Config, name: str, value: Mapping[str, Any], tables: Tables) -> list[str]:
    unknown = f"{config.path}: the section [{_shown(name)}] is not known"
    is_meant = name.lower().replace("-", "_") in RESEMBLING
    if is_meant and any(value.get(key) is False for key in (*SWITCHES, "telemetry")):
        return [f"{unknown}; {INSTEAD}"]
    nearest = None if name in FOREIGN else _nearest(name, tables)
    return [f"{unknown}; did you mean [{nearest}]?"] if nearest else []


def _outside(config: Config, name: str, tables: Tables, is_policy: bool) -> list[str]:
    """A key outside of any table: other programs may have theirs there, but not with names like ours."""
    keys = [key for table in tables.values() for key in table]
    home = next((table for table in tables if name in tables[table]), None)
    if home:
        return [_at(config, None, name, f"{_q(name)} has no effect outside a table; it belongs under [{home}]")]
    if is_policy or _is_off(name) or _nearest(name, keys):
        return [_at(config, None, name, f"{_q(name)} outside a table is not known{_meant(name, keys)}")]
    return []


def _value(config: Config, table: str | None, key: str, value: Any, known: Mapping[str, type]) -> list[str]:
    where = f"[{table}] {key}" if table else key
    if key in VALUES and value not in VALUES[key]:
        meant = _nearest(value, VALUES[key]) if isinstance(value, str) else None
        allowed = ", ".join(f'"{each}"' for each in VALUES[key])
        hint = f'; did you mean "{meant}"?' if meant else f"; the values are {allowed}"
        return [_at(config, table, key, f"the value of {where} is not known{EFFECTS.get(key, '')}{hint}")]
    if known[key] is bool and type(value) is not bool:
        return [_at(config, table, key, f"the value of {where} must be true or false, without quotes")]
    if table == "launcher" and not (isinstance(value, str) and value):
        return [_at(config, table, key, f"the value of {where} must be a string in quotes; it has no effect")]
    return []


def _meant(key: str, known: Iterable[str]) -> str:
    if _is_off(key):
        return f"; {INSTEAD}"
    nearest = _nearest(key, known)
    return f"; did you mean {_q(nearest)}?" if nearest else ""


def _is_off(key: str) -> bool:
    return key.lower() in OFF


def _nearest(word: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(word.strip().lower(), list(known), n=1, cutoff=0.75)
    return close[0] if close else None


def _at(config: Config, table: str | None, key: str, text: str) -> str:
    return f"{in_words(config.where(table, key))}: {text}"


def _q(key: str) -> str:
    return f'"{_shown(key)}"'


def _shown(key: str) -> str:
    """A key as it may be shown: a file that is not what it seems may have anything for one."""
    return key if len(key) <= 40 else key[:39] + "…"

"""The page on policies, from their documentation lines."""

from __future__ import annotations

import json
from itertools import takewhile
from typing import Any

from docs.generate.keys import KeyDoc, documentation_file, key_of, leaves, read_documentation
from docs.generate.markdown import HEAD, cell, code, table
from seg5b.contracts import load_json, load_yaml
from seg5b.resources import resource_root
from seg5b.world.identity import POLICY_PATHS

_INTRODUCTION = """# Policies

A policy is a sealed file of numbers and laws that steers one state. This page lists every key of the shipped ones, from
the documentation lines in the files themselves. A *free* key may be changed by a user within the range given; a *fixed* key
has one legal value, and any other is refused when the policy is read. `config/README.md` says how a change takes effect.
"""


def policies_page() -> str:
    """The whole page, as Markdown."""
    order = sorted(POLICY_PATHS, key=lambda path: ("layer1" in path, path))
    return "\n".join([HEAD, "", _INTRODUCTION, *(_section(path) for path in order)])


def _section(relative: str) -> str:
    policy = resource_root() / relative
    source = documentation_file(policy)
    text = source.read_text("utf-8")
    payload = (load_json if policy.suffix == ".json" else load_yaml)(policy)
    blocks = [f"## {policy.stem}\n", f"`{relative}`\n", f"{cell(_head(text))}\n"]
    rows: list[list[str]] = []
    for record in read_documentation(text):
        if record.note:
            blocks += [_table(rows)] if rows else []
            blocks.append(f"{cell(record.note)}\n")
            rows = []
        rows.append(_row(record, payload))
    return "\n".join([*blocks, _table(rows)])


def _table(rows: list[list[str]]) -> str:
    return table(("key", "shipped", "unit", "meaning", "read by", "legal values"), rows)


def _row(record: KeyDoc, payload: dict[str, Any]) -> list[str]:
    values = [value for path, value in leaves(payload) if record.names(key_of(path))]
    unread = "nothing, but the contract requires it" if record.required else "nothing"
    return [
        code(record.key),
        "absent" if record.absent else _shipped(values),
        cell(record.unit),
        cell(record.meaning),
        cell(record.reader or unread),
        "fixed" if record.fixed else "; ".join(filter(None, (f"free: {cell(record.legal)}", cell(record.condition)))),
    ]


def _shipped(values: list[Any]) -> str:
    """The value, or the values of a key that occurs often, each once."""
    texts = list(dict.fromkeys(value if isinstance(value, str) else json.dumps(value) for value in values))
    return ", ".join(map(code, texts))


def _head(text: str) -> str:
    """Comment at the top of the file."""
    lines = takewhile(lambda line: line.startswith("# "), text.splitlines())
    return " ".join(line.removeprefix("# ") for line in lines)

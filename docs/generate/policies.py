"""The page on policies, from their documentation lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Any

from docs.generate.keys import KeyDoc, documentation_file, key_of, leaves, read_documentation
from docs.generate.markdown import HEAD, cell, code, table
from seg5b.contracts import ContractSource, load_json, load_yaml
from seg5b.policy import ADDITIONS
from seg5b.resources import resource_root
from seg5b.world.identity import POLICY_PATHS

_INTRODUCTION = """# Policies

A policy is a sealed file of numbers and laws that steers one state. This page lists every key of the shipped ones, from
the documentation lines in the files themselves. A *free* key may be changed by a user within the range given; a *fixed* key
has one legal value, and any other is refused when the policy is read. An *absent* key is one that the shipped policy leaves
out, with what holds then. `config/README.md` says how a change takes effect.
"""


def policies_page() -> str:
    """The whole page, as Markdown."""
    order = sorted(POLICY_PATHS, key=lambda path: ("layer1" in path, path))
    return "\n".join([HEAD, "", _INTRODUCTION, *(_section(path) for path in order), _additions(), _may_be_absent()])


_ADDITIONS = """## What this engine adds

Keys that the policies of the reference engine do not have, and that the shipped ones leave out: a policy that states none of
them is a policy of that engine. *None*: what the key is about is not there.
"""
_MAY_BE_ABSENT = """## Keys that may be missing

Keys of the reference engine that older releases of it did not all have, and that can only mean one thing (`nb2` in a `poisson`
policy alone). Any other key of it must be there; one that is missing is refused by name.
"""


def _additions() -> str:
    """What every added key means where it is absent."""
    rows = [
        [code(policy), code(key), "none" if value is None else code(_text(value))]
        for policy, added in sorted(ADDITIONS.items())
        for key, value in added.absent_from({}).items()
    ]
    return f"{_ADDITIONS}\n{table(('policy', 'key', 'absent'), rows)}"


def _may_be_absent() -> str:
    """Keys that a schema does not require and this engine does not add, by policy."""
    packaged = ContractSource.packaged()
    rows = []
    for policy, added in sorted(ADDITIONS.items()):
        schema = packaged.schema(packaged.dictionary().entry(policy).schema_ref)
        keys = _not_required(schema, added.keys)
        rows.append([code(policy), ", ".join(map(code, keys))])
    return f"{_MAY_BE_ABSENT}\n{table(('policy', 'keys'), rows)}"


def _not_required(schema: Mapping[str, Any], added: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Keys that may be left out, and those of blocks that have keys which may not."""
    for name, below in schema.get("properties", {}).items():
        key = f"{above}{name}"
        if _is_added(below, added, key):
            continue
        if name not in schema.get("required", ()):
            yield key
        if "required" in below:
            yield from _not_required(below, added, f"{key}.")


def _is_added(schema: Mapping[str, Any], added: Mapping[str, Any], key: str) -> bool:
    """Whether a key, or all that it holds, is this engine's."""
    inner = schema.get("properties", {})
    return key in added or (
        bool(inner) and all(_is_added(each, added, f"{key}.{name}") for name, each in inner.items())
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


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
        rows.append(_row(policy.stem, record, payload))
    return "\n".join([*blocks, _table(rows)])


def _table(rows: list[list[str]]) -> str:
    return table(("key", "shipped", "unit", "meaning", "read by", "legal values"), rows)


def _row(policy: str, record: KeyDoc, payload: dict[str, Any]) -> list[str]:
    values = [value for path, value in leaves(payload) if record.names(key_of(path))]
    unread = "nothing, but the contract requires it" if record.required else "nothing"
    return [
        code(record.key),
        _absent(policy, record.key) if record.absent else _shipped(values),
        cell(record.unit),
        cell(record.meaning),
        cell(record.reader or unread),
        "fixed" if record.fixed else "; ".join(filter(None, (f"free: {cell(record.legal)}", cell(record.condition)))),
    ]


def _absent(policy: str, key: str) -> str:
    value = ADDITIONS[policy].keys.get(key)
    return "absent" if value is None else f"absent: {code(_text(value))}"


def _shipped(values: list[Any]) -> str:
    """The value, or the values of a key that occurs often, each once."""
    texts = list(dict.fromkeys(map(_text, values)))
    return ", ".join(map(code, texts))


def _head(text: str) -> str:
    """Comment at the top of the file."""
    lines = takewhile(lambda line: line.startswith("# "), text.splitlines())
    return " ".join(line.removeprefix("# ") for line in lines)

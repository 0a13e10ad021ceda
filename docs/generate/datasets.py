"""The data dictionary: every dataset of 5B with its columns, from the contracts and the forms on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from docs.generate.columns import Column, columns_of
from docs.generate.markdown import HEAD, cell, code, table
from seg5b.contracts import ContractSource, layout, load_yaml
from seg5b.resources import resource_root
from seg5b.run_tables.outputs import OUTPUT_TABLES
from seg5b.tables import TableFormat
from seg5b.tables.formats import ISSUE_TABLE

_INTRODUCTION = """# Data dictionary

Every dataset that segment 5B writes: where it lies in a run, how it is partitioned and ordered, and what its columns mean.
Policies are described in [Policies](policies.md).

*On disk* is the type in a Parquet file (text is dictionary-encoded). *JSON form* is the type in JSON files, in logs and in
what `seg5b export` writes as text, but for [ids](../laws/tables.md#export-form); instants are then RFC 3339 text in UTC and
wall clocks text without suffix. *Null* says whether a value may be null, and *absent* whether the column or field may be
missing: optional columns follow a policy. *Law* is the number of the law that gives the value, as docstrings cite it.
"""
TABLES: Mapping[str, TableFormat] = {
    **{output.dataset_id: output.form for output in OUTPUT_TABLES},
    "validation_issue_table_5B": ISSUE_TABLE,
}
"""Form on disk of every Parquet dataset."""


def datasets() -> list[dict[str, Any]]:
    """Dictionary entries of everything that 5B writes."""
    path = resource_root() / layout.dictionary_path(layout.CONTRACTS, "5B")
    return [entry for entry in load_yaml(path)["datasets"] if not entry["path"].startswith("config/")]


def columns(entry: Mapping[str, Any]) -> tuple[Column, ...]:
    """Columns of a dataset of the dictionary; none for a folder."""
    if entry["format"] == "folder":
        return ()
    return columns_of(ContractSource.packaged(), entry["schema_ref"], TABLES.get(entry["id"]))


def dictionary_page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, "", _INTRODUCTION, *map(_section, datasets())])


def _section(entry: Mapping[str, Any]) -> str:
    facts = [
        ("path", code(entry["path"])),
        ("format", f"{entry['format']}, {entry['status']}"),
        ("schema", code(entry["schema_ref"])),
        *(
            (name, ", ".join(map(code, entry[key])))
            for name, key in (("partitions", "partitioning"), ("primary key", "primary_key"), ("order", "ordering"))
            if entry.get(key)
        ),
    ]
    meaning, more = entry["description"], ContractSource.packaged().schema(entry["schema_ref"]).get("description", "")
    texts = [more] if more.startswith(meaning) else [meaning, more]
    sentences = " ".join(f"{text[0].upper()}{text[1:]}." for text in texts if text)
    lines = [f"## {entry['id']}\n", f"{cell(sentences)}\n"]
    lines.append("".join(f"- {name}: {value}\n" for name, value in facts))
    found = columns(entry)
    if found:
        lines.append(_table(found))
    return "\n".join(lines)


def _table(found: tuple[Column, ...]) -> str:
    on_disk = any(column.disk for column in found)
    heads = ["column", *(["on disk"] if on_disk else []), "JSON form", "null", "absent", "unit", "meaning", "law"]
    rows = [
        [
            code(column.name),
            *([cell(column.disk)] if on_disk else []),
            cell(column.form),
            "may be" if column.nullable else "",
            "may be" if column.optional else "",
            cell(column.unit),
            cell(column.meaning),
            column.law,
        ]
        for column in found
    ]
    return table(heads, rows)

"""Rows of a table as the contract describes them: JSON with RFC 3339 instants and wall clocks without suffix (law L8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.query import identifier, literal, parquet, row_value
from seg5b.run_tables.outputs import OutputTable, output_files
from seg5b.run_tables.subject import Subject

_RUNS = 8
_SQL_TYPES = {
    "string": "VARCHAR",
    "uint64": "UBIGINT",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "double": "DOUBLE",
    "bool": "BOOLEAN",
    "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
    "timestamp[us]": "TIMESTAMP",
    "list<item: string>": "VARCHAR[]",
    "list<element: string>": "VARCHAR[]",
}


def sql_type(kind: object) -> str:
    """SQL type of an Arrow type of `seg5b.tables.formats`."""
    name = str(kind)
    return "VARCHAR" if name.startswith("dictionary<values=string") else _SQL_TYPES[name]


def sampled_rows(subject: Subject, output: OutputTable, most: int) -> list[dict[str, Any]]:
    """About ``most`` rows in row form: short runs at hashed places of files spread evenly over the dataset."""
    files = output_files(subject.root, subject.contracts, output, subject.scenario_id)
    picked = sorted({files[number * len(files) // _RUNS] for number in range(_RUNS)})
    described = subject.rows(f"DESCRIBE SELECT * FROM {parquet(files)}")
    columns = ", ".join(f"{row_value(name, kind)} AS {identifier(name)}" for name, kind, *_ in described)
    rows: list[dict[str, Any]] = []
    length = -(-most // _RUNS)
    for file in picked:
        (total,) = subject.row(f"SELECT num_rows FROM parquet_file_metadata({literal(str(file))})")
        for number in range(_RUNS // len(picked)):
            first = _spread(number, total, length)
            span = f"file_row_number BETWEEN {first} AND {first + length - 1}"
            rows += subject.records(f"SELECT {columns} FROM {parquet([file])} WHERE {span}")
    return rows


def number_limits(output: OutputTable) -> list[tuple[str, str, float]]:
    """What the contract forbids of numbers in the columns that every file of an output has: (column, ``<``, ``>`` or ``<=``,
    bound)."""
    packaged = ContractSource.packaged()
    schema = packaged.schema(packaged.dictionary().entry(output.dataset_id).schema_ref)
    names = [field.name for field in output.form.schema if field.name not in output.optional]
    described = schema["properties"]
    return [(name, *limit) for name in names for limit in _limits(name, described.get(name, {}))]


def _limits(name: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    packaged = ContractSource.packaged()
    while "$ref" in schema:
        schema = packaged.schema(schema["$ref"])
    for branch in schema.get("anyOf", ()):
        yield from _limits(name, branch)
    if schema.get("type") not in ("integer", "number"):
        return
    # uint64 bounds hold by type; comparing with 2^64 - 1 would only widen the column
    for key, operator in (("minimum", "<"), ("maximum", ">"), ("exclusiveMinimum", "<=")):
        if key in schema and abs(schema[key]) < 2**63 and not (key == "minimum" and name in ("seed", "merchant_id")):
            yield operator, schema[key]


def _spread(number: int, total: int, length: int) -> int:
    """First row of a run: hashed places, the first at the head and none behind the last row."""
    return number * 611_953 % max(total - length + 1, 1)

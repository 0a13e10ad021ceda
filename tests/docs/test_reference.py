"""The reference pages say what contracts and policies say, and leave out no column."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from docs.generate.__main__ import FOLDER, PAGES
from docs.generate.columns import Column, columns_of
from docs.generate.datasets import TABLES, columns, datasets
from seg5b.contracts import ContractSource
from seg5b.resources import resource_root
from seg5b.tables import TableFormat
from tests.conftest import DemoRun

COUNTED_IN_NOTHING = {"seed", "merchant_id", "site_id", "edge_id", "part", "n_seeds", "n_parameter_hashes"}
"""Whole numbers that are names, not amounts."""
ROWS = {entry["id"]: entry for entry in datasets() if entry["format"] != "folder"}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_its_program_writes(name: str) -> None:
    assert (FOLDER / name).read_text("utf-8") == PAGES[name](), "run `python -m docs.generate`"


@pytest.mark.parametrize("dataset_id", ROWS)
def test_every_column_is_described(dataset_id: str) -> None:
    found = columns(ROWS[dataset_id])
    assert found
    assert [column.name for column in found if not (column.meaning and column.law)] == []
    assert [column.name for column in found if _amount(column) and not column.unit] == []


def _amount(column: Column) -> bool:
    number = column.form.startswith(("integer", "number"))
    return number and column.name not in COUNTED_IN_NOTHING and not column.name.startswith("rng_counter_")


def test_every_parquet_dataset_has_its_form_on_disk() -> None:
    assert TABLES.keys() == {entry["id"] for entry in ROWS.values() if entry["format"] == "parquet"}
    assert all(column.disk for dataset_id in TABLES for column in columns(ROWS[dataset_id]))


def test_schema_and_file_must_agree(tmp_path: Path) -> None:
    shutil.copytree(resource_root() / "contracts", tmp_path / "contracts")
    cited = "Law L1"
    with (tmp_path / "contracts/schemas/layer2/schemas.5B.yaml").open("a") as pack:
        pack.write(f"t: {{properties: {{a: {{type: integer, description: 'x. Unit: m. {cited}'}}}}, required: [a]}}\n")
    source = ContractSource.open(tmp_path, "contracts")

    def read(name: str, nullable: bool) -> tuple[Column, ...]:
        table = TableFormat(pa.schema([pa.field(name, pa.int64(), nullable=nullable)]))
        return columns_of(source, "schemas.5B.yaml#/t", table)

    assert read("a", False) == (Column("a", "int64", "integer", False, False, "x", "m", cited.removeprefix("Law ")),)
    for name, nullable in (("b", False), ("a", True)):
        with pytest.raises(ValueError, match="schema or file only"):
            read(name, nullable)


def test_documents_of_a_run_hold_only_described_fields(demo_run: DemoRun) -> None:
    """What a run publishes as JSON has no field that the dictionary does not know."""
    for dataset_id in ("s0_gate_receipt_5B", "sealed_inputs_5B", "sealed_content_5B"):
        known = {column.name.partition(".")[0].partition("[")[0] for column in columns(ROWS[dataset_id])}
        payload = json.loads(demo_run.path(dataset_id).read_bytes())
        assert {key for row in (payload if isinstance(payload, list) else [payload]) for key in row} <= known

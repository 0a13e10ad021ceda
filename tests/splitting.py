"""Published datasets laid out in parts, as a world would have them that is too large for one file (law L13)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.contracts import ContractSource, part_name
from seg5b.hashing import sha256_file
from seg5b.run_tables.outputs import OUTPUT_TABLES, dataset_path
from seg5b.runs.ledger import ledger_files
from seg5b.runs.root import RunRoot
from seg5b.tables import Coded, Constant, Masked, RowGroupWriter
from seg5b.tables.columns import Column

FORMS = {output.dataset_id: output.form for output in OUTPUT_TABLES}
ROWS_PER_GROUP = 1500
"""Small, so that parts of a small world have several row groups, and blocks of merchants begin within one."""


def split(root: RunRoot, contracts: ContractSource, dataset_id: str, scenario_id: str, parts: int = 3) -> Path:
    """Replace a single file by a folder of ``parts`` parts, cut between merchants, and record their digests in its place.
    Returns the folder."""
    place = dataset_path(root, contracts, dataset_id, scenario_id)
    whole = place.rename(place.with_name("whole"))
    source = pq.ParquetFile(whole)
    rows, metadata = source.read(), source.metadata.metadata
    place.mkdir()
    for number, (first, stop) in enumerate(_between_merchants(rows["merchant_id"], parts)):
        form = replace(FORMS[dataset_id], rows_per_group=ROWS_PER_GROUP)
        facts = {key.decode(): value.decode() for key, value in metadata.items() if key.startswith(b"seg5b.")}
        facts["seg5b.part"] = str(number)
        with RowGroupWriter(place / part_name(number), form, facts) as writer:
            writer.append({name: _column(rows[name][first:stop]) for name in rows.column_names}, stop - first)
    whole.unlink()
    _record(root, place)
    return place


def _between_merchants(merchant: pa.ChunkedArray, parts: int) -> list[tuple[int, int]]:
    """(first, stop) rows of each part."""
    changes = np.flatnonzero(np.diff(merchant.to_numpy())) + 1
    cuts = [int(changes[number * changes.size // parts]) for number in range(1, parts)]
    return list(zip([0, *cuts], [*cuts, len(merchant)], strict=True))


def _column(values: pa.ChunkedArray) -> Column:
    if pa.types.is_dictionary(values.type) or pa.types.is_string(values.type):
        coded = values.cast(pa.string()).combine_chunks().dictionary_encode()
        return Coded(coded.indices.to_numpy(), coded.dictionary)
    if values.null_count == len(values):
        return Constant(None)
    if values.null_count:
        return Masked(values.fill_null(0).to_numpy(), values.is_valid().to_numpy())
    return values.to_numpy()


def _record(root: RunRoot, place: Path) -> None:
    """Let the run's records name the parts instead of the file."""
    name = place.relative_to(root.path).as_posix()
    parts = {f"{name}/{file.name}": sha256_file(file) for file in sorted(place.iterdir())}
    for ledger in ledger_files(root):
        records = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
        for record in records:
            published = record.get("published_files") or {}
            if published.pop(name, None):
                record["published_files"] = dict(sorted({**published, **parts}.items()))
        ledger.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")

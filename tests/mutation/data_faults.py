"""Faults in the files of a finished run, whose digests and records are mended afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.mutation.places import places_of
from tests.mutation.records import Fault
from tests.torture import tampering_acts as acts
from tests.torture.insider import LEDGER, edit_lines, mending
from tests.torture.rewriting import rewrite
from tests.torture.tampering import TAMPERINGS

NO_FAULT = {"policy: a tolerance of S5", "policy: a comment"}
"""Tamperings that leave every number as it was, and nothing for S5 to see that is not what the gate sealed."""
QUICK = {
    "arrivals: another site of the zone",
    "arrivals: one comes a second later, by all clocks",
    "trace: numbers of two parts exchanged",
    "counts: kappa",
    "summary: physical and virtual exchanged",
}
Act = Callable[[Path], None]


def _mended(act: Act) -> Act:
    def mended(run: Path) -> None:
        with mending(run):
            act(run)

    return mended


def _of_merchant(column: str, change: Callable[[np.ndarray], np.ndarray]) -> Act:
    """The values of a column in the rows of a busy merchant in one zone, in the part that has most of them."""

    def act(run: Path) -> None:
        places = places_of(run)
        merchant, zone = int(places["merchant"]), places["zone"].strip("'")
        file, rows = max(
            ((file, _rows(file, merchant, zone)) for file in acts.files(run, "arrivals")), key=lambda it: it[1].size
        )

        def changed(table: pa.Table) -> pa.Table:
            values = np.array(table[column].to_pylist(), object)
            values[rows] = change(values[rows])
            place = table.column_names.index(column)
            return table.set_column(
                place, table.field(column), pa.chunked_array([pa.array(values, table.field(column).type)])
            )

        rewrite(file, changed)

    return act


def _rows(file: Path, merchant: int, zone: str) -> np.ndarray:
    table = pq.ParquetFile(file).read(["merchant_id", "zone_representation", "is_virtual"])
    zones = np.array(table["zone_representation"].to_pylist(), object)
    virtual = np.array(table["is_virtual"].to_pylist(), bool)
    return np.flatnonzero((table["merchant_id"].to_numpy() == merchant) & (zones == zone) & ~virtual)


def _beside(dataset: str, name: str, *, folder: bool = False) -> Act:
    """Something that is not ours, beside the files of a dataset."""

    def act(run: Path) -> None:
        place = acts.files(run, dataset)[0].with_name(name)
        place.mkdir() if folder else place.write_bytes(b"")

    return act


def _link(run: Path) -> None:
    first = acts.files(run, "arrivals")[0]
    first.with_name("part-link.parquet").symlink_to(first.name)


def _record(run: Path) -> None:
    """The last record of S4 tells one arrival more."""

    def changed(record: dict[str, Any]) -> dict[str, Any]:
        return record | {"total_arrivals": record["total_arrivals"] + 1} if record["state"] == "S4" else record

    for ledger in run.glob(LEDGER):
        edit_lines(ledger, lambda records: [changed(record) for record in records])


TAMPERED = tuple(
    Fault(f"files: {name}", "files", f"{name} (digests mended)", world="judged", act=tampering.on, quick=name in QUICK)
    for name, tampering in TAMPERINGS.items()
    if name not in NO_FAULT
)
REWRITTEN = (
    *(
        Fault(f"files: {name}", "files", does, world=world, act=_mended(act))
        for name, does, world, act in (
            (
                "sites sorted by time",
                "the sites of a merchant in a zone are in ascending order of their time",
                "many",
                _of_merchant("site_id", lambda ids: np.array(sorted(ids), object)),
            ),
            (
                "sites dealt again",
                "the sites of a merchant in a zone are exchanged among its arrivals: each as often as before",
                "many",
                _of_merchant("site_id", lambda ids: np.random.default_rng(1).permutation(ids)),
            ),
            (
                "a hidden file among arrivals",
                "a hidden file lies beside the parts",
                "judged",
                _beside("arrivals", ".part-000000.parquet.swp"),
            ),
            ("a link among arrivals", "a link to the first part lies beside the parts", "judged", _link),
            (
                "a file beside counts",
                "a file that is not ours lies beside the counts",
                "judged",
                _beside("counts", "notes.txt"),
            ),
            (
                "a file beside the grid",
                "a file that is not ours lies beside the grid",
                "judged",
                _beside("grid", "notes.txt"),
            ),
        )
    ),
    Fault(
        "files: a folder among arrivals",
        "files",
        "a folder lies beside the parts",
        world="judged",
        act=_beside("arrivals", "old", folder=True),
    ),
    Fault(
        "files: a record tells other totals",
        "files",
        "the record of S4 in the ledger tells more arrivals than there are",
        world="judged",
        act=_record,
    ),
)

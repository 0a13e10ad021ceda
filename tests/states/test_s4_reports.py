"""What S4's run record counts."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from seg5b.api import open_run
from seg5b.runs.ledger import last_records


def test_bucket_rows_are_all_rows_of_counts(tiny_arrivals: Path) -> None:
    """As the reference engine counts them; those with arrivals beside them."""
    run = open_run(tiny_arrivals)
    record = last_records(run.root)["S4"]
    rows = nonzero = 0
    for scenario, facts in record["details"].items():
        counts = run.table("s3_bucket_counts_5B", scenario, ["count_N"]).column(0)
        filled = pc.sum(pc.greater(counts, 0)).as_py()
        assert (facts["bucket_rows"], facts["nonzero_bucket_rows"]) == (len(counts), filled)
        assert filled == run.table("s4_arrival_summary_5B", scenario, ["count_N"]).num_rows < len(counts)
        rows, nonzero = rows + len(counts), nonzero + filled
    assert (record["total_bucket_rows"], record["total_nonzero_bucket_rows"]) == (rows, nonzero)

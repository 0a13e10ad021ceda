"""Law L17: a run that was begun under another release of pyarrow goes on where its files say the same."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from seg5b.api import Run, open_run
from seg5b.digests import content_digests
from seg5b.errors import PublishError
from seg5b.options import Options
from seg5b.pipeline import run_states
from seg5b.runs.ledger import published_digests
from seg5b.validation import verify_validation_bundle
from seg5b.world.presets import BASELINE
from tests.replay.rewriting import by_another_release, rewrite, with_value
from tests.worlds import copy_run

STATES = ("S1", "S2", "S3", "S4")


@pytest.fixture
def begun(tiny_arrivals: Path, tmp_path: Path) -> Run:
    """S0-S4 done, the outputs of S1-S3 and one part of S4 by another release."""
    run = open_run(copy_run(tiny_arrivals, tmp_path).path.parent)
    for dataset_id in ("s1_grouping_5B", "s2_realised_intensity_5B", "s3_bucket_counts_5B"):
        by_another_release(run.path(dataset_id, BASELINE))
    by_another_release(part(run))
    return run


def part(run: Run) -> Path:
    return run.path("arrival_events_5B", BASELINE) / "part-000001.parquet"


def test_it_goes_on(begun: Run) -> None:
    content = part(begun).read_bytes()
    results = run_states(begun.root, begun.contracts, STATES, options=Options(recompute=True)).states
    assert [result.record["outcome"] for result in results] == ["unchanged"] * 4
    assert part(begun).read_bytes() == content, "what was published stays"
    digests = published_digests(begun.root)
    assert digests is not None and not [name for name in digests if not (begun.root.path / name).is_file()], (
        "records name what lies there"
    )
    run_states(begun.root, begun.contracts, ("S5",))
    assert verify_validation_bundle(begun.root, begun.contracts).ok
    again = run_states(begun.root, begun.contracts, STATES).states
    assert not any(result.record["recomputed"] for result in again)


def test_content_digests_know_no_release(begun: Run, tiny_arrivals: Path) -> None:
    sound = open_run(tiny_arrivals)
    found = [content_digests(run.root, run.contracts, threads=2) for run in (begun, sound)]
    assert found[0] == found[1] and len(found[0]) == 14


def test_other_rows_are_a_conflict_by_whatever_release(begun: Run) -> None:
    rewrite(part(begun), with_value("bucket_index", 5, lambda old: old + 1))
    by_another_release(part(begun))
    with pytest.raises(PublishError, match="IO_WRITE_CONFLICT"):
        run_states(begun.root, begun.contracts, ("S4",), options=Options(recompute=True))


def test_files_without_the_digest_of_what_was_sealed_say_the_same(tiny_arrivals: Path, tmp_path: Path) -> None:
    """Release 0.1.0 of this engine did not state it."""
    run = open_run(copy_run(tiny_arrivals, tmp_path).path.parent)

    def earlier(table: pa.Table) -> pa.Table:
        kept = {key: value for key, value in table.schema.metadata.items() if key != b"seg5b.policies_digest"}
        assert len(kept) < len(table.schema.metadata)
        return table.replace_schema_metadata(kept)

    for dataset_id in ("s1_time_grid_5B", "s2_realised_intensity_5B"):
        rewrite(run.path(dataset_id, BASELINE), earlier)
    results = run_states(run.root, run.contracts, STATES, options=Options(recompute=True)).states
    assert [result.record["outcome"] for result in results] == ["unchanged"] * 4
    run_states(run.root, run.contracts, ("S5",))

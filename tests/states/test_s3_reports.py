"""S3 tells what the kernel reports, the first row with its series and bucket; and its trace, whatever its blocks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seg5b.contracts import ContractSource
from seg5b.errors import EvidenceError, NumericError
from seg5b.pipeline import run_states
from seg5b.rng.device import stream_source
from seg5b.rng.messages import Stream
from seg5b.runs.root import RunRoot
from seg5b.states.s3_counts import counting
from tests.oracle.randomness import World
from tests.worlds import copy_run

BASE = "baseline_v1"
ROW = 1900  # in the third series


@pytest.fixture
def to_s2(tiny_world: Path, tmp_path: Path) -> RunRoot:
    """A tiny world, realised up to S2."""
    root = copy_run(tiny_world, tmp_path)
    run_states(root, ContractSource.packaged(), ("S0", "S1", "S2"))
    return root


def _file(root: RunRoot, dataset: str) -> Path:
    entry = ContractSource.packaged().dictionary("5B").entry(dataset)
    return root.resolve(entry.render(root.identity.tokens(BASE)))


def _rows(root: RunRoot) -> pa.Table:
    return pq.ParquetFile(_file(root, "s2_realised_intensity_5B")).read()


@pytest.mark.parametrize("bad", [-0.5, np.nan, np.inf])
def test_the_first_row_without_a_mean_is_named(to_s2: RunRoot, bad: float) -> None:
    table = _rows(to_s2)
    mu = table.column("lambda_realised").to_numpy().copy()
    mu[[ROW, ROW + 5000]] = bad
    at = table.schema.get_field_index("lambda_realised")
    file = _file(to_s2, "s2_realised_intensity_5B")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(mu)), file)
    with pytest.raises(NumericError) as failure:
        run_states(to_s2, ContractSource.packaged(), ("S3",))
    row = table.slice(ROW, 1).to_pylist()[0]
    key = (row["merchant_id"], row["zone_representation"], row["channel_group"])
    assert failure.value.code == "5B.S3.COUNTS_NUMERIC_INVALID"
    assert failure.value.what == f"mean {bad} of series {key}, bucket {row['bucket_index']}"
    assert not _file(to_s2, "s3_bucket_counts_5B").exists()


def test_a_stream_without_a_successor_is_refused(to_s2: RunRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    """No seed is known to do this, so the templates of one series are made to (a digest of ones, nothing to hash)."""
    active = _rows(to_s2).column("lambda_realised").to_numpy() > 1e-9
    buckets = int(pq.ParquetFile(_file(to_s2, "s1_time_grid_5B")).metadata.num_rows)
    first = int(np.flatnonzero(active)[2000])
    series = first // buckets
    first = series * buckets + int(active[series * buckets :].argmax())
    original = stream_source

    def with_ones(*arguments: Any) -> Any:
        source = original(*arguments)
        if series in arguments[4]:
            slot = series - arguments[4][0]
            rows = slice(slot * source.digits_max, (slot + 1) * source.digits_max)
            source.templates.state[rows] = 2**32 - 1
            source.templates.tail_blocks[rows] = 0
        return source

    monkeypatch.setattr(counting, "stream_source", with_ones)
    monkeypatch.setattr(counting, "derive_stream", lambda head, key: Stream(0, 2**64 - 1, 2**64 - 1))
    with pytest.raises(EvidenceError) as failure:
        run_states(to_s2, ContractSource.packaged(), ("S3",))
    assert failure.value.code == "5B.S3.RNG_ACCOUNTING_MISMATCH"
    assert failure.value.what == f"counter of S3.bucket_count.v1 would wrap: {'f' * 32} + 1 blocks"
    assert failure.value.where == f"event {np.count_nonzero(active[:first])}"
    assert not _file(to_s2, "s3_bucket_counts_5B").exists()


def test_the_trace_s_counters_are_those_of_the_first_and_last_row_that_draw(
    to_s2: RunRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quiet rows at both ends and in between, whole blocks of them too; neither trace nor counts know blocks."""
    table = _rows(to_s2)
    mu = table.column("lambda_realised").to_numpy().copy()
    mu[:1234] = mu[3000:4200] = mu[-777:] = 0.0
    at = table.schema.get_field_index("lambda_realised")
    file = _file(to_s2, "s2_realised_intensity_5B")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(mu)), file)
    copy = copy_run(to_s2.path.parent, tmp_path / "whole")
    run_states(copy, ContractSource.packaged(), ("S3",))
    batches = pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda file, batch_size, **more: batches(file, 500, **more))
    run_states(to_s2, ContractSource.packaged(), ("S3",))

    active = np.flatnonzero(mu > 1e-9)
    world = World(to_s2.identity.manifest_fingerprint, to_s2.identity.parameter_hash, to_s2.identity.seed, BASE)
    (line,) = _trace(to_s2).read_text().splitlines()
    trace = json.loads(line)
    before, after = (world.stream("S3.bucket_count.v1", _domain(table, row))[1] for row in active[[0, -1]].tolist())
    assert trace["rng_counter_before_hi"] << 64 | trace["rng_counter_before_lo"] == before
    assert trace["rng_counter_after_hi"] << 64 | trace["rng_counter_after_lo"] == after + 1
    assert trace["events_total"] == active.size
    for name in (_trace, lambda root: _file(root, "s3_bucket_counts_5B")):
        assert name(to_s2).read_bytes() == name(copy).read_bytes()


def _domain(table: pa.Table, row: int) -> str:
    (of,) = table.slice(row, 1).to_pylist()
    return f"merchant_id={of['merchant_id']}|zone={of['zone_representation']}|bucket_index={of['bucket_index']}"


def _trace(root: RunRoot) -> Path:
    (file,) = root.path.glob(f"logs/layer2/5B/rng/trace/*/*/*/state=S3/scenario_id={BASE}/rng_trace_log.jsonl")
    return file

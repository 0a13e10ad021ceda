"""What the segments after 5B, and the reference engine's own states, read: as they read it, of both forms.

Each reading is one of docs/how-to/next-segments.md. Each fails on the published form, silently or loudly, and is right on a root
that ``seg5b export --compat reference`` wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from seg5b.api import Run, open_run

pl = pytest.importorskip("polars")

Scan = Callable[[str], Any]
SESSION_GAP_S = 1200
BASELINE = "baseline_v1"
UTC_TEXT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Roots:
    """The published run and its root in the reference form."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.run, self.published = run, run.root.path
        self.reference = run.export_reference_root(folder / "runs").path
        self._tokens = {
            "seed": str(run.identity.seed),
            "manifest_fingerprint": run.identity.manifest_fingerprint,
            "parameter_hash": run.identity.parameter_hash,
            "run_id": run.identity.run_id,
            "scenario_id": BASELINE,
        }

    def place(self, root: Path, template: str) -> Path:
        return root / template.format(**self._tokens)


PARTITIONS = "seed={seed}/manifest_fingerprint={manifest_fingerprint}/scenario_id={scenario_id}"
ARRIVALS = f"data/layer2/5B/arrival_events/{PARTITIONS}/part-*.parquet"
INTENSITY = f"data/layer2/5B/s2_realised_intensity/{PARTITIONS}/s2_realised_intensity_5B.parquet"
COUNTS = f"data/layer2/5B/s3_bucket_counts/{PARTITIONS}/s3_bucket_counts_5B.parquet"
OF_WORLD = "manifest_fingerprint={manifest_fingerprint}/scenario_id={scenario_id}"
GRID = f"data/layer2/5B/s1_time_grid/{OF_WORLD}/s1_time_grid_5B.parquet"
GROUPING = f"data/layer2/5B/s1_grouping/{OF_WORLD}/s1_grouping_5B.parquet"
TRACE = "logs/layer2/5B/rng/trace/seed={seed}/parameter_hash={parameter_hash}/run_id={run_id}/rng_trace_log.jsonl"
BUNDLE = "data/layer2/5B/validation/manifest_fingerprint={manifest_fingerprint}"


@pytest.fixture(scope="module")
def roots(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Roots:
    return Roots(open_run(tiny_run), tmp_path_factory.mktemp("next"))


def both(roots: Roots, template: str) -> tuple[Any, Any]:
    """A dataset as polars reads its files, published and in the reference form."""
    return tuple(pl.read_parquet(roots.place(root, template)) for root in (roots.published, roots.reference))


def seconds_of(texts: list[Any]) -> list[float]:
    """Moments of texts of 27 characters, ``Z`` at the end."""
    for text in texts:
        if not (isinstance(text, str) and len(text) == 27 and text.endswith("Z")):
            raise ValueError(f"{text!r} is no text of 27 characters with Z")
    return [datetime.strptime(text, UTC_TEXT).replace(tzinfo=UTC).timestamp() for text in texts]


def test_gate_takes_the_bundle(roots: Roots) -> None:
    """6A.S0 and 6B.S0 hash the members of the bundle in the order of their paths. The bundle is the published one: this reading
    is right on both forms, and fails on a bundle whose member changed."""
    folder = roots.place(roots.reference, BUNDLE)

    def digest() -> str:
        entries = json.loads((folder / "index.json").read_text())["entries"]
        members = sorted(entry["path"] for entry in entries)
        return hashlib.sha256(b"".join((folder / name).read_bytes() for name in members)).hexdigest()

    flag = json.loads((folder / "_passed.flag").read_text())
    assert digest() == flag["bundle_digest_sha256"]
    sealed = json.loads((roots.place(roots.reference, BUNDLE) / "index.json").read_text())["entries"][0]["path"]
    content = (folder / sealed).read_bytes()
    (folder / sealed).write_bytes(content + b" ")
    assert digest() != flag["bundle_digest_sha256"]
    (folder / sealed).write_bytes(content)


def test_arrivals_have_the_contracts_types(roots: Roots) -> None:
    """6A.S0 and 6B.S0 seal `arrival_events_5B`; 6B.S1 takes `ts_utc` over as the text that its own contract wants."""
    texts = ["ts_utc", "ts_local_primary", "ts_local_settlement", "ts_local_operational"]
    names = ["scenario_id", "tzid_primary", "zone_representation", "channel_group", "routing_universe_hash", *texts]
    published, reference = both(roots, ARRIVALS)
    assert {reference.schema[name] for name in names} == {pl.String}
    assert {published.schema[name] for name in names} != {pl.String}
    assert {reference.schema[name] for name in ("merchant_id", "site_id", "edge_id", "seed")} == {pl.UInt64}
    assert {reference.schema[name] for name in ("bucket_index", "arrival_seq")} == {pl.Int64}


def sessions(arrivals: Any) -> int:
    """Sessions as 6B.S1 cuts them: by merchant, where two arrivals are further apart than the gap."""
    arrivals = arrivals.sort("merchant_id", "ts_utc", "arrival_seq")
    moments, merchants = seconds_of(arrivals["ts_utc"].to_list()), arrivals["merchant_id"].to_list()
    new = [
        now - before > SESSION_GAP_S or merchant != of
        for before, now, of, merchant in zip(moments, moments[1:], merchants, merchants[1:], strict=False)
    ]
    return 1 + sum(new)


def test_sessions(roots: Roots) -> None:
    published, reference = both(roots, ARRIVALS)
    with pytest.raises(ValueError, match="27 characters"):
        sessions(published)
    native = published.sort("merchant_id", "ts_utc", "arrival_seq")
    gaps = (native["ts_utc"].diff().dt.total_microseconds() > SESSION_GAP_S * 1_000_000).fill_null(True)
    changes = native["merchant_id"].ne_missing(native["merchant_id"].shift(1))
    assert sessions(reference) == int((gaps | changes).sum()) > 100


def test_sessions_by_parsing_text_leniently_are_silently_wrong_on_the_published_form(roots: Roots) -> None:
    """A lenient parse turns what is no text of the form into nothing: every gap is unknown, so that a merchant's arrivals are one
    session, many times longer than allowed, and nobody says so."""

    def cut(arrivals: Any) -> int:
        moments = arrivals.with_columns(
            pl.col("ts_utc").cast(pl.String).str.strptime(pl.Datetime("us"), "%Y-%m-%dT%H:%M:%S%.6fZ", strict=False)
        ).sort("merchant_id", "arrival_seq")
        gaps = moments["ts_utc"].diff().dt.total_seconds().fill_null(0) > SESSION_GAP_S
        return int((gaps | moments["merchant_id"].ne_missing(moments["merchant_id"].shift(1))).sum())

    published, reference = both(roots, ARRIVALS)
    assert cut(published) == published["merchant_id"].n_unique() < cut(reference)


def test_order_by_text_is_order_of_time(roots: Roots) -> None:
    """6B reads rows in the contract's order, (scenario_id, merchant_id, ts_utc, arrival_seq), and compares moments as texts."""
    published, reference = both(roots, ARRIVALS)
    keys = list(reference.select("scenario_id", "merchant_id", "ts_utc", "arrival_seq").iter_rows())
    assert keys == sorted(keys)
    first, last = "2026-03-03T00:00:00.000000Z", "2026-03-04T00:00:00.000000Z"

    def day(rows: Any) -> int:
        return sum(first <= text < last for text in rows["ts_utc"].to_list())

    bounds = (datetime(2026, 3, 3, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC))
    assert day(reference) == sum(bounds[0] <= moment < bounds[1] for moment in published["ts_utc"].to_list()) > 0
    with pytest.raises(TypeError):
        day(published)


def test_rows_as_json_fit_the_contract(roots: Roots) -> None:
    """Ingestion takes rows as JSON that the contract's schema of a row is held against."""
    entry = roots.run.contracts.dictionary("5B").entry("arrival_events_5B")
    validator = roots.run.contracts.validator(entry.schema_ref)
    published, reference = both(roots, ARRIVALS)
    clocks = ("primary", "settlement", "operational")
    offsets = published.select(f"utc_offset_min_{clock}" for clock in clocks).head(200).to_dicts()
    texts = [{**row, **more} for row, more in zip(reference.head(200).to_dicts(), offsets, strict=True)]
    assert sum(validator.is_valid(json.loads(json.dumps(row))) for row in texts) == 200
    native = [json.loads(json.dumps(row, default=str)) for row in published.head(200).to_dicts()]
    assert sum(validator.is_valid(row) for row in native) == 0


def test_grid_is_parsed_from_texts(roots: Roots) -> None:
    """5B.S4 parses the bounds of buckets by their format."""
    published, reference = both(roots, GRID)
    starts, ends = (seconds_of(reference[f"bucket_{end}_utc"].to_list()) for end in ("start", "end"))
    assert starts[1:] == ends[:-1] and {end - start for start, end in zip(starts, ends, strict=True)} == {3600.0}
    with pytest.raises(ValueError, match="27 characters"):
        seconds_of(published["bucket_start_utc"].to_list())


def test_intensities_join_grouping_by_texts(roots: Roots) -> None:
    """5B.S2 and S3 join by (merchant_id, zone_representation, channel_group) and by group_id with texts of their own."""
    published, reference = both(roots, GROUPING)
    groups = sorted({str(group) for group in reference["group_id"].to_list()})
    own = pl.DataFrame(
        {"group_id": groups, "sigma": [0.25] * len(groups)}, schema={"group_id": pl.String, "sigma": pl.Float64}
    )
    assert reference.join(own, on="group_id", how="inner").height == reference.height
    with pytest.raises(pl.exceptions.PolarsError):
        published.join(own, on="group_id", how="inner")
    keys = ["merchant_id", "zone_representation", "channel_group"]
    cells = both(roots, INTENSITY)[1].select(*keys, "bucket_index", "lambda_realised")
    assert cells.join(reference.select(*keys, "group_id"), on=keys, how="inner").height == cells.height > 0


def test_counts_are_one_file_of_plain_texts(roots: Roots) -> None:
    """5B.S4 streams the one file of counts by its row groups, and makes domain keys of the texts in it."""
    import pyarrow.parquet as pq

    place = roots.place(roots.reference, COUNTS)
    assert place.is_file() and {str(field.type) for field in pq.read_schema(place)} <= {
        *("string", "uint64", "int64", "double", "bool")
    }
    native = roots.place(roots.published, COUNTS)
    (first,) = [native] if native.is_file() else sorted(native.iterdir())[:1]
    assert any("dictionary" in str(field.type) for field in pq.read_schema(first))


def test_trace_is_the_contracts_file(roots: Roots) -> None:
    """5B.S5 looks for all five substreams in the one trace file."""
    lines = roots.place(roots.reference, TRACE).read_text().splitlines()
    found = {(row["module"], row["substream_label"]) for row in map(json.loads, lines)}
    drawn = {("5B.S4", f"arrival_{name}") for name in ("time_jitter", "site_pick", "edge_pick")}
    assert found == {("5B.S2", "latent_vector"), ("5B.S3", "bucket_count"), *drawn}
    assert not roots.place(roots.published, TRACE).exists()

"""What a user would write instead of S4: NumPy and polars, Parquet out.

    cd bench && POLARS_MAX_THREADS=1 python -m baselines.numpy_polars RUN OUT --columns all --share 0/2

One process a core is the quickest: each makes its share, polars with one thread.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from baselines import expansion
from baselines.expansion import Weighted, World


def read(run: Path) -> World:
    """The world's rows with arrivals, sites and edges."""
    counts = pl.read_parquet(expansion.first_file(run, expansion.COUNTS), columns=expansion.COUNT_COLUMNS)
    counts = counts.filter(pl.col("count_N") > 0)
    grid = pl.read_parquet(expansion.first_file(run, expansion.GRID)).sort("bucket_index")
    sites = pl.read_parquet(expansion.first_file(run, expansion.SITES)).sort("merchant_id")
    edges = pl.read_parquet(expansion.first_file(run, expansion.EDGES)).sort("merchant_id")
    settled = pl.read_parquet(expansion.first_file(run, expansion.SETTLEMENT))
    modes = pl.read_parquet(expansion.first_file(run, expansion.MODES))
    zone, channel = (counts[name].cast(pl.String) for name in ("zone_representation", "channel_group"))
    zones = sorted({*zone.unique(), *edges["tzid_operational"].unique(), *settled["tzid_settlement"].unique()})
    channels = sorted(channel.unique())
    start_us = grid["bucket_start_utc"].dt.epoch("us").to_numpy()
    return World(
        counts["merchant_id"].to_numpy(),
        _codes(zone, zones),
        _codes(channel, channels),
        counts["bucket_index"].to_numpy(),
        counts["count_N"].to_numpy(),
        zones,
        channels,
        start_us,
        expansion.utc_offsets(zones, start_us),
        Weighted.of(sites["merchant_id"].to_numpy(), sites["p_weight"].to_numpy()),
        Weighted.of(edges["merchant_id"].to_numpy(), edges["edge_weight"].to_numpy()),
        _codes(edges["tzid_operational"], zones),
        dict(zip(settled["merchant_id"], _codes(settled["tzid_settlement"], zones).tolist(), strict=True)),
        dict(zip(modes["merchant_id"], modes["virtual_mode"], strict=True)),
    )


def _codes(names: pl.Series, known: list[str]) -> np.ndarray:
    codes: np.ndarray = names.replace_strict(known, range(len(known)), return_dtype=pl.Int32).to_numpy()
    return codes


def write(world: World, made: dict[str, np.ndarray], file: Path, wide: bool) -> None:
    """One file, not compressed, as S4's are not."""
    frame = pl.DataFrame(
        {
            "merchant_id": made["merchant_id"],
            "zone_representation": _named(made["zone"], world.zones),
            "bucket_index": made["bucket_index"],
            "arrival_seq": made["arrival_seq"],
            "ts_utc": pl.Series(made["ts_utc"]).cast(pl.Datetime("us", "UTC")),
            "ts_local_primary": _clock(made["ts_local"]),
            "site_id": made["site_id"],
        }
    )
    if wide:
        frame = frame.with_columns(**_further(world, made), **_constants())
    frame.write_parquet(file, compression="uncompressed", statistics=True)


def _further(world: World, made: dict[str, np.ndarray]) -> dict[str, pl.Series]:
    virtual, zones = pl.Series(made["is_virtual"]), world.zones
    site, edge = pl.Series(made["site_id"]), pl.Series(made["edge_id"])
    return {
        "channel_group": _named(made["channel"], world.channels),
        "tzid_primary": _named(made["zone"], zones),
        "utc_offset_min_primary": pl.Series(made["offset_min"].astype(np.int32)),
        "tzid_settlement": _named(made["settlement"], zones),
        "ts_local_settlement": _clock(made["ts_utc"] + made["settlement_offset_us"]),
        "utc_offset_min_settlement": pl.Series((made["settlement_offset_us"] // 60_000_000).astype(np.int32)),
        "tzid_operational": _named(made["operational"], zones),
        "ts_local_operational": _clock(made["ts_utc"] + made["operational_offset_us"]),
        "utc_offset_min_operational": pl.Series((made["operational_offset_us"] // 60_000_000).astype(np.int32)),
        "is_virtual": virtual,
        "site_id": site.set(virtual, None),
        "edge_id": edge.set(~virtual, None),
    }


def _constants() -> dict[str, pl.Expr]:
    """Columns with one value each."""
    texts = ("manifest_fingerprint", "parameter_hash", "scenario_id", "routing_universe_hash", "s4_spec_version")
    values = {name: pl.lit("0" * 64, pl.Enum(["0" * 64])) for name in texts}
    return {**values, "seed": pl.lit(42, pl.UInt64)}


def _named(codes: np.ndarray, names: list[str]) -> pl.Series:
    return pl.Series(names, dtype=pl.Enum(names)).gather(codes)


def _clock(micros: np.ndarray) -> pl.Series:
    return pl.Series(micros).cast(pl.Datetime("us"))


if __name__ == "__main__":
    expansion.main(read, write, __doc__)

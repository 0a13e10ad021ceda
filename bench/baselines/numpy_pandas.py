"""What a user would write instead of S4: NumPy and pandas, Parquet out.

cd bench && python -m baselines.numpy_pandas RUN OUT --columns all --share 0/2
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from baselines import expansion
from baselines.expansion import Weighted, World


def read(run: Path) -> World:
    """The world's rows with arrivals, sites and edges."""
    counts = _table(run, expansion.COUNTS, expansion.COUNT_COLUMNS).query("count_N > 0")
    grid = _table(run, expansion.GRID).sort_values("bucket_index")
    sites = _table(run, expansion.SITES).sort_values("merchant_id", kind="stable")
    edges = _table(run, expansion.EDGES).sort_values("merchant_id", kind="stable")
    settled, modes = _table(run, expansion.SETTLEMENT), _table(run, expansion.MODES)
    zone, channel = counts["zone_representation"], counts["channel_group"]
    zones = sorted({*zone.unique(), *edges["tzid_operational"].unique(), *settled["tzid_settlement"].unique()})
    channels = sorted(channel.unique())
    start_us = grid["bucket_start_utc"].to_numpy("datetime64[us]").astype(np.int64)
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


def _table(run: Path, dataset: str, columns: list[str] | None = None) -> Any:
    return pd.read_parquet(expansion.first_file(run, dataset), columns=columns, partitioning=None)


def _codes(names: Any, known: list[str]) -> np.ndarray:
    index = pd.Index(known)
    if isinstance(names.dtype, pd.CategoricalDtype):
        codes: np.ndarray = index.get_indexer(names.cat.categories)[names.cat.codes]
    else:
        codes = index.get_indexer(names)
    return codes.astype(np.int32)


def write(world: World, made: dict[str, np.ndarray], file: Path, wide: bool) -> None:
    """One file, not compressed, as S4's are not."""
    columns: dict[str, Any] = {
        "merchant_id": made["merchant_id"],
        "zone_representation": pd.Categorical.from_codes(made["zone"], world.zones),
        "bucket_index": made["bucket_index"],
        "arrival_seq": made["arrival_seq"],
        "ts_utc": pd.DatetimeIndex(made["ts_utc"].view("datetime64[us]")).tz_localize("UTC"),
        "ts_local_primary": made["ts_local"].view("datetime64[us]"),
        "site_id": made["site_id"],
    }
    if wide:
        columns |= _further(world, made)
    pd.DataFrame(columns).to_parquet(file, engine="pyarrow", compression=None, index=False)


def _further(world: World, made: dict[str, np.ndarray]) -> dict[str, Any]:
    virtual, size = made["is_virtual"], made["ts_utc"].size
    texts = ("manifest_fingerprint", "parameter_hash", "scenario_id", "routing_universe_hash", "s4_spec_version")
    nothing = np.zeros(size, np.int8)
    columns: dict[str, Any] = {name: pd.Categorical.from_codes(nothing, ["0" * 64]) for name in texts}
    columns["seed"] = np.full(size, 42, np.uint64)
    columns["channel_group"] = pd.Categorical.from_codes(made["channel"], world.channels)
    columns["tzid_primary"] = pd.Categorical.from_codes(made["zone"], world.zones)
    columns["utc_offset_min_primary"] = made["offset_min"].astype(np.int32)
    for clock in ("settlement", "operational"):
        offset_us = made[f"{clock}_offset_us"]
        columns[f"tzid_{clock}"] = pd.Categorical.from_codes(made[clock], world.zones)
        columns[f"ts_local_{clock}"] = (made["ts_utc"] + offset_us).view("datetime64[us]")
        columns[f"utc_offset_min_{clock}"] = (offset_us // 60_000_000).astype(np.int32)
    columns["is_virtual"] = virtual
    columns["site_id"] = pd.arrays.IntegerArray(made["site_id"], virtual)
    columns["edge_id"] = pd.arrays.IntegerArray(made["edge_id"], ~virtual)
    return columns


if __name__ == "__main__":
    expansion.main(read, write, __doc__)

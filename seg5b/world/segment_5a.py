"""Datasets of segment 5A: scenarios, profile, shapes, and the large intensity surfaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from seg5b.world.folder import Folder
from seg5b.world.shares import unique_keys
from seg5b.world.surface import Block, Surface
from seg5b.world.tables import (
    BOOL,
    FLOAT32,
    FLOAT64,
    INT16,
    INT32,
    INT64,
    STRING,
    STRINGS,
    UINT64,
    TableWriter,
    coded,
    repeated,
    write_blocks,
    write_nested,
    write_table,
)
from seg5b.world.vocabulary import CLASSES
from seg5b.world.world import BuiltWorld

SPEC_VERSION = "1.0.0"
_ROW_KEY = {"merchant_id": UINT64, "legal_country_iso": STRING, "tzid": STRING}
_REF_PER_SITE = {
    "always_on_local": 320.0, "bills_utilities": 150.0, "consumer_daytime": 225.0, "evening_weekend": 220.0,
    "fuel_convenience": 300.0, "low_volume_tail": 40.0, "office_hours": 180.0, "online_24h": 450.0,
    "online_bursty": 380.0, "travel_hospitality": 200.0,
}  # fmt: skip
_LOW_WEEKLY = 5.0
_CONFIG_IDS = (
    "scenario_horizon_config_5A",
    "scenario_metadata",
    "scenario_calendar_5A",
    "scenario_overlay_policy_5A",
)
_TIMESTAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


def write_scenarios(folder: Folder, world: BuiltWorld) -> None:
    """``scenario_manifest_5A``."""
    plan = world.plan
    rows = [
        {
            "manifest_fingerprint": folder.identity.manifest_fingerprint,
            "scenario_id": scenario,
            "scenario_version": "v1.0.0",
            "horizon_start_utc": plan.start_utc.strftime(_TIMESTAMP),
            "horizon_end_utc": plan.end_utc.strftime(_TIMESTAMP),
            "is_baseline": plan.scenario(scenario).is_baseline,
            "is_stress": not plan.scenario(scenario).is_baseline,
            "labels": ["baseline", "steady_state"]
            if plan.scenario(scenario).is_baseline
            else ["stress", "peak_online"],
            "scenario_config_ids": list(_CONFIG_IDS),
        }
        for scenario in sorted(plan.scenarios)
    ]
    types = {
        **dict.fromkeys(list(rows[0])[:5], STRING),
        "is_baseline": BOOL,
        "is_stress": BOOL,
        "labels": STRINGS,
        "scenario_config_ids": STRINGS,
    }
    write_nested(folder.path("scenario_manifest_5A"), rows, types)


def write_profile(folder: Folder, world: BuiltWorld) -> None:
    """``merchant_zone_profile_5A``: class, main channel and weekly volume of every row."""
    rows, count = world.rows, len(world.rows)
    texts = ("demand_subclass", "profile_id", "weekly_volume_unit", "class_source")
    flags = ("high_variability_flag", "low_volume_flag", "virtual_preferred_flag")
    reference = np.array([_REF_PER_SITE[name] for name in CLASSES])[rows.class_code]
    write_table(
        folder.path("merchant_zone_profile_5A"),
        {
            "manifest_fingerprint": STRING,
            "parameter_hash": STRING,
            **_ROW_KEY,
            "channel_group": STRING,
            "demand_class": STRING,
            **dict.fromkeys(texts, STRING),
            "weekly_volume_expected": FLOAT64,
            "scale_factor": FLOAT64,
            **dict.fromkeys(flags, BOOL),
            "s1_spec_version": STRING,
        },
        {
            **_stamp_columns(folder, count),
            **_row_columns(world, slice(None)),
            "channel_group": coded(world.channels.main, world.channels.names),
            "demand_class": coded(rows.class_code, CLASSES),
            "demand_subclass": coded(rows.role, ("primary", "secondary", "tail")),
            "profile_id": coded(rows.class_code, [f"{name}.v1" for name in CLASSES]),
            "weekly_volume_unit": repeated("arrivals_per_local_week", count),
            "class_source": repeated("class_policy", count),
            "weekly_volume_expected": rows.weekly,
            "scale_factor": rows.weekly / (np.maximum(world.site_counts, 1) * reference),
            "high_variability_flag": rows.class_code == CLASSES.index("online_bursty"),
            "low_volume_flag": rows.weekly < _LOW_WEEKLY,
            "virtual_preferred_flag": world.merchants.mode_code[rows.merchant] > 0,
            "s1_spec_version": repeated(SPEC_VERSION, count),
        },
    )


def write_shapes(folder: Folder, world: BuiltWorld, surface: Surface, scenario_id: str) -> None:
    """``shape_grid_definition_5A`` and ``class_zone_shape_5A``: the local week, and the shape each zone has in it."""
    buckets, per_hour = surface.week_buckets, world.plan.buckets_per_hour
    bucket = np.arange(buckets)
    day, hour = bucket // (24 * per_hour), bucket // per_hour % 24
    write_table(
        folder.path("shape_grid_definition_5A", scenario_id=scenario_id),
        {
            "parameter_hash": STRING,
            "scenario_id": STRING,
            **dict.fromkeys(
                ("bucket_index", "local_day_of_week", "local_minutes_since_midnight", "bucket_duration_minutes"),
                INT64,
            ),
            "is_weekend": BOOL,
            "is_nominal_open_hours": BOOL,
            "time_grid_version": STRING,
        },
        {
            "parameter_hash": repeated(folder.identity.parameter_hash, buckets),
            "scenario_id": repeated(scenario_id, buckets),
            "bucket_index": bucket,
            "local_day_of_week": day + 1,
            "local_minutes_since_midnight": bucket % (24 * per_hour) * (60 // per_hour),
            "bucket_duration_minutes": np.full(buckets, 60 // per_hour),
            "is_weekend": day >= 5,
            "is_nominal_open_hours": (day < 5) & (hour >= 9) & (hour < 17),
            "time_grid_version": repeated(SPEC_VERSION, buckets),
        },
    )
    _write_class_shapes(folder, world, surface, scenario_id)


def _write_class_shapes(folder: Folder, world: BuiltWorld, surface: Surface, scenario_id: str) -> None:
    rows, channels = world.rows, world.channels
    of_row = [column[channels.row] for column in (rows.class_code, rows.country, rows.zone)]
    buckets = surface.week_buckets
    kinds, _ = unique_keys(*of_row, channels.channel, surface.variant)
    code, country, zone, channel, variant = (np.repeat(column, buckets) for column in kinds)
    count = code.size
    bucket = np.tile(np.arange(buckets), count // buckets)
    templates = [f"{name}.v{number + 1}" for name in CLASSES for number in range(3)]
    write_table(
        folder.path("class_zone_shape_5A", scenario_id=scenario_id),
        {
            **dict.fromkeys(("parameter_hash", "scenario_id", "demand_class", "legal_country_iso", "tzid"), STRING),
            "bucket_index": INT64,
            "shape_value": FLOAT64,
            "s2_spec_version": STRING,
            "channel_group": STRING,
            "template_id": STRING,
        },
        {
            "parameter_hash": repeated(folder.identity.parameter_hash, count),
            "scenario_id": repeated(scenario_id, count),
            "demand_class": coded(code, CLASSES),
            "legal_country_iso": coded(country, world.geography.countries),
            "tzid": coded(zone, world.geography.tzids),
            "bucket_index": bucket,
            "shape_value": surface.shapes[code, variant, bucket],
            "s2_spec_version": repeated(SPEC_VERSION, count),
            "channel_group": coded(channel, channels.names),
            "template_id": coded(code * 3 + variant, templates),
        },
    )


def write_baseline(
    folder: Folder, world: BuiltWorld, surface: Surface, scenario_id: str, seen: Callable[[int], None]
) -> None:
    """``merchant_zone_baseline_local_5A``: the local week of every row and channel; ``seen`` is called with the rows done."""
    channels, buckets = world.channels, surface.week_buckets
    types = {
        **_SURFACE_STAMP,
        **_ROW_KEY,
        "bucket_index": INT16,
        "lambda_local_base": FLOAT64,
        "s3_spec_version": STRING,
        "channel_group": STRING,
        "scale_source": STRING,
        "weekly_volume_expected": FLOAT64,
    }
    step = (1 << 20) // buckets
    usual = _SurfaceColumns(folder, world, scenario_id, step, buckets)
    index = np.tile(np.arange(buckets, dtype=np.int16), step)
    source = repeated("weekly_volume_expected", step * buckets)

    def blocks() -> Iterator[dict[str, Any]]:
        for start in range(0, len(channels), step):
            part = slice(start, min(start + step, len(channels)))
            count = (part.stop - start) * buckets
            yield {
                **usual.of(part),
                "bucket_index": index[:count],
                "lambda_local_base": surface.baseline(start, part.stop).ravel(),
                "s3_spec_version": usual.version[:count],
                "scale_source": source[:count],
                "weekly_volume_expected": np.repeat(channels.weekly[part], buckets),
            }
            seen(part.stop)

    with TableWriter(folder.path("merchant_zone_baseline_local_5A", scenario_id=scenario_id), types) as writer:
        write_blocks([writer], blocks())


_SURFACE_STAMP = {"manifest_fingerprint": STRING, "parameter_hash": STRING, "scenario_id": STRING}
_TAIL_TYPES = {"channel_group": STRING, "s4_spec_version": STRING}
_SURFACES: dict[str, dict[str, Any]] = {
    "merchant_zone_scenario_local_5A": {
        **_SURFACE_STAMP,
        **_ROW_KEY,
        "local_horizon_bucket_index": INT16,
        "lambda_local_scenario": FLOAT32,
        "overlay_factor_total": FLOAT32,
        **_TAIL_TYPES,
    },
    "merchant_zone_overlay_factors_5A": {
        **_SURFACE_STAMP,
        **_ROW_KEY,
        "local_horizon_bucket_index": INT16,
        "overlay_factor_total": FLOAT32,
        **_TAIL_TYPES,
    },
    "merchant_zone_scenario_utc_5A": {
        **_SURFACE_STAMP,
        **_ROW_KEY,
        "utc_horizon_bucket_index": INT16,
        "lambda_utc_scenario": FLOAT32,
        **_TAIL_TYPES,
    },
}


def write_surfaces(
    folder: Folder, world: BuiltWorld, surface: Surface, scenario_id: str, seen: Callable[[Block], None]
) -> None:
    """The three surfaces of a scenario, block by block; ``seen`` is called with each block written.

    The local surface counts buckets in UTC already, so the UTC surface repeats it under its own names.
    """
    buckets = world.plan.buckets
    index_type = INT16 if buckets < 1 << 15 else INT32
    usual = _SurfaceColumns(folder, world, scenario_id, surface.block_rows(), buckets)
    index = np.tile(np.arange(buckets, dtype=np.int16 if index_type == INT16 else np.int32), surface.block_rows())

    def blocks() -> Iterator[dict[str, Any]]:
        for block in surface.blocks(scenario_id):
            intensity = block.lambda_.ravel()
            count = intensity.size
            yield {
                **usual.of(slice(block.start, block.stop)),
                "local_horizon_bucket_index": index[:count],
                "utc_horizon_bucket_index": index[:count],
                "lambda_local_scenario": intensity,
                "lambda_utc_scenario": intensity,
                "overlay_factor_total": block.overlay.ravel(),
                "s4_spec_version": usual.version[:count],
            }
            seen(block)

    with ExitStack() as stack:
        writers = [
            stack.enter_context(TableWriter(folder.path(name, scenario_id=scenario_id), _indexed(types, index_type)))
            for name, types in _SURFACES.items()
        ]
        write_blocks(writers, blocks())


def _indexed(types: dict[str, Any], index_type: Any) -> dict[str, Any]:
    return {name: index_type if kind == INT16 else kind for name, kind in types.items()}


class _SurfaceColumns:
    """Columns of a surface with ``repeats`` buckets in each row: keys, stamps and version of a block. Those that are the
    same in every block of ``most_rows`` rows are made once."""

    def __init__(self, folder: Folder, world: BuiltWorld, scenario_id: str, most_rows: int, repeats: int) -> None:
        most = most_rows * repeats
        rows, channels = world.rows, world.channels
        self._repeats = repeats
        self._constant = {**_stamp_columns(folder, most), "scenario_id": repeated(scenario_id, most)}
        self.version = repeated(SPEC_VERSION, most)
        self._merchant_id = world.merchants.id[rows.merchant[channels.row]]
        self._coded = {
            "legal_country_iso": (rows.country[channels.row].astype(np.int32), world.geography.countries),
            "tzid": (rows.zone[channels.row].astype(np.int32), world.geography.tzids),
            "channel_group": (channels.channel.astype(np.int32), channels.names),
        }

    def of(self, part: slice) -> dict[str, Any]:
        """Columns of some rows of the surface."""
        count = (part.stop - part.start) * self._repeats
        return {
            **{name: column[:count] for name, column in self._constant.items()},
            "merchant_id": np.repeat(self._merchant_id[part], self._repeats),
            **{
                name: coded(np.repeat(codes[part], self._repeats), names)
                for name, (codes, names) in self._coded.items()
            },
        }


def _row_columns(world: BuiltWorld, part: slice) -> dict[str, Any]:
    rows = world.rows
    return {
        "merchant_id": world.merchants.id[rows.merchant[part]],
        "legal_country_iso": coded(rows.country[part], world.geography.countries),
        "tzid": coded(rows.zone[part], world.geography.tzids),
    }


def _stamp_columns(folder: Folder, count: int) -> dict[str, Any]:
    return {
        "manifest_fingerprint": repeated(folder.identity.manifest_fingerprint, count),
        "parameter_hash": repeated(folder.identity.parameter_hash, count),
    }

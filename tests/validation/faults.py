"""The table of planted faults: check, code, and what is done to a sound run so that the check must notice."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seg5b.run_tables.policies import RunPolicies
from seg5b.runs.ledger import ledger_files
from seg5b.world.plan import BASELINE
from tests.splitting import split
from tests.validation.harness import (
    PHYSICAL,
    VIRTUAL,
    Change,
    Run,
    at,
    cast,
    drop,
    edit,
    exchange,
    put,
    repeat,
    replaced,
    restate,
    states_read,
    swap,
    twin_reads,
    where,
)
from tests.validation.law_faults import LAW_FAULTS

Plant = Callable[[Run], None]
MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Fault:
    """``check`` must report ``code`` after ``plant``; ``ornate`` runs have every option on; ``status`` as the check's
    severity makes it; ``policies`` are judged by instead of the sealed ones."""

    check: str
    code: str
    plant: Plant
    ornate: bool = False
    status: str = "FAIL"
    policies: Callable[[RunPolicies], RunPolicies] | None = None


def tables(dataset_id: str, *changes: Change, part: int = 0) -> Plant:
    return lambda run: edit(run.path(dataset_id, part), *changes)


def arrivals(*changes: Change, part: int = 1) -> Plant:
    return tables("arrival_events_5B", *changes, part=part)


def event_log(name: str, *changes: Change) -> Plant:
    return lambda run: edit(run.event_log(name), *changes)


_counter_behind = put("rng_counter_after_lo", lambda old: old ^ 1, at(-3))


def _other_form(run: Run) -> None:
    run.event_log("arrival_edge_pick").with_suffix(".jsonl").write_bytes(b"")


def every_part(*changes: Change) -> Plant:
    def plant(run: Run) -> None:
        for path in sorted(run.path("arrival_events_5B").parent.glob("*.parquet")):
            edit(path, *changes)

    return plant


def sealed_file(artifact_id: str, change: Callable[[bytes], bytes]) -> Plant:
    def plant(run: Run) -> None:
        path = run.gate.files(artifact_id)[0]
        path.write_bytes(change(path.read_bytes()))

    return plant


def sealed_table(artifact_id: str, *changes: Change) -> Plant:
    return lambda run: edit(run.gate.files(artifact_id)[0], *changes)


def flip(place: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def json_field(path: Callable[[Run], Path], change: Callable[[dict], None]) -> Plant:
    def plant(run: Run) -> None:
        payload = json.loads(path(run).read_bytes())
        change(payload)
        path(run).write_bytes(json.dumps(payload).encode())

    return plant


def trace(state: str, change: Callable[[list[dict]], list[dict]]) -> Plant:
    def plant(run: Run) -> None:
        path = run.trace(state)
        rows = change([json.loads(line) for line in path.read_text().splitlines()])
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    return plant


def first_row(**values: object) -> Callable[[list[dict]], list[dict]]:
    """The first trace row with other values; a function gets the old one."""

    def change(rows: list[dict]) -> list[dict]:
        new = {key: value(rows[0][key]) if callable(value) else value for key, value in values.items()}
        return [{**rows[0], **new}, *rows[1:]]

    return change


def cut_cache(keep: Callable[[str], bool]) -> Plant:
    """Take the changes after January 2026 from zones that ``keep`` refuses: those of the horizon are gone."""

    def change(raw: bytes) -> bytes:
        at, parts = 10, [raw[:10]]
        for _ in range(struct.unpack_from("<I", raw, 6)[0]):
            (length,) = struct.unpack_from("<H", raw, at)
            name = raw[at + 2 : at + 2 + length]
            (count,) = struct.unpack_from("<I", raw, at + 2 + length)
            first = at + 6 + length
            steps = [struct.unpack_from("<qi", raw, first + 12 * n) for n in range(count)]
            kept = steps if keep(name.decode()) else [step for step in steps if step[0] < 1_770_000_000]
            parts += [raw[at : at + 2 + length], struct.pack("<I", len(kept)), *(struct.pack("<qi", *s) for s in kept)]
            at = first + 12 * count
        return b"".join(parts)

    def plant(run: Run) -> None:
        path = next(path for path in run.gate.files("tz_timetable_cache") if path.suffix == ".bin")
        path.write_bytes(change(path.read_bytes()))

    return plant


def shift(minutes: int, rows: Callable[[pa.Table], list[int]] | None, clock: str = "primary") -> tuple[Change, Change]:
    """Move a clock and its offset together, so that only the truth can tell."""
    return (
        put(f"utc_offset_min_{clock}", lambda old: old + minutes, rows),
        put(f"ts_local_{clock}", lambda old: old + minutes * MINUTE_US, rows),
    )


def rounded_counts(run: Run) -> None:
    """Counts that do not scatter: each is its mean, rounded."""

    def change(table: pa.Table) -> pa.Table:
        values = pa.array([round(mu) for mu in table.column("mu").to_pylist()], pa.int64())
        return table.set_column(table.column_names.index("count_N"), "count_N", values)

    tables("s3_bucket_counts_5B", change)(run)


def nothing(run: Run) -> None:
    """The run is sound; the policy asks for more."""


def _remove(dataset_id: str) -> Plant:
    return lambda run: run.path(dataset_id).unlink()


def _truncate(run: Run) -> None:
    path = run.path("arrival_events_5B", 1)
    path.write_bytes(path.read_bytes()[:-500])


def _rename_part(run: Run) -> None:
    path = run.path("arrival_events_5B", 1)
    path.rename(path.with_name("part-000091.parquet"))


def parts_of(dataset_id: str, damage: Callable[[Path], None]) -> Plant:
    """Lay a dataset out in three parts, then damage their folder."""
    return lambda run: damage(split(run.root, run.contracts, dataset_id, BASELINE))


def _lose(folder: Path) -> None:
    (folder / "part-000001.parquet").unlink()


def _stray(folder: Path) -> None:
    (folder / "notes.txt").write_text("nothing")


def _cut_within_a_merchant(folder: Path) -> None:
    """The first row of the second part goes to the end of the first: no row is out of order."""
    first, second = (folder / f"part-00000{number}.parquet" for number in range(2))
    rows = pq.ParquetFile(second).read()
    edit(second, drop(0))
    edit(first, lambda table: pa.concat_tables([table, rows.slice(0, 1)]).unify_dictionaries())


def footer(dataset_id: str, **stated: str | None) -> Plant:
    """The footer of a file states something else."""
    return lambda run: restate(run.path(dataset_id), **stated)


def recorded(state: str, **facts: object) -> Plant:
    """A state's run record states something else."""

    def plant(run: Run) -> None:
        for ledger in ledger_files(run.root):
            records = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
            records = [{**record, **facts} if record["state"] == state else record for record in records]
            ledger.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")

    return plant


def beside(place: Callable[[Run], Path], make: Callable[[Path], object]) -> Plant:
    """Something lies where nothing of it should."""

    def plant(run: Run) -> None:
        place(run).parent.mkdir(parents=True, exist_ok=True)
        make(place(run))

    return plant


def _in_partition(dataset_id: str, name: str) -> Callable[[Run], Path]:
    return lambda run: run.path(dataset_id).parent / name


def _moved_event(rows: list[dict]) -> list[dict]:
    """The first part of S4 states an event of the second one."""
    one, other = (next(row for row in rows if row["part"] == part) for part in (0, 1))
    assert one["substream_label"] == other["substream_label"] == "arrival_time_jitter"
    for row, more in ((one, 1), (other, -1)):
        row.update({f"{name}_total": row[f"{name}_total"] + more for name in ("events", "draws", "blocks")})
    return rows


def _halved_field(rows: list[dict]) -> list[dict]:
    """The one row of S2 is two, which add up to it and begin and end where it did."""
    (row,) = rows
    names = [f"{name}_total" for name in ("events", "draws", "blocks")]
    one = {name: row[name] // row["events_total"] for name in names}
    middle = {f"rng_counter_{end}_{word}": 5 for end in ("before", "after") for word in ("hi", "lo")}
    first = {**row, **one, **{key: value for key, value in middle.items() if "after" in key}}
    rest = {name: row[name] - one[name] for name in names}
    return [first, {**row, **rest, **{key: value for key, value in middle.items() if "before" in key}, "part": 1}]


def _last_row(**values: object) -> Callable[[list[dict]], list[dict]]:
    """The last trace row with other values, as `first_row`."""
    return lambda rows: first_row(**values)(rows[::-1])[::-1]


def _second_audit_record(run: Run) -> None:
    path = run.path("rng_audit_log")
    path.write_text(2 * path.read_text())


DATASETS = {
    "grid": ("S1", "s1_time_grid_5B"),
    "grouping": ("S1", "s1_grouping_5B"),
    "intensity": ("S2", "s2_realised_intensity_5B"),
    "latent": ("S2", "s2_latent_field_5B"),
    "counts": ("S3", "s3_bucket_counts_5B"),
    "arrivals": ("S4", "arrival_events_5B"),
    "summary": ("S4", "s4_arrival_summary_5B"),
    "anomalies": ("S4", "s4_arrival_anomalies_5B"),
}
_NEGATIVE = {
    "grid": ("bucket_index", -1),
    "grouping": ("component_count", 0),
    "intensity": ("lambda_baseline", -0.5),
    "latent": ("latent_std", -1.0),
    "counts": ("count_N", -1),
    "arrivals": ("channel_group", None),
    "summary": ("count_physical", -3),
    "anomalies": ("message", None),
}
_MISFIT = {"anomalies": ("severity", "FATAL"), "grid": ("local_day_of_week", 9), "latent": ("group_id", "")}


def _per_dataset() -> Iterator[Fault]:
    for table, (state, dataset_id) in DATASETS.items():
        schema, ornate = f"5B.S5.{state}_SCHEMA_VIOLATION", table == "latent"
        identity = (
            "5B.S5.S4_PARTITION_OR_IDENTITY_VIOLATION" if state == "S4" else "5B.S5.PARTITION_OR_IDENTITY_VIOLATION"
        )
        narrow = {"anomalies": ("message", pa.binary()), "grouping": ("component_count", pa.int32())}
        column, kind = narrow.get(table, ("bucket_index", pa.int32()))
        plant = every_part if table == "arrivals" else lambda *changes, d=dataset_id: tables(d, *changes)
        yield Fault(f"schema.columns.{table}", schema, plant(cast(column, kind)), ornate)
        yield Fault(f"schema.values.{table}", schema, plant(put(*_NEGATIVE[table], at(0))), ornate)
        yield Fault(f"schema.rows.{table}", schema, plant(put(*_MISFIT.get(table, ("channel_group", "")))), ornate)
        one = (lambda *changes: arrivals(*changes)) if table == "arrivals" else plant
        yield Fault(f"identity.{table}", identity, one(put("parameter_hash", "0" * 64, at(0))), ornate)


_DOMAIN = "5B.S5.S1_S3_GRID_DOMAIN_MISMATCH"
_PARTS = "5B.S5.PARTITION_OR_IDENTITY_VIOLATION"
_GROUPING = "5B.S5.S1_GROUPING_INVALID"
_S2, _S3, _S4 = "5B.S5.S2_INTENSITY_INVALID", "5B.S5.S3_COUNTS_INVALID", "5B.S5.S4_PK_VIOLATION"
_COUNT, _SUMMARY = "5B.S5.COUNT_MISMATCH_S3_S4", "5B.S5.S4_SUMMARY_MISMATCH"
_SITE, _EDGE = "5B.S5.PHYSICAL_ROUTING_INVALID", "5B.S5.VIRTUAL_ROUTING_INVALID"
_CLOCK, _INPUT = "5B.S5.CIVIL_TIME_MAPPING_FAILED", "5B.S5.S0_SEALED_INPUTS_INCONSISTENT"
_EVENTS = "5B.S5.RNG_EVENTS_INVALID"
_RNG, _RNG_ROWS = "5B.S5.RNG_ACCOUNTING_MISMATCH", "5B.S5.RNG_ACCOUNTING_INCOMPLETE"
_FOOTER, _FOREIGN = "5B.S5.FILE_METADATA_INVALID", "5B.S5.FOREIGN_FILE"
_RECORD = "5B.S5.RUN_RECORD_CONTRADICTS"
_ANOMALIES = "5B.S5.S4_ANOMALIES_MISMATCH"
_REAL, _TZ = "5B.S5.REALISM_OUT_OF_BOUNDS", "5B.S5.TZ_CACHE_DIFFERS"
GRID, GROUPING, INTENSITY = "s1_time_grid_5B", "s1_grouping_5B", "s2_realised_intensity_5B"
LATENT, COUNTS, SUMMARY, ANOMALIES = (
    "s2_latent_field_5B",
    "s3_bucket_counts_5B",
    "s4_arrival_summary_5B",
    "s4_arrival_anomalies_5B",
)
_ACTIVE = where("lambda_baseline", lambda value: value > 0)
_SENTINEL = "calibration_sentinels.b"

FAULTS: tuple[Fault, ...] = (
    *(Fault(check, "5B.S5.DISTRIBUTION_MISMATCH", plant) for check, plant in LAW_FAULTS),
    Fault("inputs.sealed", "5B.S5.SEALED_CONTENT_CHANGED", sealed_file("s1_site_weights", flip(200))),
    Fault(
        "inputs.upstream",
        "5B.S5.UPSTREAM_HASHGATE_NOT_PASSED",
        json_field(
            lambda run: run.path("s0_gate_receipt_5B"), lambda p: p["upstream_segments"]["2B"].update(status="FAIL")
        ),
    ),
    Fault("outputs.published", "5B.S5.DOMAIN_DISCOVERY_FAILED", _remove(SUMMARY)),
    Fault("outputs.readable", "5B.S5.IO_READ_FAILED", _truncate),
    Fault("outputs.metadata", _FOOTER, footer(GRID, manifest_fingerprint="0" * 64)),
    Fault("outputs.metadata", _FOOTER, footer(GROUPING, scenario_id="another")),
    Fault("outputs.metadata", _FOOTER, footer(INTENSITY, seed="7")),
    Fault("outputs.metadata", _FOOTER, footer(COUNTS, rng_law="philox2x64-10/5B.rng.v2")),
    Fault("outputs.metadata", _FOOTER, footer("arrival_events_5B", pandas="{}")),
    Fault("outputs.metadata", _FOOTER, footer(SUMMARY, code_version="")),
    Fault("outputs.metadata", _FOOTER, footer(ANOMALIES, tzdb="2020a")),
    Fault("outputs.metadata", _FOOTER, lambda run: restate(run.path("arrival_events_5B"), part=None)),
    Fault("outputs.metadata", _FOOTER, lambda run: restate(run.path("arrival_events_5B", 1), part="0")),
    Fault("outputs.nothing_else", _FOREIGN, beside(_in_partition("arrival_events_5B", ".hidden"), Path.touch)),
    Fault("outputs.nothing_else", _FOREIGN, beside(_in_partition(GRID, "old"), Path.mkdir)),
    Fault("outputs.nothing_else", _FOREIGN, beside(_in_partition(COUNTS, "away"), lambda path: path.symlink_to("/"))),
    Fault(
        "outputs.nothing_else",
        _FOREIGN,
        beside(lambda run: run.path(SUMMARY).parents[1] / "scenario_id=other" / "x.parquet", Path.touch),
    ),
    Fault("outputs.nothing_else", _FOREIGN, beside(lambda run: run.trace("S4").with_name("notes.txt"), Path.touch)),
    Fault(
        "outputs.nothing_else",
        _FOREIGN,
        beside(lambda run: run.path("s0_gate_receipt_5B").with_suffix(".old"), Path.touch),
    ),
    Fault("outputs.records", _RECORD, recorded("S4", total_virtual=1), status="WARN"),
    Fault("outputs.records", _RECORD, recorded("S2", seed=7), status="WARN"),
    Fault("s2.parts", _PARTS, parts_of(INTENSITY, _lose)),
    Fault("s2.parts", _PARTS, parts_of(INTENSITY, _cut_within_a_merchant)),
    Fault("s3.parts", _PARTS, parts_of(COUNTS, _stray)),
    Fault("s3.parts", _PARTS, parts_of(COUNTS, _cut_within_a_merchant)),
    Fault("summary.parts", "5B.S5.S4_PARTITION_OR_IDENTITY_VIOLATION", parts_of(SUMMARY, _lose)),
    *_per_dataset(),
    Fault("s1.grid_contiguous", _DOMAIN, tables(GRID, put("bucket_start_utc", lambda old: old + 1, at(5)))),
    Fault("s1.grid_covers_horizon", _DOMAIN, tables(GRID, drop(-1))),
    Fault("s1.grid_band", _DOMAIN, tables(GRID, put("scenario_is_stress", True, at(0)))),
    Fault("s1.grid_annotations", _DOMAIN, tables(GRID, put("scenario_labels", ["another"], at(9)))),
    Fault("s1.grid_annotations", _DOMAIN, tables(GRID, put("local_day_of_week", lambda old: old % 7 + 1, at(9)))),
    Fault(
        "s1.grid_annotations", _DOMAIN, tables(GRID, put("local_minutes_since_midnight", lambda old: old + 1, at(9)))
    ),
    Fault("s1.grid_annotations", _DOMAIN, tables(GRID, put("is_weekend", lambda old: not old, at(9)))),
    Fault("s1.grouping_order", _GROUPING, tables(GROUPING, swap(3, 4))),
    Fault(
        "s1.group_features", _GROUPING, tables(GROUPING, put("zone_group_id", "zg99", at(0)), put("group_id", "one"))
    ),
    Fault(
        "s1.group_bands",
        _GROUPING,
        tables(GROUPING, put("virtual_band", lambda old: {"physical": "virtual"}.get(old, "physical"), at(2))),
    ),
    Fault("s1.group_law", _GROUPING, tables(GROUPING, put("group_id", lambda old: old[:-2] + "07", at(1)))),
    Fault("s1.grouping_domain", _DOMAIN, tables(GROUPING, put("component_count", lambda old: old + 1, at(1)))),
    Fault("s1.demand_class", _GROUPING, tables(GROUPING, put("demand_class", "office_hours", at(1)))),
    Fault("s2.rows", _DOMAIN, tables(INTENSITY, drop(-1))),
    Fault("s2.canonical", _DOMAIN, tables(INTENSITY, swap(10, 11))),
    Fault("s2.numbers", _S2, tables(INTENSITY, put("lambda_realised", float("nan"), at(7)))),
    Fault("s2.factor_clip", _S2, tables(INTENSITY, put("lambda_random_component", 5.5, at(7)))),
    Fault("s2.product", _S2, tables(INTENSITY, put("lambda_realised", lambda old: old * 1.001, _ACTIVE))),
    Fault("s2.shared_factor", _S2, tables(INTENSITY, put("lambda_random_component", lambda old: old + 1e-9, at(0)))),
    Fault("s2.baseline_is_surface", _S2, tables(INTENSITY, put("lambda_baseline", lambda old: old * 1.0001, _ACTIVE))),
    Fault("s2.latent_present", _S2, tables(LATENT, swap(0, 1)), ornate=True),
    Fault("s2.latent_moments", _S2, tables(LATENT, put("latent_value", lambda old: old + 0.5, at(3))), ornate=True),
    Fault("s2.latent_is_factor", _S2, tables(LATENT, exchange("latent_value", 3, 4)), ornate=True),
    Fault("s3.rows", _DOMAIN, tables(COUNTS, drop(-1))),
    Fault("s3.canonical", _DOMAIN, tables(COUNTS, swap(10, 11))),
    Fault("s3.mean_is_intensity", _S3, tables(COUNTS, put("mu", lambda old: old + 1e-12, at(3)))),
    Fault("s3.count_bounds", _S3, tables(COUNTS, put("count_N", 50_001, at(3)))),
    Fault("s3.zero_rule", _S3, tables(COUNTS, put("count_N", 1, where("mu", lambda value: value == 0)))),
    Fault("s3.law", _S3, tables(COUNTS, put("count_law_id", "poisson", at(3)))),
    Fault("s3.kappa", _S3, tables(COUNTS, put("kappa", lambda old: old + 1, at(3)))),
    Fault("s3.kappa", _S3, tables(COUNTS, put("kappa", 12.0, at(3))), ornate=True),
    Fault("s4.count_total", _COUNT, arrivals(drop(-1), part=2)),
    Fault("s4.count_per_bucket", _COUNT, arrivals(put("bucket_index", lambda old: old + 1, at(9)))),
    Fault("s4.count_per_bucket", _COUNT, arrivals(put("zone_representation", "Etc/UTC", at(9)))),
    Fault(
        "s4.time_window", "5B.S5.TIME_WINDOW_VIOLATION", arrivals(put("ts_utc", lambda old: old + 3_600_000_000, at(9)))
    ),
    Fault("s4.time_window", "5B.S5.TIME_WINDOW_VIOLATION", arrivals(put("bucket_index", 672, at(9)))),
    Fault("s4.sequence", _S4, arrivals(put("arrival_seq", lambda old: old + 1, at(9)))),
    Fault("s4.sequence", _S4, arrivals(swap(20, 21))),
    Fault("s4.sequence", _S4, arrivals(drop(0))),
    Fault("s4.unique_key", _S4, arrivals(put("arrival_seq", lambda old: old + 1, at(9)))),
    Fault("s4.order", "5B.S5.S4_ORDER_VIOLATION", arrivals(swap(20, 21))),
    Fault("s4.order", "5B.S5.S4_ORDER_VIOLATION", arrivals(put("ts_utc", lambda old: old - 7_200_000_000, at(0)))),
    Fault("s4.parts", "5B.S5.S4_PARTITION_OR_IDENTITY_VIOLATION", _rename_part),
    Fault("route.flag", "5B.S5.SITE_EDGE_FLAG_INCONSISTENT", arrivals(put("edge_id", 5, PHYSICAL))),
    Fault("route.flag", "5B.S5.SITE_EDGE_FLAG_INCONSISTENT", every_part(put("edge_id", None, VIRTUAL))),
    Fault("route.mode", _EDGE, every_part(put("is_virtual", True))),
    Fault("route.site_known", _SITE, arrivals(put("site_id", lambda old: old + 1, PHYSICAL))),
    Fault("route.site_known", _SITE, arrivals(put("tzid_primary", "Etc/UTC", PHYSICAL))),
    Fault("route.site_in_zone", _SITE, arrivals(put("zone_representation", "Etc/UTC", PHYSICAL))),
    Fault("route.zone_of_day", _SITE, arrivals(put("tzid_primary", "Etc/UTC", PHYSICAL)), ornate=True),
    Fault("route.physical_zones", _SITE, arrivals(put("tzid_settlement", "Etc/UTC", PHYSICAL))),
    Fault("route.edge_known", _EDGE, every_part(put("edge_id", lambda old: (old or 0) + 1, VIRTUAL))),
    Fault("route.virtual_zones", _EDGE, every_part(put("tzid_settlement", "Etc/UTC", VIRTUAL))),
    Fault("route.virtual_zones", _EDGE, every_part(put("tzid_primary", "Etc/UTC", VIRTUAL)), ornate=True),
    Fault("route.universe", _EDGE, arrivals(put("routing_universe_hash", "0" * 64, at(4)))),
    Fault("route.tz_group", _SITE, arrivals(put("tz_group_id", None, PHYSICAL)), ornate=True),
    Fault("route.tz_group_is_zone", _SITE, arrivals(put("tz_group_id", "Etc/UTC", PHYSICAL)), ornate=True),
    Fault("s4.lambda_column", _COUNT, arrivals(put("lambda_realised", lambda old: old * 1.5, at(4))), ornate=True),
    Fault("clock.primary_wall", _CLOCK, arrivals(put("ts_local_primary", lambda old: old + 1, at(4)))),
    Fault("clock.operational_wall", _CLOCK, arrivals(put("ts_local_operational", lambda old: old + 1, at(4)))),
    Fault("clock.settlement_wall", _CLOCK, arrivals(put("utc_offset_min_settlement", lambda old: old + 1, at(4)))),
    Fault("clock.primary_offset", _CLOCK, arrivals(*shift(60, at(4)))),
    Fault("clock.primary_offset", _CLOCK, arrivals(*shift(30, at(4)))),
    Fault("clock.physical_offsets", _CLOCK, arrivals(*shift(60, PHYSICAL, "settlement"))),
    Fault("clock.virtual_offsets", _CLOCK, every_part(*shift(-60, VIRTUAL, "settlement"))),
    Fault("clock.virtual_offsets", _CLOCK, every_part(*shift(15, VIRTUAL, "operational"))),
    Fault("summary.order", _SUMMARY, tables(SUMMARY, swap(1, 2))),
    Fault("summary.adds_up", _SUMMARY, tables(SUMMARY, put("count_virtual", lambda old: old + 1, at(1)))),
    Fault(
        "summary.adds_up",
        _SUMMARY,
        tables(SUMMARY, *(put(name, 0, at(1)) for name in ("count_N", "count_physical", "count_virtual"))),
    ),
    Fault(
        "summary.matches_arrivals",
        _SUMMARY,
        tables(SUMMARY, put("count_N", lambda old: old + 1, at(1)), put("count_physical", lambda old: old + 1, at(1))),
    ),
    Fault("summary.matches_arrivals", _SUMMARY, tables(SUMMARY, drop(5))),
    Fault("summary.totals", _SUMMARY, tables(SUMMARY, put("count_N", lambda old: old + 1, at(1)))),
    Fault("anomalies.none_severe", "5B.S5.S4_ANOMALY_SEVERE", tables(ANOMALIES, put("severity", "ERROR", at(0)))),
    Fault(
        "anomalies.none_warned",
        "5B.S5.S4_ANOMALY_WARNING",
        tables(ANOMALIES, put("severity", "WARN", at(0))),
        status="WARN",
    ),
    Fault(
        "anomalies.none_chosen",
        "5B.S5.S4_ANOMALY_CHOSEN",
        tables(ANOMALIES, put("severity", "WARN", at(0)), put("anomaly_code", "GROUP_WEIGHT_NOT_COVERED", at(0))),
        status="WARN",
    ),
    Fault("anomalies.exact", _ANOMALIES, tables(ANOMALIES, drop(0))),
    Fault("anomalies.exact", _ANOMALIES, tables(ANOMALIES, repeat(0))),
    Fault("anomalies.exact", _ANOMALIES, tables(ANOMALIES, put("anomaly_id", "a000009", at(0)))),
    Fault("anomalies.exact", _ANOMALIES, tables(ANOMALIES, put("severity", "WARN", at(0)))),
    Fault("anomalies.exact", _ANOMALIES, tables(ANOMALIES, put("context", lambda old: old.replace(":", ": "), at(0)))),
    Fault("anomalies.exact", _ANOMALIES, tables(ANOMALIES, put("message", lambda old: old + ".", at(0)))),
    Fault("rng.audit", _RNG_ROWS, _second_audit_record),
    Fault("rng.audit", _RNG_ROWS, json_field(lambda run: run.path("rng_audit_log"), lambda p: p.update(hostname=" "))),
    Fault(
        "rng.audit",
        _RNG_ROWS,
        json_field(lambda run: run.path("rng_audit_log"), lambda p: p.update(ts_utc="2026-13-01T00:00:00.000000Z")),
    ),
    Fault("rng.audit", _RNG_ROWS, _remove("rng_audit_log")),
    Fault("rng.audit", _RNG_ROWS, json_field(lambda run: run.path("rng_audit_log"), lambda p: p.update(seed=7))),
    Fault("rng.trace_rows", _RNG_ROWS, lambda run: run.trace("S3").unlink()),
    Fault("rng.trace_rows", _RNG_ROWS, trace("S3", first_row(seed=7))),
    Fault("rng.trace_rows", _RNG_ROWS, trace("S3", first_row(substream_label="latent_vector"))),
    Fault("rng.trace_rows", _RNG_ROWS, trace("S4", lambda rows: [*rows, rows[-1]])),
    Fault("rng.trace_rows", _RNG_ROWS, trace("S3", first_row(ts_utc="2026-01-01T00:00:00.000001Z"))),
    Fault("rng.totals", _RNG, trace("S2", first_row(draws_total=lambda old: old + 2))),
    Fault("rng.totals", _RNG, trace("S3", first_row(events_total=lambda old: old - 1))),
    Fault("rng.totals", _RNG, trace("S4", lambda rows: rows[:-1])),
    Fault("rng.totals", _RNG, trace("S2", lambda rows: [])),
    Fault("rng.blocks", _RNG, trace("S4", first_row(blocks_total=lambda old: old + 1))),
    Fault("rng.counters", _RNG, trace("S2", first_row(rng_counter_before_lo=lambda old: old ^ 1))),
    Fault("rng.counters", _RNG, trace("S3", first_row(rng_counter_after_lo=lambda old: old ^ 1))),
    Fault("rng.part_totals", _RNG, trace("S4", _moved_event)),
    Fault("rng.part_totals", _RNG, trace("S2", _halved_field)),
    Fault("rng.part_totals", _RNG, trace("S4", _last_row(events_total=0)), ornate=True),
    Fault("rng.part_counters", _RNG, trace("S4", first_row(rng_counter_after_hi=lambda old: old ^ 1))),
    Fault("rng.part_counters", _RNG, trace("S4", _last_row(rng_counter_before_lo=lambda old: old ^ 1)), ornate=True),
    Fault("rng.part_counters", _RNG, trace("S3", first_row(part=1))),
    Fault("rng.event_logs", _EVENTS, event_log("arrival_site_pick", drop(-1)), ornate=True),
    Fault("rng.event_logs", _EVENTS, event_log("arrival_edge_temper", repeat(0)), ornate=True),
    Fault("rng.event_logs", _EVENTS, event_log("arrival_time_jitter", put("run_id", "0" * 32, at(-3))), ornate=True),
    Fault("rng.event_logs", _EVENTS, event_log("arrival_bucket_count", _counter_behind), ornate=True),
    Fault("rng.event_logs", _EVENTS, event_log("arrival_edge_pick", put("arrival_index", 7, at(0))), ornate=True),
    Fault("rng.event_logs", _EVENTS, event_log("arrival_lgcp_gaussian", swap(0, 1)), ornate=True),
    Fault("rng.event_logs", _EVENTS, lambda run: run.event_log("arrival_edge_pick").unlink(), ornate=True),
    Fault("rng.event_logs", _EVENTS, _other_form, ornate=True),
    Fault("inputs.site_blob", _INPUT, sealed_file("s2_alias_blob", flip(17))),
    Fault("inputs.site_blob", _INPUT, sealed_table("s1_site_weights", put("p_weight", lambda old: old * 0.9, at(0)))),
    Fault("inputs.edge_blob", _INPUT, sealed_file("edge_alias_blob_3B", flip(17))),
    Fault("inputs.edge_blob", _INPUT, sealed_table("edge_alias_index_3B", put("blob_offset_bytes", 8, at(1)))),
    Fault(
        "inputs.universe_hash",
        _INPUT,
        json_field(lambda run: run.gate.path("edge_universe_hash_3B"), lambda p: p.update(universe_hash="0" * 64)),
    ),
    Fault("inputs.universe_hash", _INPUT, sealed_file("edge_alias_index_3B", lambda raw: raw + b"x")),
    Fault("realism.factor_mean", _REAL, tables(INTENSITY, put("lambda_random_component", lambda old: old * 1.4))),
    # a field that scatters so much that its clip takes a tenth of the mean away
    Fault(
        "realism.factor_mean", _REAL, nothing, policies=twin_reads(sigma_bounds=(1.2, 1.2), factor_bounds=(0.2, 3.0))
    ),
    Fault(
        "realism.factor_bounds",
        _REAL,
        tables(INTENSITY, put("lambda_random_component", 4.5, at(7))),
        policies=replaced("realism_checks.lgcp_realism", max_factor=4.4),
    ),
    Fault("realism.nonzero", _REAL, tables(COUNTS, put("count_N", 0))),
    Fault("realism.nonzero", _REAL, tables(COUNTS, put("count_N", 0, where("count_N", lambda n: n == 1, 700)))),
    Fault("realism.tail", _REAL, tables(COUNTS, put("count_N", lambda old: old + old // 4))),
    Fault("realism.tail", _REAL, tables(COUNTS, put("count_N", lambda old: min(old, 1)))),
    Fault("realism.offsets", _REAL, every_part(put("ts_utc", lambda old: old - old % 3_600_000_000))),
    Fault("realism.offsets", _REAL, every_part(put("ts_utc", lambda old: old - old % 1_000_000))),
    Fault("realism.country_mix", _REAL, every_part(put("edge_id", 5, where("is_virtual", bool, None)))),
    Fault("civil.cache_covers_horizon", _CLOCK, cut_cache(lambda tzid: False)),
    Fault("civil.cache_is_true", _TZ, cut_cache(lambda tzid: tzid != "Europe/London"), status="WARN"),
    Fault("civil.cache_is_true_elsewhere", _TZ, cut_cache(lambda tzid: tzid != "America/Nuuk"), status="WARN"),
    Fault(
        "civil.mismatch_rate",
        "5B.S5.CIVIL_TIME_MISMATCH",
        arrivals(put("ts_local_primary", lambda old: old + 2_000_000)),
    ),
    Fault("civil.mismatch_rate", "5B.S5.CIVIL_TIME_MISMATCH", arrivals(*shift(15, None))),
    Fault("civil.mismatch_rate", "5B.S5.CIVIL_TIME_MISMATCH", every_part(put("tzid_primary", "Nowhere/Land"))),
    Fault("civil.one_hour_rate", "5B.S5.CIVIL_TIME_ONE_HOUR_SHIFT_EXCEEDS_LIMIT", arrivals(*shift(60, None))),
    Fault("civil.dst_hour_bins", "5B.S5.DST_WINDOW_HOUR_BIN_MAE_EXCEEDS_LIMIT", every_part(*shift(180, None))),
    Fault(
        "civil.dst_power",
        "5B.S5.DST_WINDOW_INSUFFICIENT_POWER",
        nothing,
        policies=replaced("civil_time_gates", dst_window_min_total_support=10**6),
    ),
    Fault(
        "sentinel.top10_tz_share",
        "5B.S5.CALIBRATION_TOP10_TZ_SHARE_EXCEEDS_LIMIT",
        every_part(put("tzid_primary", "Etc/UTC")),
        status="WARN",
    ),
    Fault(
        "sentinel.virtual_share",
        "5B.S5.CALIBRATION_VIRTUAL_SHARE_OUT_OF_BOUNDS",
        every_part(put("is_virtual", False)),
        status="WARN",
    ),
    Fault(
        "sentinel.residual_std",
        "5B.S5.CALIBRATION_RESIDUAL_STD_OUT_OF_BOUNDS",
        tables(COUNTS, put("count_N", lambda old: 3 * old)),
        status="WARN",
        policies=replaced(_SENTINEL, residual_std_bounds=(0.5, 2.0)),
    ),
    Fault(
        "sentinel.residual_law",
        "5B.S5.CALIBRATION_RESIDUAL_STD_NOT_LAW",
        tables(COUNTS, put("count_N", lambda old: old + 2, where("count_N", lambda old: old == 0, 400))),
    ),
    Fault(
        "sentinel.residual_law",
        "5B.S5.CALIBRATION_RESIDUAL_STD_NOT_LAW",
        rounded_counts,
    ),
    Fault(
        "sentinel.sample_power",
        "5B.S5.CALIBRATION_SAMPLE_POWER_INSUFFICIENT",
        nothing,
        status="WARN",
        policies=replaced("sampling", min_sample_rows=10**7, max_sample_rows=10**7),
    ),
    Fault("policy.readings", "5B.S5.CONTRACT_INVALID", nothing, policies=states_read("lgcp", min_factor=0.21)),
    Fault(
        "policy.readings", "5B.S5.CONTRACT_INVALID", nothing, policies=states_read("count", kappa_bounds=(31.0, 40.0))
    ),
    Fault(
        "policy.readings", "5B.S5.CONTRACT_INVALID", nothing, policies=states_read("routing", p_virtual_hybrid=0.343)
    ),
    Fault(
        "rederive.factors",
        "5B.S5.REDERIVATION_MISMATCH",
        tables("s2_realised_intensity_5B", put("lambda_random_component", lambda factor: factor * (1.0 + 1e-12))),
    ),
    Fault(
        "rederive.counts",
        "5B.S5.REDERIVATION_MISMATCH",
        tables(COUNTS, put("count_N", lambda count: count + 1)),
    ),
    Fault("rederive.arrivals", "5B.S5.REDERIVATION_MISMATCH", every_part(put("tzid_settlement", "Etc/UTC"))),
)

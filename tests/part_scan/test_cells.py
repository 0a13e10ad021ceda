"""The walk over intensities and counts finds what plain SQL over the same files finds, whatever they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from seg5b.errors import InputError
from seg5b.part_scan import PartFiles, part_files
from seg5b.part_scan.loops import LIMB
from tests.part_scan.cells import BUCKETS, COUNTS_LEAST, FACTS, INTENSITY_LEAST, LIMITS, SERIES, scan, sound, spoilt

CELL = f"""s.k IS NULL OR t.merchant_id <> s.merchant_id OR t.zone_representation <> s.zone_representation
           OR t.channel_group <> s.channel_group OR t.bucket_index <> t.position % {BUCKETS}"""
OF_INTENSITY = {
    "misplaced": CELL,
    "wrong_intensity": f"""NOT isfinite(lambda_baseline) OR lambda_baseline < 0 OR NOT isfinite(lambda_realised)
                           OR lambda_realised < 0 OR lambda_realised > {LIMITS["most_lambda"]}""",
    "wrong_factor": f"""NOT isfinite(lambda_random_component) OR lambda_random_component < {LIMITS["least_factor"]}
                        OR lambda_random_component > {LIMITS["most_factor"]}""",
    "not_product": f"""lambda_baseline IS NOT NULL AND lambda_random_component IS NOT NULL
                       AND abs(lambda_realised - least(lambda_baseline * lambda_random_component, {LIMITS["lambda_cap"]}::DOUBLE))
                           > 1e-12 * abs(lambda_realised)""",
}
OF_COUNTS = {
    "misplaced": CELL,
    "wrong_count": f"""count_N < 0 OR count_N > {LIMITS["most_count"]} OR count_N > {LIMITS["count_cap"]}
                       OR (count_capped AND count_N <> {LIMITS["count_cap"]})""",
    "counted_without_mean": f"mu <= {LIMITS['zero_eps']} AND count_N <> 0",
    "foreign_law": "count_law_id <> 'nb2' OR bucket_duration_seconds <> 3600",
    "wrong_kappa": "s.k IS NOT NULL AND (abs(t.kappa - s.kappa) <= 1e-12 * s.kappa) IS NOT TRUE",
}
UNLIKE = """SELECT c.position FROM intensities i JOIN counts c USING (position)
            WHERE i.merchant_id <> c.merchant_id OR i.zone_representation <> c.zone_representation
               OR i.channel_group <> c.channel_group OR i.bucket_index <> c.bucket_index
               OR i.lambda_realised <> c.lambda_realised OR c.mu <> c.lambda_realised ORDER BY ALL"""

_FIRST = f"((((bucket_index + 1) & 2147483647) * 2654435761 + {FACTS.salt}) & 4294967295)"
_SECOND = f"((xor({_FIRST}, {_FIRST} >> 16) * 73244475) & 4294967295)"
WEIGHT = f"xor({_SECOND}, {_SECOND} >> 15) / 4294967296"

Scanned = tuple[duckdb.DuckDBPyConnection, PartFiles]


def opened(folder: Path) -> duckdb.DuckDBPyConnection:
    plain = duckdb.connect(config={"threads": "1"})
    for name in ("intensities", "counts"):
        plain.execute(f"CREATE TABLE {name} AS SELECT *, file_row_number AS position FROM '{folder / name}.parquet'")
    rows = [(k, *series) for k, series in enumerate(SERIES)]
    plain.execute(
        "CREATE TABLE series (k BIGINT, merchant_id UBIGINT, zone_representation VARCHAR, channel_group VARCHAR, kappa DOUBLE, sigma DOUBLE, phi DOUBLE)"
    )
    plain.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    return plain


@pytest.fixture(params=[(kind, seed) for kind in ("sound", "wild", "null") for seed in range(4)], ids=str)
def scanned(request: pytest.FixtureRequest, tmp_path: Path) -> Scanned:
    kind, seed = request.param
    tables = sound()
    if kind != "sound":
        rng = np.random.default_rng(seed)
        one, other = (spoilt(rng, table, nulls=kind == "null") for table in tables)
        tables = one, other
    part = part_files(scan(tmp_path, *tables))
    return opened(tmp_path), part


def places(plain: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    found = [row[0] for row in plain.execute(sql).fetchall()]
    return {"rows": len(found), "places": found[:10]}


def forbidden(table: pa.Table, least: Mapping[str, float]) -> str:
    names = [name for name in table if name not in ("kappa", "position")]
    return " OR ".join(
        [*(f"t.{name} IS NULL" for name in names), *(f"t.{name} < {bound!r}" for name, bound in least.items())]
    )


def test_conditions(scanned: Scanned) -> None:
    plain, part = scanned
    for table, conditions, least in (
        ("intensities", OF_INTENSITY, INTENSITY_LEAST),
        ("counts", OF_COUNTS, COUNTS_LEAST),
    ):
        columns = [row[0] for row in plain.execute(f"DESCRIBE {table}").fetchall()]
        name = "forbidden_intensity" if table == "intensities" else "forbidden_count"
        faults = part.facts[table]["faults"]
        every = {**conditions, name: forbidden(columns, least)}
        for condition, where in every.items():
            sql = f"""SELECT t.position FROM {table} t LEFT JOIN series s ON s.k = t.position // {BUCKETS}
                      WHERE {where} ORDER BY ALL"""
            assert faults[condition] == places(plain, sql), condition
        assert set(faults) == {*every, *(["unlike_intensity"] if table == "counts" else [])}
    assert part.facts["counts"]["faults"]["unlike_intensity"] == places(plain, UNLIKE)


def test_sums_by_series(scanned: Scanned) -> None:
    plain, part = scanned
    key = f"position // {BUCKETS} AS k, merchant_id, zone_representation, channel_group"
    for table, name, sums, own in (
        (
            "intensities",
            "intensity_series",
            f"coalesce(sum(lambda_baseline), 0), coalesce(sum(lambda_baseline * {WEIGHT}), 0)",
            "sum(volume), sum(moment)",
        ),
        (
            "counts",
            "count_series",
            "coalesce(sum(count_N), 0), coalesce(count_if(mu > 1e-9 AND NOT isnan(mu)), 0)",
            "sum(arrivals), sum(drawn)",
        ),
    ):
        expected = plain.execute(f"SELECT {key}, count(*), {sums} FROM {table} GROUP BY ALL ORDER BY ALL").fetchall()
        found = plain.execute(
            f"""SELECT k, merchant_id, zone_representation, channel_group, sum(rows)::BIGINT, {own}
                FROM '{part.tables[name]}' GROUP BY ALL ORDER BY ALL"""
        ).fetchall()
        assert [row[:5] for row in found] == [row[:5] for row in expected]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.array(one[5:], float), np.array(other[5:], float), rtol=1e-12)


def test_totals(scanned: Scanned) -> None:
    plain, part = scanned
    counts, intensities = part.facts["counts"], part.facts["intensities"]
    histogram = "SELECT count_N, count(*) FROM counts WHERE count_N IS NOT NULL GROUP BY ALL ORDER BY ALL"
    own = f"SELECT count_n, sum(rows)::BIGINT FROM '{part.tables['count_histogram']}' GROUP BY ALL ORDER BY ALL"
    assert plain.execute(own).fetchall() == plain.execute(histogram).fetchall()
    usable = "CASE WHEN mu > 1e-9 AND isfinite(mu) AND count_N IS NOT NULL THEN mu END"
    residual = f"(count_N - {usable}) / sqrt({usable})"
    measured = f"abs({residual}) < 1e11"
    assert (
        tuple(counts["residuals"])
        == plain.execute(
            f"""SELECT count(*), coalesce(sum(CAST({residual} * 1e6 AS HUGEINT)), 0),
                   coalesce(sum(CAST({residual} * {residual} * 1e6 AS HUGEINT)), 0)
            FROM counts WHERE {measured}"""
        ).fetchone()
    )
    _assert_scatter(plain, counts["scatter"], f"{residual} AS r", measured)
    drawn = "mu > 1e-9 AND NOT isnan(mu)"
    assert (counts["drawn"], counts["first_drawn"], counts["last_drawn"]) == plain.execute(
        f"SELECT count(*), min(position), max(position) FROM counts WHERE {drawn}"
    ).fetchone()
    top = f"SELECT position, mu FROM counts WHERE {drawn} ORDER BY mu DESC, position LIMIT 8"
    assert sorted(map(tuple, counts["largest"])) == sorted(plain.execute(top).fetchall())
    factor = "lambda_random_component"
    (total, odd) = plain.execute(
        f"""SELECT coalesce(sum(CAST(CASE WHEN abs({factor}) < 1e18 THEN {factor} END * 1e9 AS HUGEINT)), 0),
                   count_if(NOT abs({factor}) < 1e18) FROM intensities"""
    ).fetchone() or (0, 0)
    assert (intensities["factor_sum"], intensities["factor_unsummed"]) == (total, odd)
    bounds = plain.execute(f"SELECT min({factor}), max({factor}) FROM intensities").fetchone()
    np.testing.assert_equal(intensities["factor_bounds"], bounds)


def _assert_scatter(
    plain: duckdb.DuckDBPyConnection, found: Sequence[int], residual: str, measured: str, kappa: str = "s.kappa"
) -> None:
    """Sums over the rows of the law against the factorial moments of the mixture, terms that cancel and all."""
    rows = plain.execute(
        f"""SELECT mu, r, CASE WHEN kappa IS NULL THEN 0 ELSE 1 / kappa END AS spread
            FROM (SELECT mu, {residual}, {kappa} AS kappa FROM counts t LEFT JOIN series s ON s.k = t.position // {BUCKETS}
                  WHERE {measured}) WHERE mu > {LIMITS["zero_eps"]} AND mu * 32 <= {LIMITS["count_cap"]}"""
    ).fetchall()
    mu, r, spread = (np.array(column, np.float64) for column in zip(*rows, strict=True)) if rows else np.zeros((3, 0))
    w = 1.0 + spread
    raw = [mu, mu**2 * w, mu**3 * w**3, mu**4 * w**6]  # moments of the mean; a count's factorial moments
    third, fourth = raw[2] + 3 * raw[1] + raw[0], raw[3] + 6 * raw[2] + 7 * raw[1] + raw[0]
    central = fourth - 4 * mu * third + 6 * mu**2 * (raw[1] + raw[0]) - 3 * mu**4
    expected = (mu + mu**2 * spread) / mu
    wanted = (r**2, expected, central / mu**2 - expected**2, np.minimum(abs(r**2 - expected), 1e10) ** 2)
    assert found[0] == mu.size
    np.testing.assert_allclose(np.array(found[1:], float) / 1e6, [each.sum() for each in wanted], rtol=1e-9, atol=1e-4)


def test_constants(scanned: Scanned) -> None:
    plain, part = scanned
    for table, name, state in (("intensities", "intensity_constants", "s2"), ("counts", "count_constants", "s3")):
        columns = f"manifest_fingerprint, parameter_hash, seed, scenario_id, {state}_spec_version"
        expected = plain.execute(f"SELECT {columns}, count(*) FROM {table} GROUP BY ALL ORDER BY ALL").fetchall()
        own = f"SELECT {columns}, sum(rows)::BIGINT FROM '{part.tables[name]}' GROUP BY ALL ORDER BY ALL"
        assert plain.execute(own).fetchall() == expected


def test_paths_of_equal_factors_are_equal(tmp_path: Path) -> None:
    """Also where a zero has a sign; another factor, or the same factors in other buckets, give another path."""
    intensities, counts = sound()
    place = intensities.column_names.index("lambda_random_component")
    factors = intensities.column(place).to_numpy().copy()
    factors[[3, BUCKETS + 3]] = 0.0, -0.0
    factors[2 * BUCKETS] += 1e-12
    factors[[3 * BUCKETS, 3 * BUCKETS + 1]] = factors[[3 * BUCKETS + 1, 3 * BUCKETS]]
    part = part_files(
        scan(tmp_path, intensities.set_column(place, "lambda_random_component", pa.array(factors)), counts)
    )
    rows = duckdb.execute(f"SELECT path FROM '{part.tables['intensity_series']}' ORDER BY k").fetchall()
    one, same, other, shuffled, plain = (row[0] for row in rows)
    assert one == same and len({one, other, shuffled, plain}) == 4


def test_ranges_add_up(tmp_path: Path) -> None:
    """Ranges that begin within a series know it, and their sums are those of the whole."""
    intensities, counts = sound()
    whole = part_files(scan(tmp_path, intensities, counts))
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    first = part_files(scan(tmp_path / "first", intensities.slice(0, 40), counts.slice(0, 40)))
    facts = replace(FACTS, start=40, first_series=1, series=SERIES[1:])
    second = part_files(scan(tmp_path / "second", intensities.slice(40), counts.slice(40), facts))
    for name in ("intensities", "counts"):
        for condition, found in whole.facts[name]["faults"].items():
            parts = [part.facts[name]["faults"][condition] for part in (first, second)]
            assert sum(part["rows"] for part in parts) == found["rows"]
            assert [place for part in parts for place in part["places"]][:10] == found["places"]
    assert (
        first.facts["counts"]["residuals"][1] + second.facts["counts"]["residuals"][1]
        == whole.facts["counts"]["residuals"][1]
    )
    paths = f"SELECT k, bit_xor(path) FROM read_parquet(['{first.tables['intensity_series']}', '{second.tables['intensity_series']}']) GROUP BY k ORDER BY k"
    assert (
        duckdb.execute(paths).fetchall()
        == duckdb.execute(f"SELECT k, path FROM '{whole.tables['intensity_series']}' ORDER BY k").fetchall()
    )


def test_a_file_without_its_partner_is_walked_alone(tmp_path: Path) -> None:
    intensities, counts = sound()
    both = part_files(scan(tmp_path, intensities, counts)).facts
    assert part_files(scan(tmp_path, intensities, None)).facts == {"intensities": both["intensities"], "counts": None}
    assert part_files(scan(tmp_path, None, counts)).facts == {"intensities": None, "counts": both["counts"]}


def test_sampled_mode_measures_the_rows_of_the_sample(tmp_path: Path) -> None:
    facts = replace(FACTS, threshold=300_000)
    part = part_files(scan(tmp_path, *sound(), facts))
    kept = "(position % 1000003 * 611953 + 65537) % 1000003 < 300000"
    (judged, measured) = opened(tmp_path).execute(
        f"SELECT count(*), count_if(mu > 1e-9) FROM counts WHERE {kept}"
    ).fetchone() or (0, 0)
    assert 10 < judged < 100
    assert (part.facts["counts"]["judged"], part.facts["counts"]["residuals"][0]) == (judged, measured)
    assert part.facts["counts"]["rows"] == BUCKETS * len(SERIES)


def test_a_law_without_dispersion_has_none(tmp_path: Path) -> None:
    intensities, counts = sound()
    facts = replace(FACTS, without_kappa=True)
    assert part_files(scan(tmp_path, intensities, counts, facts)).facts["counts"]["faults"]["wrong_kappa"][
        "rows"
    ] == len(counts)
    place = counts.column_names.index("kappa")
    counts = counts.set_column(place, "kappa", pa.array([None] * len(counts), pa.float64()))
    part = part_files(scan(tmp_path, intensities, counts, facts))
    assert part.facts["counts"]["faults"]["wrong_kappa"]["rows"] == 0


def test_dispersion_follows_the_mean_of_a_cell(tmp_path: Path) -> None:
    """Against the power in SQL: what a row must have, what residuals and sums of counts are expected to scatter by. A row without
    a mean has no dispersion to be compared with."""
    power = {"reference_mean": 1.5, "volume_power": 0.8, "least_kappa": 0.7, "most_kappa": 9.0}
    facts = replace(FACTS, limits=tuple({**LIMITS, **power}.items()))
    intensities, counts = sound()
    mu, of_series = (counts.column(name).to_numpy() for name in ("mu", "kappa"))
    kappa = np.clip(of_series * (mu / 1.5) ** 0.8, 0.7, 9.0)
    place = counts.column_names.index("kappa")
    bare = [k for k, series in enumerate(SERIES) if series[3] is None]
    lawful = counts.set_column(place, "kappa", pa.array(kappa))
    part = part_files(scan(tmp_path, intensities, lawful, facts))
    own = "least(greatest(s.kappa * pow(greatest(t.mu, 1e-300) / 1.5, 0.8), 0.7::DOUBLE), 9::DOUBLE)"
    own = f"CASE WHEN s.kappa IS NOT NULL THEN {own} END"
    plain = opened(tmp_path)
    without = f"SELECT position FROM counts WHERE position // {BUCKETS} IN ({', '.join(map(str, bare))}) ORDER BY ALL"
    assert part.facts["counts"]["faults"]["wrong_kappa"] == places(plain, without)
    usable = "CASE WHEN mu > 1e-9 THEN mu END"
    residual = f"(count_N - {usable}) / sqrt({usable})"
    _assert_scatter(plain, part.facts["counts"]["scatter"], f"{residual} AS r", f"abs({residual}) < 1e11", own)
    (variance,) = plain.execute(f"SELECT sum(gap_variance) FROM '{part.tables['count_series']}'").fetchone() or (0,)
    spread = np.where(np.isin(np.arange(kappa.size) // BUCKETS, bare), 0.0, 1.0 / kappa)
    some = (spread <= 0.5) & (mu > LIMITS["zero_eps"]) & (mu <= LIMITS["count_cap"] / 4)
    assert variance == pytest.approx((mu + mu**2 * spread)[some].sum(), rel=1e-12)

    kappa[3] *= 1.0 + 1e-11
    damaged = lawful.set_column(place, "kappa", pa.array(kappa))
    damaged = damaged.set_column(
        damaged.column_names.index("mu"), "mu", pa.array([None if i == 4 else each for i, each in enumerate(mu)])
    )
    faults = part_files(scan(tmp_path, intensities, damaged, facts)).facts["counts"]["faults"]
    assert faults["wrong_kappa"]["places"][0] == 3 and 4 not in faults["wrong_kappa"]["places"]
    assert faults["wrong_kappa"]["rows"] == 1 + len(bare) * BUCKETS


def test_wide_sums_are_exact(tmp_path: Path) -> None:
    """Residuals whose squares in millionths need more than 64 bits."""
    intensities, counts = sound()
    means, numbers = np.full(len(counts), 2e-9), np.full(len(counts), 4_000_000)
    counts = counts.set_column(counts.column_names.index("mu"), "mu", pa.array(means))
    counts = counts.set_column(counts.column_names.index("count_N"), "count_N", pa.array(numbers))
    number, _, squares = part_files(scan(tmp_path, intensities, counts)).facts["counts"]["residuals"]
    residual = (4_000_000 - 2e-9) / math.sqrt(2e-9)
    assert squares == number * round(residual * residual * 1e6) and squares > LIMB**2


@pytest.mark.parametrize("damage", ["cut", "column", "type"])
def test_a_malformed_file_is_a_typed_error(tmp_path: Path, damage: str) -> None:
    intensities, counts = sound()
    if damage == "column":
        counts = counts.drop_columns(["mu"])
    if damage == "type":
        counts = counts.set_column(counts.column_names.index("mu"), "mu", [["x"] * len(counts)])
    one = scan(tmp_path, intensities, counts)
    if damage == "cut":
        path = tmp_path / "counts.parquet"
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError) as raised:
        part_files(one)
    assert raised.value.code == "5B.S5.IO_READ_FAILED"


def test_files_without_rows(tmp_path: Path) -> None:
    intensities, counts = sound()
    part = part_files(scan(tmp_path, intensities.slice(0, 0), counts.slice(0, 0), replace(FACTS, series=())))
    assert part.unkept is None and part.facts["intensities"]["factor_bounds"] == [math.inf, -math.inf]
    assert (part.facts["counts"]["rows"], part.facts["counts"]["first_drawn"], part.facts["intensities"]["rows"]) == (
        0,
        None,
        0,
    )

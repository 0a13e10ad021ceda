"""The scalar twin: equal to the kernels number by number, and to whole published rows in every virtual mode."""

from __future__ import annotations

import ast
import math
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from seg5b_kernels import counts, portable
from seg5b_kernels.alias import build_alias_tables
from seg5b_kernels.philox import philox2x64

import seg5b.explain
from seg5b import api
from seg5b.errors import RunError
from seg5b.explain import explain_arrival, explain_bucket
from seg5b.explain.facts import find_segments, published_rows
from seg5b.explain.scenario import explained_scenario
from seg5b.twin import numbers
from seg5b.twin.alias import pick, vose
from seg5b.twin.laws import mixed_mean, poisson_by_normal, poisson_by_terms
from seg5b.twin.randomness import Origin
from seg5b.twin.randomness import philox2x64 as plain_philox
from seg5b.validation import Status
from seg5b.validation.checks import rederivation
from seg5b.world.plan import BASELINE
from tests.explain.choosing import arrivals_of_each_mode
from tests.oracle.randomness import World
from tests.validation.faults import arrivals
from tests.validation.harness import Run, put, replaced


def test_shares_no_code_with_the_kernels() -> None:
    room = Path(seg5b.explain.__file__).parent.parent
    for file in (file for name in ("explain", "twin", "validation/rederived") for file in (room / name).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert not name.startswith(("seg5b_kernels", "numba", "seg5b.rng", "seg5b.states", "seg5b.expansion"))


def test_needs_nothing_that_compiles() -> None:
    """Whoever only reads a run waits for no compiler, and needs none."""
    loaded = "import sys, seg5b.explain, seg5b.cli; sys.exit(int('numba' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


def test_functions_equal_the_kernels_to_the_bit() -> None:
    choose = random.Random(5)
    for _ in range(3000):
        u = choose.random()
        tail = math.ldexp(u, -choose.randrange(60))
        x, positive = choose.uniform(-700, 700), math.exp(choose.uniform(-40, 40))
        assert numbers.exp(x) == portable.exp(x)
        assert numbers.log(positive) == portable.log(positive)
        assert numbers.cos_turn(u) == portable.cos_turn(u)
        assert numbers.normal_quantile(tail) == portable.normal_quantile(tail)
        upper = 1.0 - tail if tail < 1.0 else u
        assert numbers.normal_quantile(min(upper, 1 - 2**-53)) == portable.normal_quantile(min(upper, 1 - 2**-53))
        mu, kappa = math.exp(choose.uniform(-6, 6)), choose.uniform(2, 60)
        mean = mixed_mean(mu, kappa, u)
        assert mean == counts.mixed_mean(mu, kappa, u)
        if mean <= 50:
            assert poisson_by_terms(mean, tail, 200_000) == counts.poisson_exact(mean, tail, 200_000)
        assert poisson_by_normal(mean, tail) == counts.poisson_normal(mean, tail)


def test_philox_and_streams() -> None:
    choose = random.Random(6)
    for _ in range(500):
        counter, key = choose.getrandbits(128), choose.getrandbits(64)
        words = philox2x64(np.uint64(counter & (2**64 - 1)), np.uint64(counter >> 64), np.uint64(key))
        assert tuple(int(word) for word in words) == plain_philox(counter, key)
    world = World("a" * 64, "b" * 64, 42, "baseline_v1")
    origin = Origin("5B.rng.v1", "a" * 64, "b" * 64, 42, "baseline_v1")
    domain = "merchant_id=123456789|zone=Europe/London|bucket_index=7"
    stream = origin.stream("S3.bucket_count.v1", domain)
    assert (stream.key, stream.base) == world.stream("S3.bucket_count.v1", domain)
    assert f"{stream.key:016x}" == "d264cb1ba5922b00"
    assert [f"{stream.draw(0).word0:016x}", f"{stream.draw(0).word1:016x}"] == ["29e371ca54f4edf1", "a54d38f7fb059f1b"]


def test_alias_tables_equal_the_kernels() -> None:
    choose = random.Random(8)
    for size in (1, 2, 3, 17, 200):
        weights = np.array([choose.random() ** 3 for _ in range(size)])
        probability, alias, scratch = np.empty(size), np.empty(size, np.int32), np.empty((2, size), np.int32)
        build_alias_tables(weights, np.array([0, size]), probability, alias, scratch[0], scratch[1])
        assert vose(weights.tolist()) == list(zip(probability.tolist(), alias.tolist(), strict=True))
    assert pick([(0.5, 1), (1.0, 1)], 0.3).entry == 1
    assert pick([(0.5, 1), (1.0, 1)], 0.2).entry == 0


@pytest.mark.parametrize("shape", ["small", "ornate"])
def test_samples_are_derived_again(shape: str, request: pytest.FixtureRequest) -> None:
    """With the shipped laws, and with Poisson counts, drawn zones, settlement clocks and tempered edges."""
    run: Run = request.getfixturevalue(shape)
    results = run.judge(rederivation.CHECKS, policies=replaced("rng_accounting_checks", rederived_rows=6000))
    assert {check_id: (result.status, result.keys) for check_id, result in results.items()} == dict.fromkeys(
        results, (Status.PASS, ())
    )
    facts = results["rederive.arrivals"].facts[BASELINE]
    assert {"NON_VIRTUAL", "HYBRID", "VIRTUAL_ONLY"} <= facts.keys()
    assert facts["rederived_arrivals"] >= 6000


def test_demo_arrivals_of_all_modes_equal_their_rows(demo_run: api.Run) -> None:
    for scenario in ("baseline_v1", "stress_peak_online_v1"):
        with explained_scenario(demo_run.root, demo_run.contracts, scenario) as subject:
            keys = arrivals_of_each_mode(subject, 2)
            assert len(published_rows(subject, keys)) == len(find_segments(subject, keys)) == 6
        for merchant, seq in keys[:3]:
            found = explain_arrival(demo_run.root, demo_run.contracts, merchant, seq, scenario)
            assert found.holds, found.differences
            assert found.arrival is not None
            assert found.arrival["published"]["ts_us"] == found.arrival["derived"]["ts_us"]
            assert {"time", "site"} <= found.arrival["draws"].keys() or "edge" in found.arrival["draws"]
            assert found.bucket["published"]["count_N"] == found.bucket["derived"]["count_N"] > 0
            assert set(found.bucket["draws"]) == {"latent", "count"}


def test_a_bucket_without_arrivals_is_explained(small: Run) -> None:
    row = pq.read_table(small.path("s3_bucket_counts_5B"), partitioning=None).slice(5, 1).to_pylist()[0]
    found = explain_bucket(
        small.root, small.contracts, row["merchant_id"], row["zone_representation"], row["bucket_index"]
    )
    assert found.holds
    assert found.bucket["derived"]["count_N"] == row["count_N"]


def test_a_forged_arrival_is_named(small: Run, copied: Callable[[Run], Run]) -> None:
    run = copied(small)
    row = pq.read_table(run.path("arrival_events_5B", 1), partitioning=None).slice(9, 1).to_pylist()[0]
    arrivals(put("tzid_settlement", "Etc/UTC", lambda table: [9]))(run)
    found = explain_arrival(run.root, run.contracts, row["merchant_id"], row["arrival_seq"])
    assert found.differences == ("tzid_settlement",)


@pytest.mark.parametrize(("merchant", "seq", "scenario"), [(5, 1, None), (None, 10**9, None), (5, 1, "nowhere")])
def test_what_is_not_there_is_a_typed_error(small: Run, merchant: int | None, seq: int, scenario: str | None) -> None:
    first = pq.read_table(small.path("arrival_events_5B"), columns=["merchant_id"], partitioning=None)
    wanted = first.column(0)[0].as_py() if merchant is None else merchant
    with pytest.raises(RunError, match=r"5B\.EXPLAIN\.(NOT_FOUND|SCENARIO_UNKNOWN)"):
        explain_arrival(small.root, small.contracts, wanted, seq, scenario)

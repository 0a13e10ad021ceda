"""What the twin computes for many places at once equals what it computes for one, bit for bit."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from seg5b_kernels import arrivals
from seg5b_kernels.counts import VolumePower, cell_kappa

from seg5b.twin import numbers, vectors
from seg5b.twin.arrivals import place_of
from seg5b.twin.laws import CountParameters, FieldLaw, LevelLaw, VolumeLaw, draw_count, latent_path
from seg5b.twin.merchants import Around, CountRow
from seg5b.twin.randomness import Origin, philox2x64, uniform

ORIGIN = Origin("5B.rng.v1", "a" * 64, "b" * 64, 42, "baseline_v1")
EDGES = [0, 1, 2**63 - 1, 2**63, 2**64 - 1025, 2**64 - 1024, 2**64 - 1]


def test_functions() -> None:
    choose = random.Random(11)
    u = [choose.random() for _ in range(3000)] + [
        math.ldexp(choose.random(), -choose.randrange(60)) for _ in range(3000)
    ]
    u = [min(max(each, 2.0**-65), 1.0 - 2.0**-53) for each in u]
    for function, arguments in (
        ("exp", [choose.uniform(-800.0, 800.0) for _ in u]),
        ("log", [math.exp(choose.uniform(-40.0, 40.0)) for _ in u]),
        ("cos_turn", u),
        ("normal_quantile", [*u, *(min(1.0 - each, 1.0 - 2.0**-53) for each in u)]),
    ):
        one, many = getattr(numbers, function), getattr(vectors, function)
        assert many(np.array(arguments)).tolist() == [one(each) for each in arguments], function


def test_words_and_uniforms() -> None:
    choose = random.Random(12)
    words = EDGES + [choose.getrandbits(64) for _ in range(2000)]
    assert vectors.uniforms(np.array(words, np.uint64)).tolist() == [uniform(word) for word in words]
    for key, high, low in [(5, 7, 2**64 - 3), (2**64 - 1, 2**64 - 1, 2**64 - 2), (0, 0, 0)]:
        streams = vectors.Streams(*(np.array([each], np.uint64) for each in (key, high, low)))
        first, second = streams.words(np.arange(6)[None, :])
        counters = [((high << 64) + low + step) % (1 << 128) for step in range(6)]
        found = list(zip(first[0].tolist(), second[0].tolist(), strict=True))
        assert found == [philox2x64(counter, key) for counter in counters]


def test_streams_by_name_are_those_of_one() -> None:
    keys = [f"merchant_id={n}|zone=Europe/Zürich|bucket_index={n * 37}" for n in range(300)]
    one = vectors.Streams.of(ORIGIN.stream("S3.bucket_count.v1", key) for key in keys)
    many = vectors.Streams.named(ORIGIN, "S3.bucket_count.v1", keys)
    assert all((getattr(one, name) == getattr(many, name)).all() for name in ("key", "high", "low"))


def test_paths() -> None:
    choose = random.Random(13)
    laws = [FieldLaw(choose.uniform(0.05, 1.2), choose.choice([0.0, 2.0, 24.0]), 0.2, 5.0) for _ in range(30)]
    streams = [ORIGIN.stream("S2.latent_vector.v1", f"group_id={n}") for n in range(30)]
    many = vectors.latent_factors(vectors.Streams.of(streams), laws, 200)
    for law, stream, path in zip(laws, streams, many.tolist(), strict=True):
        assert path == [law.factor(z) for z in latent_path(stream, law, 200)]


def test_levels() -> None:
    choose = random.Random(15)
    laws = [
        LevelLaw(choose.uniform(0.05, 1.2), (0.15, 0.12, 0.73), (40.0, 20.0, choose.choice([2.0, 15.0])))
        for _ in range(20)
    ]
    levels = []
    for place, name in enumerate(("country", "zone", "own")):
        streams = [ORIGIN.stream("S2.latent_vector.v1", f"level={name}|{n}") for n in range(20)]
        levels.append(vectors.latent_paths(vectors.Streams.of(streams), [law.paths[place] for law in laws], 100))
    many = vectors.exp(vectors.log_level_factors(laws, levels))
    for n, law in enumerate(laws):
        assert many[n].tolist() == [law.factor(own) for own in zip(*(level[n] for level in levels), strict=True)]


def test_places_under_the_linear_law() -> None:
    choose = random.Random(15)
    sizes = [0.0, 1e-12, 1.0, 1e9, *(math.exp(choose.uniform(-9.0, 9.0)) for _ in range(200))]
    around = [Around(choose.choice(sizes), choose.choice(sizes), choose.choice(sizes)) for _ in range(5000)]
    u = [choose.choice([0.5, 2.0**-65, 1.0 - 2.0**-53, choose.random()]) for _ in around]
    columns = (np.array([getattr(each, name) for each in around]) for name in ("before", "own", "after"))
    one = [place_of(each, CountRow("", "", 1, beside)) for each, beside in zip(u, around, strict=True)]
    assert vectors.linear_places(np.array(u), *columns).tolist() == one
    assert all(
        place == arrivals.place_in_bucket(each, beside.before, beside.own, beside.after)
        for each, beside, place in zip(u, around, one, strict=True)
    )


@pytest.mark.parametrize("power", [0.0, 0.3, 1.0])
def test_the_dispersion_of_cells(power: float) -> None:
    """One cell at a time, many at once, and the kernel's: equal bits, for no mean, the least and the largest, too."""
    choose = random.Random(15)
    mu = [0.0, 5e-324, 2.0**-1022, 1e300] + [math.exp(choose.uniform(-40.0, 12.0)) for _ in range(3000)]
    kappa = [choose.uniform(2.0, 200.0) for _ in mu]
    law = VolumeLaw(7.3, power, 0.25, 200.0)
    parameters = CountParameters("nb2", None, 50.0, 200_000, 50_000, law)
    one = [replace(parameters, kappa=own).kappa_at(mean) for own, mean in zip(kappa, mu, strict=True)]
    assert vectors.cell_kappas(np.array(kappa), np.array(mu), law).tolist() == one
    by_kernel = VolumePower(law.reference_mean, law.power, law.least, law.most)
    assert [cell_kappa(own, mean, by_kernel) for own, mean in zip(kappa, mu, strict=True)] == one
    assert len(set(one)) > 300 and (power == 0.0 or {law.least, law.most} < set(one))
    assert replace(parameters, kappa=3.0, volume=None).kappa_at(0.01) == 3.0
    assert parameters.kappa_at(0.01) is None


@pytest.mark.parametrize("law", ["nb2", "poisson"])
def test_counts(law: str) -> None:
    choose = random.Random(14)
    mu = [math.exp(choose.uniform(-20.0, 12.0)) for _ in range(1500)] + [choose.uniform(45.0, 55.0) for _ in range(500)]
    kappa = [choose.uniform(2.0, 200.0) for _ in mu]
    streams = [ORIGIN.stream("S3.bucket_count.v1", str(n)) for n in range(len(mu))]
    parameters = CountParameters(law, None, 50.0, 200_000, 50_000)
    found = vectors.draw_counts(vectors.Streams.of(streams), np.array(mu), np.array(kappa), parameters)
    for stream, own, mean, *many in zip(streams, kappa, mu, *(each.tolist() for each in found), strict=True):
        one = draw_count(stream.draw(0), mean, replace(parameters, kappa=own if law == "nb2" else None))
        assert [one.count, one.capped, one.mean] == many

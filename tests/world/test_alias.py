"""Alias slices: published vectors, an independent decoder, and the blobs of a made world."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg5b.runs import RunRoot
from seg5b.world.alias import encode_blob, encode_slice

VECTORS = [
    (
        [0.5, 0.3, 0.2],
        "03000000200000000000000000000000ffffffff00000000006766e6000000000099999900000000",
        "818cdd569fbbd595cd159f4cf5a5cf5d45b4aeb6a6a9b81d55738d8d164c0878",
    ),
    (
        [1.0],
        "01000000200000000000000000000000ffffffff00000000",
        "06318bad652667c94a7e3ddb7a489b3fc36483598001189b6acb678e0b84ebf7",
    ),
    (
        [0.0, 1.0],
        "020000002000000000000000000000000100000001000000ffffffff01000000",
        "a8b497a182a36f8f2345bd117a8a12352f381c2f653ed82cc4574369805311d3",
    ),
]


def decode(payload: bytes) -> list[Fraction]:
    """Masses of a slice in exact arithmetic, written from the layout alone."""
    count, bits, *reserved = struct.unpack_from("<4I", payload)
    assert (bits, reserved, len(payload)) == (32, [0, 0], 16 + 8 * count)
    mass = [Fraction(0)] * count
    for index in range(count):
        kept, alias = struct.unpack_from("<2I", payload, 16 + 8 * index)
        assert alias < count
        mass[index] += Fraction(kept, 2**32 * count)
        mass[alias] += (1 - Fraction(kept, 2**32)) / count
    return mass


@pytest.mark.parametrize(("weights", "slice_hex", "checksum"), VECTORS)
def test_published_slices(weights: list[float], slice_hex: str, checksum: str) -> None:
    payload = encode_slice(np.array(weights))
    assert payload.hex() == slice_hex
    assert hashlib.sha256(payload).hexdigest() == checksum


@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=60))
def test_decoding_gives_the_weights_back(raw: list[float]) -> None:
    weights = np.array(raw) / np.sum(raw)
    mass = decode(encode_slice(weights))
    assert sum(mass) == 1
    assert max(abs(float(m) - w) for m, w in zip(mass, weights, strict=True)) <= 1.2e-7


def plain_slice(weights: list[float]) -> list[tuple[int, int]]:
    """Entries by the encoding law, step by step in exact arithmetic (a slow twin of the encoder)."""
    grid, count = 2**24, len(weights)
    exact = [Fraction(weight) * grid for weight in weights]
    mass = [round(value) for value in exact]
    residual = [value - whole for value, whole in zip(exact, mass, strict=True)]
    missing = grid - sum(mass)
    order = sorted(range(count), key=lambda index: (-residual[index] if missing > 0 else residual[index], index))
    for index in order[: abs(missing)]:
        mass[index] += 1 if missing > 0 else -1
    scaled = [Fraction(whole * count, grid) for whole in mass]
    probability, alias = [Fraction(1)] * count, list(range(count))
    small, large = ({i for i in range(count) if (scaled[i] < 1) == want} for want in (True, False))
    while small and large:
        low, high = min(small), min(large)
        small.remove(low)
        probability[low], alias[low] = scaled[low], high
        scaled[high] -= 1 - scaled[low]
        if scaled[high] < 1:
            large.remove(high)
            small.add(high)
    return [(min(max(p * 2**32 // 1, 1), 2**32 - 1), a) for p, a in zip(probability, alias, strict=True)]


@given(st.lists(st.integers(1, 2**20), min_size=2, max_size=16))
def test_the_encoder_equals_its_plain_twin(parts: list[int]) -> None:
    weights = np.array(parts) / sum(parts)
    table = np.frombuffer(encode_slice(weights), "<u4", offset=16).reshape(-1, 2)
    got, expected = table.astype(int), np.array(plain_slice(weights.tolist()), dtype=int)
    assert np.array_equal(got[:, 1], expected[:, 1])
    # Subtractions in binary floating point may lose the last of 32 bits; the law floors what is left.
    assert np.abs(got[:, 0] - expected[:, 0]).max() <= 1


def test_slices_lie_back_to_back() -> None:
    blob, slices = encode_blob([np.array([1.0]), np.array([0.25, 0.75])])
    assert [(each.offset, each.length, each.entries) for each in slices] == [(0, 24, 1), (24, 32, 2)]
    assert len(blob) == 56
    assert hashlib.sha256(blob[24:56]).hexdigest() == slices[1].checksum


@pytest.mark.parametrize("seed", [42, 7])
def test_edge_blob_holds_the_catalogue_weights(demo: RunRoot, seed: int, table: Callable[..., dict[str, list]]) -> None:
    index = table(demo, "edge_alias_index", f"seed={seed}/")
    edges = table(demo, "edge_catalogue", f"seed={seed}/")
    blob = next(demo.path.glob(f"data/layer1/3B/edge_alias_blob/seed={seed}/**/*.bin")).read_bytes()
    assert index["scope"] == ["MERCHANT"] * (len(index["scope"]) - 1) + ["GLOBAL"]
    assert index["blob_sha256_hex"][-1] == hashlib.sha256(blob).hexdigest()
    weights: dict[int, list[float]] = {}
    for merchant, weight in zip(edges["merchant_id"], edges["edge_weight"], strict=True):
        weights.setdefault(merchant, []).append(weight)
    for row, merchant in enumerate(index["merchant_id"][:-1]):
        start, length = index["blob_offset_bytes"][row], index["blob_length_bytes"][row]
        payload = blob[start : start + length]
        assert hashlib.sha256(payload).hexdigest() == index["merchant_alias_checksum"][row]
        assert np.abs(np.array(decode(payload), float) - weights.pop(merchant)).max() <= 1.2e-7
    assert not weights


def test_site_blob_holds_the_site_weights(demo: RunRoot, table: Callable[..., dict[str, list]]) -> None:
    index = json.loads(next(demo.path.glob("data/layer1/2B/s2_alias_index/seed=42/**/index.json")).read_text())
    blob = next(demo.path.glob("data/layer1/2B/s2_alias_blob/seed=42/**/alias.bin")).read_bytes()
    sites = table(demo, "s1_site_weights", "seed=42/")
    assert index["blob_sha256"] == hashlib.sha256(blob).hexdigest()
    assert index["blob_size_bytes"] == len(blob)
    owners, first = np.unique(np.array(sites["merchant_id"], np.uint64), return_index=True)
    parts = np.split(np.array(sites["p_weight"]), first[1:])
    assert [row["merchant_id"] for row in index["merchants"]] == owners.tolist()
    for row, weights in zip(index["merchants"], parts, strict=True):
        payload = blob[row["offset"] : row["offset"] + row["length"]]
        assert hashlib.sha256(payload).hexdigest() == row["checksum"]
        assert np.abs(np.array(decode(payload), float) - weights).max() <= 1.2e-7
        assert abs(weights.sum() - 1.0) < 1e-12

"""The portable functions against libm, and free of the CPU's vector instructions by construction."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
from scipy import stats

from seg5b.world import portable
from seg5b.world.draws import GeneratorDraws, hash_unit


def test_exp_and_log() -> None:
    x = np.linspace(-50.0, 50.0, 20_001)
    assert np.abs(portable.exp(x) / np.exp(x) - 1).max() < 1e-13
    assert np.abs(portable.log(np.exp(x)) - x).max() < 1e-13


def test_power() -> None:
    base = np.linspace(0.01, 20.0, 5_000)
    assert np.abs(portable.power(base, 1.6) / base**1.6 - 1).max() < 1e-13


def test_cos_and_sin() -> None:
    angle = np.linspace(-2 * np.pi, 2 * np.pi, 20_001)
    assert np.abs(portable.cos(angle) - np.cos(angle)).max() < 1e-14
    half = angle[np.abs(angle) <= 1.5 * np.pi]
    assert np.abs(portable.sin(half) - np.sin(half)).max() < 1e-14


def test_interpolate() -> None:
    x, known_x, known_y = np.linspace(-1.0, 5.0, 601), np.array([0.0, 1.0, 4.0]), np.array([2.0, 0.0, 9.0])
    assert np.abs(portable.interpolate(x, known_x, known_y) - np.interp(x, known_x, known_y)).max() < 1e-14


def test_normal_is_normal() -> None:
    draws = GeneratorDraws("test")
    index = np.arange(20_000)
    sample = portable.normal(draws.uniform("a", index), draws.uniform("b", index))
    assert stats.kstest(sample, "norm").pvalue > 0.01
    assert abs(sample.std() - 1) < 0.012


def test_uniforms_are_uniform_and_do_not_depend_on_company() -> None:
    draws = GeneratorDraws("test")
    values = draws.uniform("u", np.arange(20_000), 3)
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert values[17] == draws.uniform("u", 17, 3)
    assert values[17] != draws.uniform("v", 17, 3)
    assert values[17] != GeneratorDraws("other").uniform("u", 17, 3)


def test_hash_unit_reads_the_first_eight_bytes_as_big_endian() -> None:
    # SHA-256 of "abc" starts ba7816bf8f01cfea.
    assert hash_unit("abc") == (0xBA7816BF8F01CFEA + 0.5) / 2**64


ROOT = Path(__file__).parents[2]
WHOLE = {
    "_COUNTRY_TOTAL - sum(_NAMED_COUNTRIES.values())": "edges.py",
    "max(each.sizes) / sum(each.sizes)": "policy_groups.py",
    "np.array(each.sizes) / sum(each.sizes)": "policy_groups.py",
    "sum((each.entries for each in slices))": "segment_3b_edges.py",
    "sum((size > 1 for size in each.sizes)) / len(each.sizes)": "policy_groups.py",
    "sum((value >= threshold for value in sigma)) / len(sigma)": "policy_groups.py",
}
"""Built-in sums of the generator, with what stands around them: all are of whole numbers."""


def test_fractions_are_never_added_by_the_built_in_sum() -> None:
    """It compensates from Python 3.12 on, so the last bit would depend on the release."""
    found = {}
    for file in (ROOT / "seg5b/world").rglob("*.py"):
        tree = ast.parse(file.read_text("utf-8"))
        around = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sum":
                holder = around[node] if isinstance(around[node], ast.BinOp) else node
                found[ast.unparse(holder)] = file.name
    assert found == WHOLE

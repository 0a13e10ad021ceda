"""SHA-256 compression by arithmetic and by SHA instructions: against FIPS 180-4 in plain integers, hashlib, each other.

Called from Python, `compress` is arithmetic. What CPU loops make of it shows in compiled code only, so every test here
compiles a loop around it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_inputs import kernel_cases
from llvmlite.binding import get_host_cpu_features, llvm_version_info
from numba import config, jit, njit, typeof
from seg5b_kernels import registry
from seg5b_kernels.derivation import block_words
from seg5b_kernels.registry import Kernel
from seg5b_kernels.sha256 import INITIAL_STATE, ROUND_CONSTANTS, compress, scalar_compress
from seg5b_kernels.targets import cpu_has

Answers = Callable[[str], list[list[str]]]
MASK = 0xFFFFFFFF
HOST_HAS_SHA = bool(get_host_cpu_features().get("sha"))
WITHOUT = "numba compiles for a CPU without SHA instructions"
needs_instructions = pytest.mark.skipif(not cpu_has("sha"), reason=WITHOUT)
BOTH = ["arithmetic", pytest.param("instructions", marks=needs_instructions)]
HASHING = [registry.ABSORB_TEMPLATE, registry.DERIVE_STREAM, registry.BUCKET_COUNT]


@cache
def loop(way: str) -> Any:
    """``loop(way)(states, words)``: row i of both, compressed; uint32 [n, 16] each, a state fills half a row."""
    one = {"arithmetic": scalar_compress, "instructions": compress}[way]

    def compress_rows(states: Any, words: Any) -> Any:
        after = np.zeros_like(states)
        for i in range(states.shape[0]):
            state = one(block_words(states, i, 0)[:8], block_words(words, i, 0))
            for at in range(8):
                after[i, at] = state[at]
        return after

    return njit(compress_rows)


def sha256(message: bytes, way: str) -> str:
    """Digest; only the padding is done here."""
    padded = message + b"\x80" + bytes(-(len(message) + 9) % 64) + (8 * len(message)).to_bytes(8, "big")
    state = np.zeros((1, 16), np.uint32)
    state[0, :8] = INITIAL_STATE
    for block in np.frombuffer(padded, ">u4").astype(np.uint32).reshape(-1, 1, 16):
        state = loop(way)(state, block)
    return state[0, :8].astype(">u4").tobytes().hex()


def root_bits(number: int, degree: int) -> int:
    """First 32 bits of the fraction of a number's root: FIPS 180-4, 4.2.2 and 5.3.3."""
    scaled, root = number << (32 * degree), 0
    for bit in reversed(range(40)):
        if (root | 1 << bit) ** degree <= scaled:
            root |= 1 << bit
    return root & MASK


PRIMES = [n for n in range(2, 312) if all(n % divisor for divisor in range(2, n))]
CONSTANTS = [root_bits(prime, 3) for prime in PRIMES]


def fips_180_4(state: list[int], words: list[int]) -> list[int]:
    """The state after one block, as 6.2.2 of the standard writes it."""

    def rotated(x: int, by: int) -> int:
        return (x >> by | x << 32 - by) & MASK

    w = list(words)
    for t in range(16, 64):
        s0 = rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3
        s1 = rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10
        w.append((s1 + w[t - 7] + s0 + w[t - 16]) & MASK)
    a, b, c, d, e, f, g, h = state
    for word, constant in zip(w, CONSTANTS, strict=True):
        t1 = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + (e & f ^ ~e & g) + constant + word
        t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (t1 + t2) & MASK, a, b, c, (d + t1) & MASK, e, f, g
    return [(old + new) & MASK for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)]


def states_and_words(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All zeros, all ones, each of the 768 bits alone, then random rows."""
    source = np.random.default_rng(seed)
    rows = source.integers(0, 1 << 32, (n, 24), dtype=np.uint32)
    rows[0], rows[1], rows[2:770] = 0, MASK, 0
    bits = np.arange(768)
    rows[2 + bits, bits // 32] = np.uint32(1) << (bits % 32).astype(np.uint32)
    states = np.zeros((n, 16), np.uint32)
    states[:, :8] = rows[:, :8]
    return states, np.ascontiguousarray(rows[:, 8:])


def test_constants_are_roots_of_primes() -> None:
    assert ROUND_CONSTANTS.tolist() == CONSTANTS
    assert INITIAL_STATE.tolist() == [root_bits(prime, 2) for prime in PRIMES[:8]]


@pytest.mark.parametrize("way", BOTH)
def test_states_equal_the_standard(way: str) -> None:
    states, words = states_and_words(3000, seed=1)
    after = loop(way)(states, words)
    for state, block, ours in zip(states.tolist(), words.tolist(), after.tolist(), strict=True):
        assert ours[:8] == fips_180_4(state[:8], block), (state, block)


@needs_instructions
def test_both_ways_agree() -> None:
    states, words = states_and_words(300_000, seed=2)
    assert (loop("instructions")(states, words) == loop("arithmetic")(states, words)).all()


@pytest.mark.parametrize("way", BOTH)
def test_known_digests(known_answers: Answers, way: str) -> None:
    for message, digest in known_answers("sha256"):
        assert sha256(bytes.fromhex(message.strip("-")), way) == digest, message


@pytest.mark.parametrize("way", BOTH)
def test_every_length_of_the_tail(way: str) -> None:
    source = random.Random(1)
    for length in range(260):
        message = source.randbytes(length)
        assert sha256(message, way) == hashlib.sha256(message).hexdigest(), length


# ---------------------------------------------------------------------------------------------- what is compiled


def code_of(function: Any) -> list[str]:
    """Instructions of a compiled function's only version, without its wrappers."""
    (assembly,) = function.inspect_asm().values()
    return re.findall(r"^\t([a-z].*)", assembly[: assembly.index(".Lfunc_end0")], re.MULTILINE)


@pytest.mark.skipif(bool(config.CPU_NAME or config.CPU_FEATURES), reason="numba compiles for a CPU that was chosen")
def test_the_instructions_are_used_where_this_cpu_has_them() -> None:
    assert cpu_has("sha") == HOST_HAS_SHA
    assert what_is_compiled()["instructions"] == HOST_HAS_SHA


@needs_instructions
@pytest.mark.skipif(
    llvm_version_info[0] < 20, reason="LLVM 15, of numba before 0.62, copies the loop around the rounds"
)
@pytest.mark.parametrize("kernel", HASHING, ids=lambda kernel: kernel.name)
def test_kernels_hash_inline_and_clear_of_avx(kernel: Kernel) -> None:
    """One copy of the 32 double rounds, no call, and between the clearing of upper halves and the last of the rounds
    nothing that uses them again."""
    case = next(case for case in kernel_cases(40) if case.kernel is kernel)
    afresh = jit(**kernel.cpu.targetoptions)(kernel.cpu.py_func)
    afresh.compile(tuple(typeof(each) for each in (0, case.n, case.inputs, case.outputs)))
    code = code_of(afresh)
    rounds = [at for at, line in enumerate(code) if line.startswith("sha256rnds2")]
    assert len(rounds) == 32
    assert not [line for line in code if line.startswith("call")]
    if cpu_has("avx"):
        cleared = max(at for at, line in enumerate(code[: rounds[0]]) if line.startswith("vzeroupper"))
        assert not [line for line in code[cleared : rounds[-1]] if re.search(r"%[yz]mm|^j", line)]


def what_is_compiled() -> dict[str, Any]:
    """Of this process's target: whether `compress` is by instructions, whether it leaves AVX first, what it computes."""
    after = loop("instructions")(*states_and_words(1000, seed=3))
    code = code_of(loop("instructions"))
    return {
        "instructions": any(line.startswith("sha256rnds2") for line in code),
        "leaves AVX": any(line.startswith("vzeroupper") for line in code),
        "after": hashlib.sha256(after.tobytes()).hexdigest(),
    }


@pytest.mark.parametrize(
    ("features", "instructions", "leaves_avx"), [("", False, False), ("+sha", True, False), ("+avx,+sha", True, True)]
)
def test_the_chosen_target_decides(features: str, instructions: bool, leaves_avx: bool) -> None:
    """Not the CPU that is here."""
    if instructions and not HOST_HAS_SHA:
        pytest.skip("this CPU has no SHA instructions to run")
    here = what_is_compiled()
    program = "import conftest, json, test_sha256; print(json.dumps(test_sha256.what_is_compiled()))"
    chosen = {**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features}
    folder = Path(__file__).parent
    output = subprocess.run([sys.executable, "-c", program], env=chosen, cwd=folder, capture_output=True, text=True)
    assert output.returncode == 0, output.stderr
    assert json.loads(output.stdout) == {
        "instructions": instructions,
        "leaves AVX": leaves_avx,
        "after": here["after"],
    }

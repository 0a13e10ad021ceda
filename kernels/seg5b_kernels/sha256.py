"""SHA-256 compression on scalars, so that one thread hashes one message without scratch memory.

Source: FIPS 180-4. CPUs with SHA instructions use those; all other targets, CUDA among them, the arithmetic here.
numba widens uint32 sums to uint64; casting each back lets the compiler keep 32-bit registers.
"""

from __future__ import annotations

import numpy as np
from numba.extending import overload

from seg5b_kernels.sha_instructions import compress_by_instructions
from seg5b_kernels.targets import cpu_has, scalar

MASK = np.uint32(0xFFFFFFFF)
INITIAL_STATE = np.array(
    [
        0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19,
    ],
    dtype=np.uint32,
)  # fmt: skip
ROUND_CONSTANTS = np.array(
    [
        0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
        0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
        0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
        0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
        0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
        0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
        0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
        0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
    ],
    dtype=np.uint32,
)  # fmt: skip


@scalar
def _rotate_right(x, bits):
    return np.uint32(np.uint32(x >> np.uint32(bits)) | np.uint32(x << np.uint32(32 - bits)))


@scalar
def _round(a, b, c, d, e, f, g, h, word):
    """One round; ``word`` is message word plus round constant."""
    s1 = _rotate_right(e, 6) ^ _rotate_right(e, 11) ^ _rotate_right(e, 25)
    choice = (e & f) ^ ((e ^ MASK) & g)
    t1 = np.uint32(np.uint32(h + s1) + np.uint32(choice + word))
    s0 = _rotate_right(a, 2) ^ _rotate_right(a, 13) ^ _rotate_right(a, 22)
    majority = (a & b) ^ (a & c) ^ (b & c)
    return np.uint32(t1 + np.uint32(s0 + majority)), a, b, c, np.uint32(d + t1), e, f, g


@scalar
def _next_word(w16, w15, w7, w2):
    """Message word t from words t-16, t-15, t-7 and t-2."""
    s0 = _rotate_right(w15, 7) ^ _rotate_right(w15, 18) ^ np.uint32(w15 >> np.uint32(3))
    s1 = _rotate_right(w2, 17) ^ _rotate_right(w2, 19) ^ np.uint32(w2 >> np.uint32(10))
    return np.uint32(np.uint32(w16 + s0) + np.uint32(w7 + s1))


@scalar
def scalar_compress(state, words):
    """`compress` by arithmetic on words, which every target has."""
    a, b, c, d, e, f, g, h = state
    w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15 = words
    for t in range(0, 64, 16):
        k = ROUND_CONSTANTS[t : t + 16]
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w0 + np.uint32(k[0])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w1 + np.uint32(k[1])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w2 + np.uint32(k[2])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w3 + np.uint32(k[3])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w4 + np.uint32(k[4])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w5 + np.uint32(k[5])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w6 + np.uint32(k[6])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w7 + np.uint32(k[7])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w8 + np.uint32(k[8])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w9 + np.uint32(k[9])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w10 + np.uint32(k[10])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w11 + np.uint32(k[11])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w12 + np.uint32(k[12])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w13 + np.uint32(k[13])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w14 + np.uint32(k[14])))
        a, b, c, d, e, f, g, h = _round(a, b, c, d, e, f, g, h, np.uint32(w15 + np.uint32(k[15])))
        # The sixteen words after these, each from words already advanced.
        w0 = _next_word(w0, w1, w9, w14)
        w1 = _next_word(w1, w2, w10, w15)
        w2 = _next_word(w2, w3, w11, w0)
        w3 = _next_word(w3, w4, w12, w1)
        w4 = _next_word(w4, w5, w13, w2)
        w5 = _next_word(w5, w6, w14, w3)
        w6 = _next_word(w6, w7, w15, w4)
        w7 = _next_word(w7, w8, w0, w5)
        w8 = _next_word(w8, w9, w1, w6)
        w9 = _next_word(w9, w10, w2, w7)
        w10 = _next_word(w10, w11, w3, w8)
        w11 = _next_word(w11, w12, w4, w9)
        w12 = _next_word(w12, w13, w5, w10)
        w13 = _next_word(w13, w14, w6, w11)
        w14 = _next_word(w14, w15, w7, w12)
        w15 = _next_word(w15, w0, w8, w13)
    s0, s1, s2, s3, s4, s5, s6, s7 = state
    return (
        np.uint32(s0 + a), np.uint32(s1 + b), np.uint32(s2 + c), np.uint32(s3 + d),
        np.uint32(s4 + e), np.uint32(s5 + f), np.uint32(s6 + g), np.uint32(s7 + h),
    )  # fmt: skip


def compress(state, words):
    """The state after one 64-byte block: a primitive, see `seg5b_kernels.targets`.

    Parameters: ``state`` tuple of 8 and ``words`` tuple of 16 uint32 (the block's words, read big-endian).
    Returns a tuple of 8 like ``state``.
    """
    return scalar_compress(state, words)


_compress_by_instructions = compress_by_instructions(ROUND_CONSTANTS.tolist())


@overload(compress, jit_options={"forceinline": True})
def _compress_on_cpu(state, words):
    if cpu_has("sha"):
        return lambda state, words: _compress_by_instructions(state, words)
    return lambda state, words: scalar_compress(state, words)

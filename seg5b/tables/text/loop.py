"""The compiled loop that writes rows as text: bytes copied from templates, numbers and moments spelled out.

A row is its fields one after another and a line end. A field is a name, and then either the text of a null or an opening, the
value and a closing. What the host knows beforehand (names, quotes, escaped texts) comes as bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array
from seg5b_compiled import cache_folder, kept, source_digest

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}
_FOLDER = cache_folder(f"text-lines-{source_digest(Path(__file__).parent)}")

TEXT: Final = 0
SIGNED: Final = 1
UNSIGNED: Final = 2
MOMENT: Final = 3
CLOSING, NAME, OPENING, NULL, PIECES = 0, 1, 2, 3, 4
"""The pieces of a field in ``ends``: the closing of the field before it, its own name and opening, and the text of a null. What
is copied between two values lies in one stretch."""
LONGEST_NUMBER: Final = 26
"""Bytes of a moment; a number has at most 20."""

_MICROS_PER_DAY = 86_400_000_000
_ZERO, _MINUS, _COLON, _DOT, _T, _Z = (ord(letter) for letter in "0-:.TZ")
_HUNDRED = np.uint64(100)
_PAIRS = np.frombuffer("".join(f"{number:02d}" for number in range(100)).encode(), np.uint8)


def inlined(function: Callable[..., Any]) -> Any:
    """Decorate a part of the loop."""
    return kept(njit(forceinline=True, **_OPTIONS), function, _FOLDER)


def compiled(function: Callable[..., Any]) -> Any:
    """Decorate the loop: compiled on first use, kept on disk, releases the interpreter lock."""
    return kept(njit(**_OPTIONS), function, _FOLDER)


@intrinsic
def _copy(typing, out, at, source, start, size):
    """``memcpy``: a loop over bytes, whose arrays might overlap for all that the compiler knows, takes three times as long."""
    if not all(isinstance(each, types.Array) and each.dtype == types.uint8 for each in (out, source)):
        return None

    def code(context, builder, signature, arguments):
        kinds, (to, to_place, of, of_place, length) = signature.args, arguments
        pointers = [
            builder.gep(make_array(kind)(context, builder, value=array).data, [place])
            for kind, array, place in ((kinds[0], to, to_place), (kinds[2], of, of_place))
        ]
        cgutils.raw_memcpy(builder, *pointers, length, 1)
        return context.get_dummy_value()

    return types.void(out, types.intp, source, types.intp, types.intp), code


@inlined
def _put(out, at, source, start, stop):
    """Copy ``source[start:stop]`` to ``out[at:]``; returns where to go on."""
    _copy(out, at, source, start, stop - start)
    return at + stop - start


@inlined
def _put_pair(out, at, number):
    """Write a number below 100 as two digits; returns where to go on."""
    out[at] = _PAIRS[2 * number]
    out[at + 1] = _PAIRS[2 * number + 1]
    return at + 2


@inlined
def _put_unsigned(out, at, number):
    """Write a uint64; returns where to go on."""
    digits, bound = 1, np.uint64(10)
    while digits < 20 and number >= bound:
        digits += 1
        bound *= np.uint64(10)
    place = at + digits
    while place - at >= 2:
        rest = number // _HUNDRED
        place -= 2
        _put_pair(out, place, np.uint32(number - rest * _HUNDRED))
        number = rest
    if place > at:
        out[at] = _ZERO + np.uint32(number)
    return at + digits


@inlined
def _put_date(out, days):
    """Write a day, counted from 1970, as ten bytes: the civil calendar in years that begin with March."""
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = march + 3 if march < 10 else march - 9
    whole_year = era * 400 + year + (1 if month <= 2 else 0)
    at = _put_pair(out, _put_pair(out, 0, whole_year // 100), whole_year % 100)
    out[at] = _MINUS
    at = _put_pair(out, at + 1, month)
    out[at] = _MINUS
    _put_pair(out, at + 1, of_year - (153 * march + 2) // 5 + 1)


@inlined
def _put_moment(out, at, micros, days, date):
    """Write microseconds since 1970 as ``YYYY-MM-DDTHH:MM:SS.ffffff``; returns where to go on. ``days`` int64 [1] and ``date``
    uint8 [10]: the day that was written last, since most rows are of the same."""
    day = micros // _MICROS_PER_DAY
    if day != days[0]:
        days[0] = day
        _put_date(date, day)
    rest = np.uint64(micros - day * _MICROS_PER_DAY)
    second = np.uint32(rest // np.uint64(1_000_000))
    fraction = np.uint32(rest - np.uint64(second) * np.uint64(1_000_000))
    at = _put(out, at, date, 0, 10)
    out[at] = _T
    at = _put_pair(out, at + 1, second // np.uint32(3600))
    out[at] = _COLON
    at = _put_pair(out, at + 1, second // np.uint32(60) % np.uint32(60))
    out[at] = _COLON
    at = _put_pair(out, at + 1, second % np.uint32(60))
    out[at] = _DOT
    at = _put_pair(out, at + 1, fraction // np.uint32(10_000))
    at = _put_pair(out, at, fraction // np.uint32(100) % np.uint32(100))
    return _put_pair(out, at, fraction % np.uint32(100))


@compiled
def write_moments(micros, zoned, days, date, out):
    """Write ``micros`` int64 [n], microseconds since 1970, one behind the other to ``out`` uint8 [n * w] in the form of
    `_put_moment`: w is 26, or 27 where ``zoned`` puts a ``Z`` behind each. ``days`` int64 [1]
    and ``date`` uint8 [10] are scratch, the day -2^62 at first."""
    at = 0
    for micro in micros:
        at = _put_moment(out, at, micro, days, date)
        if zoned:
            out[at] = _Z
            at += 1


@compiled
def write_rows(kinds, values, valid, literals, ends, pool, pool_ends, bases, days, dates, out, start, stop):
    """Write rows [start, stop) to ``out`` uint8; returns how many bytes. For F fields and n rows:

    ``kinds`` int64 [F], one of `TEXT`, `SIGNED`, `UNSIGNED`, `MOMENT`; ``values`` int64 [F, n], the number (the bits of an
    unsigned one), the microseconds since 1970, or the code of a text; ``valid`` uint8 [F, n], 0 for a null. ``literals`` uint8
    holds the pieces of each field, the last closing and the line end, one after another, ``ends`` int64 [4 F + 3] where each
    begins and the last stops. ``pool`` uint8 holds the texts, that of code c of field f from ``pool_ends[bases[f] + c]`` on.
    ``days`` int64 [F, 1] and ``dates`` uint8 [F, 10] are scratch, the days -2^62 at first.
    """
    at = 0
    fields = kinds.size
    for row in range(start, stop):
        told = False  # whether the field before it has a value, which is to be closed
        for field in range(fields):
            piece = PIECES * field
            begin = ends[piece] if told else ends[piece + NAME]
            told = valid[field, row] != 0
            if not told:
                at = _put(out, at, literals, begin, ends[piece + OPENING])
                at = _put(out, at, literals, ends[piece + NULL], ends[piece + PIECES])
                continue
            at = _put(out, at, literals, begin, ends[piece + NULL])
            value, kind = values[field, row], kinds[field]
            if kind == TEXT:
                text = bases[field] + value
                at = _put(out, at, pool, pool_ends[text], pool_ends[text + 1])
            elif kind == MOMENT:
                at = _put_moment(out, at, value, days[field], dates[field])
            else:
                number = np.uint64(value)
                if kind == SIGNED and value < 0:
                    out[at] = _MINUS
                    at += 1
                    number = np.uint64(0) - number
                at = _put_unsigned(out, at, number)
        piece = PIECES * fields
        at = _put(out, at, literals, ends[piece] if told else ends[piece + 1], ends[piece + 2])
    return at

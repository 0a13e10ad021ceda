"""Counting rows by key in a compiled loop: an open hash table over an append-only list of keys.

A key has a lead (the merchant, say), by which rows of a sound file are contiguous, and a tail. Only tails are looked up:
when the lead changes the list goes on and the table starts empty, which costs nothing, for a slot carries the number of
its generation. So the table stays as small as one merchant's keys. The list may hold a key twice (a lead that comes again,
a table that was full): whoever reads it adds up equal keys.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seg5b.part_scan._compiled import inlined

_USED, _GENERATION, _LIVE = 0, 1, 2
_SLOTS = 1 << 14


class Counts(NamedTuple):
    """``keys`` int64 [capacity, width], lead first; ``rows`` int64 [capacity]; ``slots`` int64 [power of two], generation
    and place; ``state`` int64 [3]: keys in use, generation, keys of this generation."""

    keys: np.ndarray
    rows: np.ndarray
    slots: np.ndarray
    state: np.ndarray


def empty_counts(width: int) -> Counts:
    """A table without keys; ``width`` numbers make a key."""
    state = np.array([0, 1, 0], np.int64)
    return Counts(np.empty((0, width), np.int64), np.empty(0, np.int64), np.zeros(_SLOTS, np.int64), state)


def with_room(counts: Counts, rows: int) -> Counts:
    """The same table with room for ``rows`` more keys, as many as that many rows can have."""
    used, capacity = int(counts.state[_USED]), len(counts.rows)
    if used + rows <= capacity:
        return counts
    larger = max(used + 4 * rows, 2 * used)  # memory that is not written to costs nothing
    keys, numbers = np.empty((larger, counts.keys.shape[1]), np.int64), np.empty(larger, np.int64)
    keys[:used], numbers[:used] = counts.keys[:used], counts.rows[:used]
    return Counts(keys, numbers, counts.slots, counts.state)


def listed(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """Keys int64 [n, width] and the rows of each, int64 [n], in the order in which they were first met."""
    used = int(counts.state[_USED])
    return counts.keys[:used], counts.rows[:used]


@inlined
def forget(counts):
    """Start anew: the lead has changed."""
    counts.state[_GENERATION] += 1
    counts.state[_LIVE] = 0


@inlined
def count(counts, lead, tail):
    """Count a row of key ``lead + tail`` (tuples of int64). Returns the place of the key in the list, and whether it is
    new there."""
    mixed = np.uint64(0x9E3779B97F4A7C15)
    for value in tail:
        mixed = (mixed ^ np.uint64(value)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
    mask = np.int64(counts.slots.size - 1)
    if counts.state[_LIVE] * 2 > mask:
        forget(counts)
    slot = np.int64(mixed >> np.uint64(32)) & mask
    generation = counts.state[_GENERATION]
    while True:
        held = counts.slots[slot]
        if held >> 32 != generation:
            break
        place = held & 0xFFFFFFFF
        same = True
        for k in range(len(tail)):
            same = same and counts.keys[place, len(lead) + k] == tail[k]
        if same:
            counts.rows[place] += 1
            return place, False
        slot = (slot + 1) & mask
    place = counts.state[_USED]
    for k in range(len(lead)):
        counts.keys[place, k] = lead[k]
    for k in range(len(tail)):
        counts.keys[place, len(lead) + k] = tail[k]
    counts.rows[place] = 1
    counts.slots[slot] = generation << 32 | place
    counts.state[_USED] += 1
    counts.state[_LIVE] += 1
    return place, True


def longer(array: np.ndarray, used: int, rows: int) -> np.ndarray:
    """An array of lists with room for ``rows`` more behind the ``used`` first, which stay."""
    if used + rows <= len(array):
        return array
    extended = np.empty((max(used + 4 * rows, 2 * used), *array.shape[1:]), array.dtype)
    extended[:used] = array[:used]
    return extended

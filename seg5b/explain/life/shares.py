"""Tables of weights, and which part of (0, 1) picks what."""

from __future__ import annotations

from collections.abc import Sequence

from seg5b import sheets
from seg5b.explain.life.words import distinct, percent
from seg5b.twin.alias import Pick, Table, vose

MOST_ROWS = 6
"""Entries that are shown: the heaviest, and the picked one."""
Stretch = tuple[float, float]


def stretches(table: Table) -> list[list[Stretch]]:
    """Per entry the stretches of (0, 1) that pick it: the kept part of its own slot, and the rest of those that name it as
    alias. Together as long as its share of the weight."""
    size = len(table)
    found: list[list[Stretch]] = [[] for _ in table]
    for slot, (keep, alias) in enumerate(table):
        cut = slot + min(keep, 1.0) if size > 1 else slot + 1.0
        if cut > slot:
            found[slot].append((slot / size, cut / size))
        if cut < slot + 1.0:
            found[alias].append((cut / size, (slot + 1.0) / size))
    return found


def weights_table(
    caption: str,
    columns: Sequence[str],
    names: Sequence[Sequence[str]],
    weights: Sequence[float],
    pick: Pick | None,
    table: Table | None = None,
    chosen: int | None = None,
) -> sheets.Table:
    """Entries with their share of the weight and, where ``pick`` says so, the stretches of u that pick them, heaviest first.

    ``names`` hold a text for each of ``columns``; ``table`` is the alias table that was read (None: that of the weights);
    ``chosen`` the entry to mark (None: the picked one).
    """
    total = sum(weights) or 1.0
    entry = pick.entry if pick and chosen is None else chosen
    order = sorted(range(len(names)), key=lambda place: (-weights[place], place))
    shown = order[:MOST_ROWS]
    if entry is not None and entry not in shown:
        shown = [*shown[:-1], entry]
    ranges = stretches(table or vose(weights)) if pick else []
    rows = []
    for place in shown:
        row = [*names[place], percent(weights[place] / total)]
        rows.append((*row, _written(ranges[place], pick.u)) if pick else tuple(row))
    rest = len(order) - len(shown)
    if rest:
        left = sum(weights[place] for place in order if place not in set(shown))
        row = [f"and {rest:,} more", *[""] * (len(columns) - 1), percent(left / total)]
        rows.append((*row, "") if pick else tuple(row))
    heads = (*columns, "share", *(("owns u from-to (+ more)",) if pick else ()))
    picked = shown.index(entry) if entry is not None else None
    return sheets.Table(caption, heads, tuple(rows), frozenset(("share", "a week", heads[-1])), picked)


def _written(own: Sequence[Stretch], u: float) -> str:
    """The stretch that holds ``u``, else the longest, and how many more there are."""
    if not own:
        return "-"
    low, high = min(own, key=lambda piece: (not piece[0] <= u < piece[1], piece[0] - piece[1]))
    first, last, _ = distinct([low, high, u], 4)
    return f"{first}-{last}" + (f" +{len(own) - 1:,}" if len(own) > 1 else "")

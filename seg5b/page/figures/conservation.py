"""01-03: what each state has is what the next one has."""

from __future__ import annotations

import math

from seg5b.page.facts.keys import Keys
from seg5b.page.figure import Figure
from seg5b.page.frame import PLOT, Axis, plot
from seg5b.page.marks import cell, column, line, strength
from seg5b.page.scales import ScaleKind, count, counted
from seg5b.page.svg import label

_CELLS = 34
_FARTHEST = 50


def conservation(keys: Keys, thinning: int) -> tuple[Figure, ...]:
    """Figures 01 (rows of the states), 02 (arrivals against counts) and 03 (differences by key)."""
    return _rows_per_key(keys), _pairs(keys, thinning), _residuals(keys)


def _rows_per_key(keys: Keys) -> Figure:
    most = max((size for size, _ in keys.components), default=1)
    x = PLOT.across(0.4, max(most, 3) + 0.6)
    y = PLOT.upward(0, 3 * max((series for _, series in keys.components), default=1), ScaleKind.LOG1P)
    marks = []
    for size, series in keys.components:
        note = f"{counted(series, 'series', 'series')} with {counted(size, 'country', 'countries')}"
        marks.append(column(x(size), min(54.0, 260 / max(most, 3)), y(series), y(0), "a", note))
        marks.append(label(x(size), y(series) - 6, count(series), class_="value", text_anchor="middle"))
    whole = keys.rows_s2 == keys.rows_s3 == keys.expected_rows and not keys.repeated
    ticks = list(range(1, max(most, 3) + 1, max(1, most // 8)))
    drawn = plot(
        PLOT, Axis(x, "countries in one series", count_text, ticks), Axis(y, "series"), marks, "series by size"
    )
    return Figure(
        "01",
        "One row per key in S2 and S3" if whole else "Rows and keys do not match",
        (drawn,),
        f"A series is a merchant, zone and channel; its countries are summed before anything is drawn. S2 has "
        f"{count(keys.rows_s2)} rows, S3 {count(keys.rows_s3)}; series × buckets is {count(keys.expected_rows)}; "
        f"{count(keys.repeated)} compared keys occur twice.",
        "all three numbers are equal, and no key occurs twice.",
        {
            "components": keys.components,
            "rows_s2": keys.rows_s2,
            "rows_s3": keys.rows_s3,
            "expected_rows": keys.expected_rows,
            "repeated": keys.repeated,
        },
    )


def count_text(value: float) -> str:
    """A whole number for an axis."""
    return f"{value:.0f}"


def _pairs(keys: Keys, thinning: int) -> Figure:
    largest = max((max(seen, counted) for seen, counted, _ in keys.pairs), default=1)
    x, y = PLOT.across(0, largest, ScaleKind.LOG1P), PLOT.upward(0, largest, ScaleKind.LOG1P)
    grid: dict[tuple[int, int, bool], int] = {}
    width = math.log1p(largest) / _CELLS
    for seen, expected, number in keys.pairs:
        place = (round(math.log1p(seen) / width), round(math.log1p(expected) / width), seen != expected)
        grid[place] = grid.get(place, 0) + number
    densest = max(grid.values(), default=1)
    size, tall = (x.end - x.start) / _CELLS, (y.start - y.end) / _CELLS
    marks = [line(x, y, [(0, 0), (largest, largest)], "rule")]
    for (column_, row, apart), number in sorted(grid.items()):
        left, top = x.start + (column_ - 0.5) * size, y.start - (row + 0.5) * tall
        note = f"{counted(number, 'key')} near {math.expm1(column_ * width):.0f} arrivals"
        marks.append(
            cell(left, top, size, tall, "b" if apart else "a", strength(number, densest, 0.5 if apart else 0.12), note)
        )
    share = "every key" if thinning == 1 else f"one key in {thinning}"
    drawn = plot(
        PLOT, Axis(x, "arrivals of the key in S4"), Axis(y, "count_N of the key in S3"), marks, "S4 against S3"
    )
    agree = (
        f"All {counted(keys.compared, 'key')} agree" if not keys.unequal else f"{counted(keys.unequal, 'key')} differ"
    )
    return Figure(
        "02",
        f"{agree} between S3 and S4",
        (drawn,),
        f"A key is a series and a bucket; {share} that holds anything is compared. Darker cells hold more keys, orange "
        "ones keys that differ.",
        "every cell lies on the dashed line.",
        {"compared": keys.compared, "unequal": keys.unequal, "one_key_in": thinning},
    )


def _residuals(keys: Keys) -> Figure:
    found = keys.residuals()
    clipped: dict[int, int] = {}
    for gap, number in found.items():
        at = max(-_FARTHEST, min(_FARTHEST, gap))
        clipped[at] = clipped.get(at, 0) + number
    reach = max(5, min(_FARTHEST, max((abs(gap) for gap in clipped), default=0)))
    x = PLOT.across(-reach - 0.5, reach + 0.5)
    y = PLOT.upward(0, 3 * max(clipped.values(), default=1), ScaleKind.LOG1P)
    width = max(2.0, (x.end - x.start) / (2 * reach + 1) - 2)
    marks = [
        column(x(gap), width, y(number), y(0), "b" if gap else "a", f"{counted(number, 'key')} off by {gap}")
        for gap, number in clipped.items()
    ]
    if 0 in clipped:
        marks.append(label(x(0), y(clipped[0]) - 6, count(clipped[0]), class_="value", text_anchor="middle"))
    drawn = plot(PLOT, Axis(x, "arrivals − count_N", _signed), Axis(y, "keys"), marks, "differences")
    lost = sum(gap * number for gap, number in found.items())
    return Figure(
        "03",
        f"{lost:+,} arrivals over all compared keys" if lost else "Not one arrival too many or too few",
        (drawn,),
        f"Differences of figure 02, clipped at ±{_FARTHEST}. S3 counted {count(keys.counted)} arrivals in all.",
        "one bar, at zero.",
        {"residuals": sorted(found.items()), "counted": keys.counted},
    )


def _signed(value: float) -> str:
    return f"{value:+.0f}".replace("-", "−") if value else "0"

"""The nearest of the cities that a world names: many places at once as one by one."""

from __future__ import annotations

import numpy as np

from seg5b.runs.cities import nearest_cities, nearest_city


def test_many_at_once_are_named_as_one_by_one_and_equally_near_ones_by_name() -> None:
    draw = np.random.default_rng(5)
    cities = [(f"c{place}", *draw.uniform(-5, 5, 2).tolist()) for place in range(40)]
    cities += [("west", 0.0, -1.0), ("east", 0.0, 1.0)]
    north, east = draw.uniform(-6, 6, (2, 9_000)).round(2)
    north[:2], east[:2] = 0.0, 0.0
    found = nearest_cities(cities, north, east)
    assert found == [nearest_city(cities, *place) for place in zip(north.tolist(), east.tolist(), strict=True)]
    assert nearest_cities(cities[-2:], north[:2], east[:2]) == ["east", "east"]
    assert nearest_cities(cities, north[:0], east[:0]) == []

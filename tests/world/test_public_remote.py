"""Remote trade by the public law: edges alone (docs/laws#world-public-remote)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seg5b.errors import WorldError
from seg5b.world import World
from seg5b.world.spec import with_values
from seg5b.world.vocabulary import CLASSES, MODES, ONLINE
from tests.public_worlds import PUBLIC, built

REMOTE: dict[str, Any] = {"places": {"countries": ["GB", "FR"]}, "merchants.count": 300, "virtual.law": "public_v1"}


def plan(values: dict[str, Any]) -> Any:
    return World.from_mapping(with_values(PUBLIC, {**REMOTE, **values})).plan


def test_online_classes_have_edges_alone_and_others_sites_alone() -> None:
    world = built(REMOTE)
    online = np.isin(world.merchants.class_code, [CLASSES.index(name) for name in ONLINE])
    assert 0 < online.sum() < online.size
    assert (world.merchants.mode_code[online] == MODES.index("VIRTUAL_ONLY")).all()
    assert (world.merchants.mode_code[~online] == MODES.index("NON_VIRTUAL")).all()
    remote = np.isin(world.rows.class_code[world.channels.row], np.flatnonzero(np.isin(CLASSES, ONLINE)))
    assert {world.channels.names[code] for code in world.channels.channel[remote]} == {"card_not_present"}
    assert {world.channels.names[code] for code in world.channels.channel[~remote]} == {"card_present"}


def test_without_the_law_a_card_not_present_may_carry_a_site() -> None:
    world = built({**REMOTE, "virtual.law": "shares_v1"})
    online = np.isin(world.merchants.class_code, [CLASSES.index(name) for name in ONLINE])
    assert (world.merchants.mode_code[online] == MODES.index("NON_VIRTUAL")).any()


def test_the_law_is_part_of_the_identity() -> None:
    assert plan({}).document["virtual"]["law"] == "public_v1"
    assert plan({}) != plan({"virtual.law": "shares_v1"})


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"virtual.only": 0.1}, "virtual.only"),
        ({"virtual.hybrid": 0.1}, "virtual.hybrid"),
        ({"virtual.classes": ["office_hours"]}, "virtual.classes"),
        ({"channels": {"card_present": {"share": 1}, "card_not_present": {"share": 1, "classes": list(ONLINE)}}}, "channels.card_present.classes"),
        ({"channels": {"wallet": {"share": 1}, "card_not_present": {"share": 1}}}, "channels.card_not_present.classes"),
        ({"virtual.edges.home_share": 0.5}, "virtual.edges.home_share"),
        ({"places.law": "public_v1", "virtual.edges": {"home_share": 0.5, "countries": ["GB"]}}, "virtual.edges.home_share"),
    ],
)  # fmt: skip
def test_what_the_law_makes_is_not_stated(values: dict[str, Any], where: str) -> None:
    with pytest.raises(WorldError) as caught:
        plan(values)
    assert caught.value.where == where and caught.value.remedy


def test_channels_that_fit_are_taken() -> None:
    shops = ["consumer_daytime", "fuel_convenience", "evening_weekend"]
    channels = {
        "card_present": {"share": 3, "classes": shops},
        "card_not_present": {"share": 1, "classes": list(ONLINE)},
        "wallet": {"share": 1},
    }
    assert len(plan({"channels": channels}).channels) == 3

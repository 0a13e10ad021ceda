"""T20: remote payments are remote, and as many as public figures admit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from seg5b.realism import Scoreboard, Verdict, score_run
from seg5b.realism.channels import Counted, channel_readings
from seg5b.world.plan import BASELINE
from tests.validation.faults import arrivals
from tests.validation.harness import VIRTUAL, Run, put

Change = Callable[[list[Counted]], list[Counted]]


def lawful(arrivals: int = 60_000, remote: float = 0.25, merchants: int = 40) -> list[Counted]:
    """Merchants of one channel each, a quarter of them remote: those at edges, the others at sites."""
    random = np.random.default_rng(5)
    size = random.pareto(1.5, merchants) + 1.0
    counts = random.multinomial(arrivals, size / size.sum())
    kinds = random.random(merchants) < remote
    return [
        (merchant, "card_not_present" if far else "card_present", bool(far), int(count))
        for merchant, (far, count) in enumerate(zip(kinds, counts, strict=True))
    ]


def told(rows: list[Counted]) -> dict[str, tuple[bool, bool, bool]]:
    """Whether each reading is judged, and its grades."""
    return {each.name: (each.judged, each.within(0), each.within(1)) for each in channel_readings(rows)}


SITE, EDGE, SHARE = "card_not_present at a site", "card_present at an edge", "share of card_not_present"


def test_lawful_channels_pass() -> None:
    assert told(lawful()) == dict.fromkeys((SITE, EDGE, SHARE), (True, True, True))


@pytest.mark.parametrize(
    ("fault", "reading", "grades"),
    [
        (lambda rows: [*rows, (0, "card_not_present", False, 180)], SITE, (True, True, False)),
        (lambda rows: [*rows, (0, "card_not_present", False, 700)], SITE, (True, False, False)),
        (lambda rows: [*rows, (0, "card_present", True, 1)], EDGE, (True, False, False)),
        (lambda rows: [(m, "card_not_present", True, n) for m, _, _, n in rows], SHARE, (True, False, False)),
        (
            lambda rows: [
                (m, "card_not_present" if m == 0 else "card_present", m == 0, n if m else 9) for m, _, _, n in rows
            ],
            SHARE,
            (True, False, False),
        ),
        (
            lambda _: [(m, "card_present" if m % 14 else "card_not_present", m % 14 == 0, 1500) for m in range(280)],
            SHARE,
            (True, True, False),
        ),
    ],
    ids=[
        "some at a site",
        "many at a site",
        "one at an edge",
        "all remote",
        "hardly any remote",
        "a fourteenth remote",
    ],
)
def test_a_fault_is_seen(fault: Change, reading: str, grades: tuple[bool, bool, bool]) -> None:
    assert told(fault(lawful()))[reading] == grades


def test_small_samples_are_not_judged() -> None:
    few = told(lawful(arrivals=9_999))
    assert (few[SITE][0], few[EDGE][0], few[SHARE][0]) == (False, True, False)
    assert not told(lawful(merchants=7))[SHARE][0]


def test_shops_alone_are_not_judged_by_their_share() -> None:
    rows = [(merchant, "card_present", False, count) for merchant, _, _, count in lawful()]
    (share,) = [each for each in channel_readings(rows) if each.name == SHARE]
    assert not share.judged and share.short == "1 card_not_present arrival (has 0)"


def test_other_channels_are_not_judged() -> None:
    assert channel_readings([(1, "wallet", False, 50_000), (2, "transfer", True, 50_000)]) == []


def test_the_gate_on_a_run(board: Scoreboard, small: Run, copied: Callable[[Run], Run]) -> None:
    """Under today's law most remote arrivals have a site, and the gate says so; one that is called present is seen."""
    gate, facts = board.gate("T20"), board.diagnostics["t20"][BASELINE]
    assert gate.verdict is Verdict.FAIL and f"{BASELINE}: {SITE}" in gate.extras["readings_beyond_b"]
    measured = {each["name"]: each["value"] for each in facts["measured"]}
    virtual = sum(facts["by_hour"]["card_not_present/virtual"])
    at_sites = sum(facts["by_hour"]["card_not_present/physical"])
    assert measured[SITE] == pytest.approx(at_sites / (at_sites + virtual))
    assert sum(map(sum, facts["by_hour"].values())) == board.facts["arrivals"]
    run = copied(small)
    arrivals(put("channel_group", "card_present", VIRTUAL))(run)
    moved = score_run(run.root, run.contracts)
    edges = {each["name"]: each["value"] for each in moved.diagnostics["t20"][BASELINE]["measured"]}[EDGE]
    assert edges == 1 and f"{BASELINE}: {EDGE}" in moved.gate("T20").extras["readings_beyond_b"]

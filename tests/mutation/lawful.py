"""``python -m tests.mutation.lawful``: many lawful worlds, which S5 must pass, and the p values that its checks found.

200 tiny worlds of every law that policies offer, 20 of the demo's size, and 200 small ones by public figures, which must not fail
the gates by public figures (`seg5b.realism.laws.PUBLIC`). What was made before with
these sources is not made again. A check that finds a p value states the least of them, after counting how many it looked at, as the fact
``p_least``; over lawful worlds it must spread evenly over (0, 1), or lie above.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from seg5b.api import open_run
from seg5b.api import run as realise
from seg5b.errors import Seg5bError
from seg5b.gate import open_gate
from seg5b.options import Options, Tuning
from seg5b.realism import Verdict
from seg5b.realism.laws import PUBLIC
from seg5b.realism.probes import PROBES
from seg5b.realism.public_gates import judge_public
from seg5b.run_tables.whole_run import open_run_tables
from seg5b.validation import Status, validate
from seg5b.validation.runner import run_checks
from seg5b.world import World
from seg5b.world.vocabulary import TWO_LEVEL
from tests.mutation.worlds import sources_digest
from tests.policies import Changes, change_policies

MADE = {"tiny": 200, "large": 20, "public": 200}
"""How many worlds of each kind."""
_COUNTRIES = ("US", "GB", "DE", "IN", "NP", "AU", "BR", "NO", "JP", "ES")
_ROUTING, _PLACEMENT = "arrival_routing_policy_5B", "arrival_time_placement_policy_5B"


def specification(number: int, kind: str) -> dict[str, Any]:
    """A world, by number and kind: the same at any time."""
    draw = random.Random(f"lawful {kind} {number}")
    if kind == "public":
        return _public(number, draw)
    large = kind == "large"
    merchants = 1000 if large else draw.choice([3, 5, 12, 30])
    start = draw.choice(["2026-03-23", "2026-10-19", "2027-06-07"])
    days = 28 if large else draw.choice([2, 7, 14])
    return {
        "name": f"lawful_{number}",
        "horizon": {"start": start, "days": days},
        "seeds": [draw.randrange(2**64)],
        "places": {"countries": list(_COUNTRIES) if large else draw.sample(_COUNTRIES, draw.randint(1, 4))},
        "merchants": {"count": merchants},
        "bucket_seconds": 3600 if large else draw.choice([900, 1800, 3600]),
        "volume": {"weekly_total": 150_000 if large else max(merchants * draw.choice([5, 100, 1_000]), 1_000 // days)},
        "scenarios": [{"id": "quiet"}, {"id": "busy", "kind": "stress", "calendar": "drawn_v1"}][: draw.randint(1, 2)],
        "latent": draw.choice(
            [
                {},
                {"model": TWO_LEVEL},
                {"model": "none"},
                {"model": "log_gaussian_iid_v1"},
                {"sigma": {"baseline": 0.6}},
            ]
        ),
        "dispersion": draw.choice([{}, {}, {"law": "poisson"}, {"kappa": {"baseline": 4.0}}]),
        "virtual": draw.choice([{}, {"only": 0.04, "hybrid": 0.12}]),
    }


def _public(number: int, draw: random.Random) -> dict[str, Any]:
    """A world by public figures, some of them across Christmas, the others across holidays of spring."""
    merchants = draw.choice([30, 100, 400])
    return {
        "name": f"lawful_{number}",
        "horizon": {"start": draw.choice(["2026-03-09", "2026-11-30"]), "days": draw.choice([7, 28, 70])},
        "seeds": [draw.randrange(2**64)],
        "places": {"law": "public_v1", "countries": draw.choice(["all", ["US", "GB", "DE", "FR"], ["JP", "BR"]])},
        "merchants": {"count": merchants, "shapes": "public_v1"},
        "volume": {"weekly_total": merchants * draw.choice([50, 300])},
        "scenarios": [{"id": "quiet", "calendar": "public_v1"}],
        "virtual": {"law": "public_v1"},
        "placement": {"law": "linear_v1"},
        "latent": {"model": TWO_LEVEL, "sigma": {"baseline": 0.085}, "length_hours": {"baseline": 15}},
    }


def policies(number: int, kind: str) -> Changes:
    """What is chosen in the policies of that world."""
    if kind == "public":
        return {}
    draw = random.Random(f"policies {kind} {number}")
    chosen: dict[str, Any] = {}
    if draw.random() < 0.3:
        chosen["hybrid_policy.p_virtual_hybrid"] = draw.choice([0.1, 0.5, 0.7])
    if draw.random() < 0.3:
        chosen["virtual_router.edge_temper.enabled"] = True
        chosen["virtual_router.edge_temper.top_k"] = draw.choice([1, 3])
        chosen["virtual_router.edge_temper.redirect_p"] = draw.choice([0.2, 0.9])
    if draw.random() < 0.3:
        chosen["physical_router.tz_group_law"] = "group_weights_v1"
    if draw.random() < 0.3:
        chosen["virtual_router.primary_clock"] = "settlement"
    if draw.random() < 0.2:
        chosen["physical_router.on_missing_site_table"] = "merchant_sites"
    placed = {_PLACEMENT: {"placement_kind": "linear_v1"}} if draw.random() < 0.3 else {}
    return {**({_ROUTING: chosen} if chosen else {}), **placed}


def tried(number: int, kind: str) -> dict[str, Any]:
    """Make a world, realise it, judge it, and remove it. ``refused``: why there is no such world, or a state stopped."""
    started = time.monotonic()
    record: dict[str, Any] = {"number": number, "kind": kind, "code": sources_digest()}
    with tempfile.TemporaryDirectory(prefix="lawful_") as folder:
        runs_root = Path(folder)
        try:
            run_id = World.from_mapping(specification(number, kind)).make(runs_root)
            change_policies(runs_root / run_id, policies(number, kind))
            realise(runs_root, last="S4", backend="cpu", options=Options(tuning=Tuning(threads=1)))
        except Seg5bError as refused:
            return record | {"status": "refused", "refused": f"{refused.code}: {refused.what}"}
        gates = _gates(runs_root)
        found = record | {"gates": gates} | _judged(runs_root) | {"seconds": round(time.monotonic() - started, 1)}
    broken = {gate: text for gate, (verdict, text) in gates.items() if kind == "public" and verdict == "FAIL"}
    return found | {"status": "FAIL", "failed": found["failed"] | broken} if broken else found


def _gates(runs_root: Path) -> dict[str, tuple[str, str]]:
    """Verdict and reason of each gate by public figures."""
    run = open_run(runs_root)
    wanted = {f"realism.{gate_id.lower()}" for gate_id in PUBLIC}
    with open_run_tables(run.root, run.contracts, label="lawful", threads=1) as subject:
        results = run_checks(subject, [probe for probe in PROBES if probe.check_id in wanted], lambda *_: None)
    return {
        gate.gate_id: (gate.verdict.value, gate.reason)
        for gate in judge_public({each.check_id: each for each in results})
    }


def _judged(runs_root: Path) -> dict[str, Any]:
    run = open_run(runs_root)
    outcome = validate(run.root, run.contracts, open_gate(run.root, run.contracts, state="S5"), threads=1)
    found = {result.check_id: _least(result.facts.values()) for result in outcome.checks}
    failed = {
        result.check_id: result.reason or json.dumps(list(result.keys[:1]), default=str)
        for result in outcome.checks
        if result.status is Status.FAIL
    }
    warned = [result.check_id for result in outcome.checks if result.status is Status.WARN]
    p_least = {check: values for check, values in found.items() if values}
    return {"status": outcome.status, "failed": failed, "warned": warned, "p_least": p_least}


def _least(facts: Iterable[Mapping[str, Any]]) -> list[float]:
    """The p value of each scenario that has one."""
    return [float(each["p_least"]) for each in facts if each.get("p_least") is not None]


def told(records: Sequence[Mapping[str, Any]]) -> str:
    """Failures, and how the least p values of each check are spread."""
    lines = [
        f"FAIL {record['kind']} {record['number']}: {check}: {reason}"
        for record in records
        for check, reason in record.get("failed", {}).items()
    ]
    lines += [
        f"refused {record['kind']} {record['number']}: {record['refused']}"
        for record in records
        if record["status"] == "refused"
    ]
    statuses = [record["status"] for record in records]
    lines.append(", ".join(f"{statuses.count(status)} {status}" for status in ("PASS", "FAIL", "refused")))
    for gate in PUBLIC:
        verdicts = [record["gates"][gate][0] for record in records if record["kind"] == "public" and "gates" in record]
        lines.append(
            f"{gate} of public worlds: "
            + ", ".join(f"{verdicts.count(v.value)} {v.value}" for v in Verdict if v.value in verdicts)
        )
    by_check: dict[str, list[float]] = {}
    for record in records:
        for check, values in record.get("p_least", {}).items():
            by_check.setdefault(check, []).extend(values)
    if by_check:
        lines.append(
            f"{'least p of a scenario':34}{'values':>8}{'least':>10}{'5 %':>10}{'median':>10}{'below .001':>12}"
        )
    for check, values in sorted(by_check.items()):
        ordered = sorted(values)
        shown = (ordered[0], ordered[len(ordered) // 20], ordered[len(ordered) // 2])
        low = sum(value < 1e-3 for value in values)
        lines.append(f"{check:34}{len(values):8}" + "".join(f"{value:10.2g}" for value in shown) + f"{low:12}")
    return "\n".join(lines)


def main() -> int:
    """Exit status 1 where a world did not pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.lawful", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/mutation"), help="Where records are kept.")
    for kind, number in MADE.items():
        parser.add_argument(f"--{kind}", type=int, default=number, help=f"How many {kind} worlds.")
    parser.add_argument("--jobs", type=int, default=1, help="Worlds side by side.")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    file = chosen.folder / "lawful.jsonl"
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    kept = [record for record in map(json.loads, lines) if record["code"] == sources_digest()]
    wanted = [(number, kind) for kind in MADE for number in range(getattr(chosen, kind))]
    done = {(record["number"], record["kind"]): record for record in kept}
    todo = [each for each in wanted if each not in done]
    with ProcessPoolExecutor(chosen.jobs, get_context("spawn")) as pool, file.open("a", encoding="utf-8") as out:
        for count, future in enumerate(as_completed([pool.submit(tried, *each) for each in todo]), 1):
            record = future.result()
            done[record["number"], record["kind"]] = record
            out.write(json.dumps(record) + "\n")
            out.flush()
            print(f"{count} of {len(todo)}: {record['kind']} {record['number']} {record['status']}", flush=True)
    records = [done[each] for each in wanted if each in done]
    print(told(records))
    return int(any(record["status"] != "PASS" for record in records))


if __name__ == "__main__":
    sys.exit(main())

"""Two runs compared, from what they were made of to what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from seg5b.comparison.leaves import ABSENT, different_leaves
from seg5b.comparison.measures import Measures, measure_scenario
from seg5b.contracts import ContractSource, load_yaml
from seg5b.errors import Seg5bError
from seg5b.gate import Gate, open_gate, scenarios_of_run
from seg5b.options import DEFAULT_MEMORY_GB
from seg5b.page.facts.verdict import read_gateboard, read_validation
from seg5b.policy import ADDITIONS, Additions
from seg5b.query import open_database
from seg5b.runs.ledger import published_digests
from seg5b.runs.root import WORLD_SPECIFICATION, RunRoot
from seg5b.runs.scratch import reader_scratch
from seg5b.spelling import spelled_anew

MOST_SHARES: Final = 10
LEAST_SHIFT: Final = 0.0005
"""Shifts of a share below it (0.05 points) are not told."""
_SAME: Final = "the same"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs: its name, both values as text, and the change where it can be said."""

    name: str
    left: str
    right: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One subject: ``differences``, the largest first where they have a size, and what there is to say of the rest."""

    title: str
    differences: tuple[Difference, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left`` and ``right``: run ids. ``same``: nothing of what they were made from or became differs."""

    left: str
    right: str
    sections: tuple[Section, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs but ids and times."""
        return not any(section.differences for section in self.sections[1:])

    def as_dict(self) -> dict[str, Any]:
        """The same by name."""
        return {**asdict(self), "same": self.same}

    def html(self) -> str:
        """A page of it that needs no other file, no network and no script."""
        from seg5b.comparison.html import as_page

        return as_page(self)

    def _repr_html_(self) -> str:
        from seg5b.comparison.html import as_article

        return as_article(self)


def compare_runs(left: RunRoot, right: RunRoot, contracts: ContractSource) -> Comparison:
    """Identity, specification, policies, sealed inputs, totals, profiles, checks of S5, realism gates, and files.

    What a run lacks is said, and no error: a run before S4 can be compared by what it was made from. Raises as
    `measure_scenario`, and `InputError` for a scenario manifest that cannot be read.
    """
    runs = (left, right)
    gates = [_gate(run, contracts) for run in runs]
    sections = [
        _identity(runs, contracts),
        _documents("Specification of the world", *(_specification(run) for run in runs)),
        *_sealed(*gates),
        *_made(runs, contracts),
        _checks(runs, contracts),
        _gates(runs),
        _files(runs),
    ]
    return Comparison(left.identity.run_id, right.identity.run_id, tuple(sections))


def _identity(runs: tuple[RunRoot, RunRoot], contracts: ContractSource) -> Section:
    facts = [
        {
            "run": run.identity.run_id,
            "seed": run.identity.seed,
            "scenarios": ", ".join(each.scenario_id for each in scenarios_of_run(run, contracts)),
            "parameter hash": run.identity.parameter_hash[:16],
            "manifest fingerprint": run.identity.manifest_fingerprint[:16],
            "derived from": run.derived_from or ABSENT,
        }
        for run in runs
    ]
    return _documents("Identity", *facts)


def _documents(title: str, left: Mapping[str, Any] | None, right: Mapping[str, Any] | None) -> Section:
    if left is None or right is None:
        lacks = "neither run" if left is right else "the left run" if left is None else "the right run"
        return Section(title, (), f"{lacks} has {'any' if left is right else 'none'}: not compared")
    found = different_leaves(left, right)
    return Section(title, tuple(Difference(*each) for each in found), "" if found else _SAME)


def _specification(run: RunRoot) -> Mapping[str, Any] | None:
    try:
        return load_yaml(run.path / WORLD_SPECIFICATION)
    except Seg5bError:
        return None


def _gate(run: RunRoot, contracts: ContractSource) -> Gate | None:
    try:
        return open_gate(run, contracts, state="S5")
    except Seg5bError:
        return None


def _sealed(left: Gate | None, right: Gate | None) -> list[Section]:
    """Policies by value, other sealed inputs by digest."""
    if left is None or right is None:
        why = "one of the runs has no gate that holds: run S0"
        return [Section("Policies", (), why), Section("Sealed inputs", (), why)]
    ids = sorted(left.rows.keys() | right.rows.keys())
    digests = {each: tuple(_digest(gate, each) for gate in (left, right)) for each in ids}
    other = [each for each in ids if digests[each][0] != digests[each][1]]
    policies = [each for each in ids if "policy" in _roles(left, right, each)]
    values = [
        Difference(f"{each}: {key}", one, two)
        for each in policies
        if each in other
        for key, one, two in different_leaves(_policy(left, each), _policy(right, each))
    ]
    inputs = [Difference(each, digests[each][0][:16], digests[each][1][:16]) for each in other if each not in policies]
    equal = len(policies) - len([each for each in policies if each in other])
    return [
        Section("Policies", tuple(values), f"{equal} of {len(policies)} policies are the same, byte for byte"),
        Section("Sealed inputs", tuple(inputs), f"{len(ids) - len(policies) - len(inputs)} others are the same"),
    ]


def _digest(gate: Gate, artifact_id: str) -> str:
    row = gate.rows.get(artifact_id)
    return ABSENT if row is None else row.sha256_hex


def _roles(left: Gate, right: Gate, artifact_id: str) -> set[str]:
    return {gate.rows[artifact_id].role for gate in (left, right) if artifact_id in gate.rows}


def _policy(gate: Gate, artifact_id: str) -> Mapping[str, Any]:
    """A sealed policy as it is understood: under the keys of today, with what it leaves out (docs/laws#policy-additions)."""
    if artifact_id not in gate.rows:
        return {}
    return ADDITIONS.get(artifact_id, Additions()).completed(
        spelled_anew(artifact_id, load_yaml(gate.path(artifact_id)))
    )


def _made(runs: tuple[RunRoot, RunRoot], contracts: ContractSource) -> list[Section]:
    """Totals and profiles of the scenarios that both runs have."""
    measured: list[Mapping[str, Measures | None]] = []
    for run in runs:
        with reader_scratch(run, "diff") as scratch, open_database(DEFAULT_MEMORY_GB, None, scratch) as database:
            ids = [each.scenario_id for each in scenarios_of_run(run, contracts)]
            measured.append({each: measure_scenario(run, contracts, each, database) for each in ids})
    sections = []
    for scenario in [each for each in measured[0] if each in measured[1]]:
        one, two = measured[0][scenario], measured[1][scenario]
        if one is None or two is None:
            sections.append(Section(f"Arrivals, {scenario}", (), "one of the runs has none yet: run S4"))
            continue
        totals = tuple(_total(name, one.totals[name], two.totals[name]) for name in one.totals)
        changed = tuple(each for each in totals if each.left != each.right)
        sections.append(Section(f"Arrivals, {scenario}", changed, "" if changed else _SAME))
        sections += [_profile(f"{name}, {scenario}", one.shares[name], two.shares[name]) for name in one.shares]
    alone = sorted(measured[0].keys() ^ measured[1].keys())
    if alone:
        sections.append(Section("Scenarios of one run only", (), ", ".join(alone)))
    return sections


def _total(name: str, left: float, right: float) -> Difference:
    change = f"{(right / left - 1) * 100:+.2f} %" if left else ""
    return Difference(name, f"{left:,.0f}", f"{right:,.0f}", change)


def _profile(title: str, left: Mapping[str, float], right: Mapping[str, float]) -> Section:
    shifts = {value: right.get(value, 0.0) - left.get(value, 0.0) for value in left.keys() | right.keys()}
    distance = sum(map(abs, shifts.values())) / 2
    told = [value for value in shifts if abs(shifts[value]) >= LEAST_SHIFT]
    told = sorted(told, key=lambda value: (-abs(shifts[value]), value))[:MOST_SHARES]
    lines = tuple(
        Difference(
            value,
            f"{left.get(value, 0.0) * 100:.2f} %",
            f"{right.get(value, 0.0) * 100:.2f} %",
            f"{shifts[value] * 100:+.2f} points",
        )
        for value in told
    )
    return Section(title, lines, f"{distance * 100:.2f} % of the arrivals lie elsewhere")


def _checks(runs: tuple[RunRoot, RunRoot], contracts: ContractSource) -> Section:
    reports = [read_validation(run, contracts) for run in runs]
    verdicts = [None if report is None else dict(_verdicts(report.get("checks"))) for report in reports]
    return _documents("Checks of S5", *verdicts)


def _verdicts(checks: object) -> Iterable[tuple[str, str]]:
    for check in checks if isinstance(checks, list) else ():
        if isinstance(check, Mapping):
            yield str(check.get("check_id")), str(check.get("status"))


def _gates(runs: tuple[RunRoot, RunRoot]) -> Section:
    boards = [read_gateboard(run) for run in runs]
    values = [
        None if board is None else {f"{gate.gate_id} {gate.title}": gate.value for gate in board.gates}
        for board in boards
    ]
    return _documents("Realism gates", *values)


def _files(runs: tuple[RunRoot, RunRoot]) -> Section:
    """Published files by dataset, scenario and part; where they lie names the run."""
    digests = [published_digests(run) for run in runs]
    named = [None if found is None else {_part(path): digest for path, digest in found.items()} for found in digests]
    if named[0] is None or named[1] is None:
        return Section("Published files", (), "one of the runs has published none")
    pairs = {
        name: (named[0].get(name, ABSENT), named[1].get(name, ABSENT)) for name in named[0].keys() | named[1].keys()
    }
    found = tuple(
        Difference(name, one[:16], two[:16])
        for name, (one, two) in sorted(pairs.items())
        if one != two and not _log(name)
    )
    rest = "rows may be the same where bytes are not: `seg5b digest`" if found else _SAME
    return Section("Published files", found, rest)


def _part(path: str) -> str:
    kept = [
        step for step in path.split("/") if not step.startswith(("seed=", "parameter_hash=", "manifest_", "run_id="))
    ]
    return "/".join(kept)


def _log(name: str) -> bool:
    return name.startswith("logs/")

"""Sections of docs/reliability.md about kinds that have more to tell than right or wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.torture.fuzzed import FUZZED
from tests.torture.inputs import MUTATED
from tests.torture.markdown import section
from tests.torture.packages import PACKAGES
from tests.torture.tampered import MENDED
from tests.torture.tested import TESTED
from tests.torture.verdict import Verdict

_OWN_CODE = "5B.TEST.MUTATED"
"""What readers are given as the code of their state."""


def details(verdicts: Sequence[Verdict]) -> list[str]:
    """Lines of all such sections."""

    def of(kind: str) -> list[Verdict]:
        return [verdict for verdict in verdicts if verdict.case.kind == kind and verdict.facts]

    tampered = of(MENDED)
    by_s5 = sum(bool(verdict.facts["S5"]) for verdict in tampered)
    replayed = [verdict for verdict in tampered if verdict.facts["replay"] is not None]
    by_replay = f"{sum(bool(v.facts['replay']) for v in replayed)} of {len(replayed)}" if replayed else "not tried"
    return [
        *section(
            "Mutated inputs",
            ("kind", "inputs", "typed or read", "codes"),
            [*_inputs(of(MUTATED)), *_tested(of(TESTED))],
            f"Values replaced and dropped, bytes changed, columns of other types; fixed by seeds. `{_OWN_CODE}` stands for the code"
            " that the state which reads an input gives it.",
        ),
        *section(
            "Decoders fuzzed",
            ("decoder", "executions", "seconds", "findings", ""),
            _fuzzed(of(FUZZED)),
        ),
        *section(
            "Tampered with, digests mended",
            ("tampering", "by S5", "by `verify --replay all`"),
            _tampered(tampered),
            "Of a finished run one thing is changed by who knows where digests are kept: run ledger, lists of the bundle, index,"
            " flag, and for inputs the upstream bundles and the gate are mended, so that plain `verify` passes; what S0 recorded of the"
            " gate stays. S5 judges by laws"
            f" and samples, and notices {by_s5} of {len(tampered)}; making everything again notices {by_replay}.",
        ),
        *section("Releases of packages", ("which", "releases"), _packages(of(PACKAGES))),
    ]


def _inputs(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for verdict in verdicts:
        codes = sorted(verdict.facts["codes"].items(), key=lambda item: (-item[1], item[0]))
        told = ", ".join(f"{code} {count}" if code == "read" else f"`{code}` {count}" for code, count in codes)
        inputs = verdict.facts["inputs"]
        yield verdict.case.name, inputs, inputs - len(verdict.facts["wrong"]), told


def _tested(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for verdict in verdicts:
        inputs = verdict.facts["inputs"]
        yield verdict.case.name, inputs, inputs, "each the one that its test names"


def _fuzzed(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for verdict in verdicts:
        facts = verdict.facts
        how = "guided by coverage" if facts["guided"] else "mutations from a seed"
        yield verdict.case.name, f"{facts['executions']:,}", facts["seconds"], len(facts["findings"]), how


def _tampered(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for verdict in verdicts:
        replay = verdict.facts["replay"]
        yield verdict.case.name, _noticed(verdict.facts["S5"]), "" if replay is None else _noticed(replay)


def _noticed(codes: str) -> str:
    return f"`{codes}`" if codes else "no"


def _packages(verdicts: Sequence[Verdict]) -> Iterator[tuple[object, ...]]:
    for verdict in verdicts:
        if "releases" in verdict.facts:
            yield verdict.case.name, verdict.facts["releases"]

"""What S2-S4 read is still what the gate sealed, and the segments that must have passed have passed (law L2)."""

from __future__ import annotations

from seg5b.errors import NO_VERDICT, Seg5bError
from seg5b.foreign_json import TEXT, Each
from seg5b.gate.catalogue import ARTEFACTS
from seg5b.run_tables.inputs import contracted_json
from seg5b.run_tables.measures import run_measures
from seg5b.run_tables.outputs import dataset_path
from seg5b.run_tables.subject import Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding, Key

_FIELD = "inputs_ok"


def _sealed(subject: Subject) -> Finding:
    """Every sealed file has the size and digest that it had at the gate."""
    wrong: list[Key] = []
    artefacts = [
        artefact.artifact_id for artefact in ARTEFACTS if artefact.content and subject.gate.has(artefact.artifact_id)
    ]
    for artifact_id in artefacts:
        try:
            subject.gate.verify(artifact_id)
        except NO_VERDICT:
            raise
        except Seg5bError as cause:
            wrong.append({"artifact_id": artifact_id, "code": cause.code, "what": cause.what})
    files = sum(len(entries) for entries in (subject.gate.content or {}).values())
    return Finding(len(wrong), tuple(wrong[:MOST_KEYS]), files or len(artefacts))


def required_segments(subject: Subject) -> tuple[str, ...]:
    """Segments that the policy requires, given whether the run has physical arrivals."""
    measures = run_measures(subject)
    physical = measures.arrivals > measures.virtual
    return subject.policies.validation.require_upstream_pass.required(physical_arrivals=physical)


def _upstream(subject: Subject) -> Finding:
    path = dataset_path(subject.root, subject.contracts, "s0_gate_receipt_5B")
    verdicts = contracted_json(path, {"upstream_segments": Each({"status": TEXT})}, "s0_gate_receipt_5B")
    stated = {segment: fields["status"] for segment, fields in verdicts["upstream_segments"].items()}
    required = required_segments(subject)
    wrong: list[Key] = [
        {"segment": segment, "status": stated.get(segment)} for segment in required if stated.get(segment) != "PASS"
    ]
    return Finding(len(wrong), tuple(wrong), len(required), {"required": list(required)})


CHECKS = (
    Check(
        "inputs.sealed",
        "5B.S5.SEALED_CONTENT_CHANGED",
        _FIELD,
        "require_upstream_pass",
        "every sealed file is byte for byte what the gate sealed",
        Compute(_sealed),
        per_scenario=False,
    ),
    Check(
        "inputs.upstream",
        "5B.S5.UPSTREAM_HASHGATE_NOT_PASSED",
        _FIELD,
        "require_upstream_pass",
        "the segments that the policy requires passed their gates; 2B only if there are physical arrivals",
        Compute(_upstream),
        per_scenario=False,
    ),
)

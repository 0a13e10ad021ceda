"""S0, the gate: verify upstream, read the scenarios, seal the inputs, publish (law L2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seg5b.contracts import ContractSource
from seg5b.errors import GateError
from seg5b.gate.bundles import Depth
from seg5b.gate.catalogue import ARTEFACTS
from seg5b.gate.content import content_json, seal_content
from seg5b.gate.documents import RECEIPT
from seg5b.gate.inputs import find_inputs
from seg5b.gate.policies import PolicyOrigin, policy_origins
from seg5b.gate.publication import GateDraft, accept_gate, check_draft, publish_gate
from seg5b.gate.reseal import Superseded, reseal
from seg5b.gate.rows import check_unique, seal_rows
from seg5b.gate.scenarios import Scenario, scenarios_of_run
from seg5b.gate.sealed_digest import gate_digest, sealed_inputs_digest
from seg5b.gate.upstream import GateProgress, verify_upstream
from seg5b.progress import unreported
from seg5b.publish import Outcome
from seg5b.runs import RunRoot
from seg5b.timers import Timers


@dataclass(frozen=True, slots=True)
class GateReport:
    """What S0 did.

    ``outcome``: written, or unchanged when the same gate was there. ``summary`` holds the gate's fields of the run
    record (docs/laws#run-record). ``superseded`` is what a reseal set aside.
    """

    outcome: Outcome
    scenarios: tuple[Scenario, ...]
    sealed_inputs_digest: str
    summary: dict[str, Any]
    superseded: Superseded | None

    @property
    def scenario_ids(self) -> tuple[str, ...]:
        """Ids in processing order."""
        return tuple(scenario.scenario_id for scenario in self.scenarios)


def run_gate(
    root: RunRoot,
    contracts: ContractSource,
    *,
    depth: Depth = "content",
    note: Callable[[str], None] | None = None,
    warn: Callable[[str], None] | None = None,
    progress: GateProgress | None = None,
    set_aside: bool = False,
    timers: Timers | None = None,
) -> GateReport:
    """Verify and seal a run; what fails publishes nothing.

    Parameters: ``depth``: ``content`` also compares member digests and identity fields of the upstream
    indexes, ``digest`` is the reference's shallower law. ``note`` is called with one line per step, ``warn`` with what a
    user should know about good inputs. ``progress`` is filled while the gate runs, for the record of a run that fails.
    ``set_aside`` reseals: the present gate and all outputs of 5B move away, but only after everything that a new gate
    needs was found good. ``timers`` receive the seconds of each lane.

    Raises `ContractError` ``5B.S0.CATALOGUE_INCOMPLETE``; `GateError` ``5B.S0.UPSTREAM_GATE_MISSING``,
    ``UPSTREAM_GATE_MISMATCH``; `InputError` and `PolicyError` ``SEALED_INPUTS_INCOMPLETE``,
    ``SEALED_INPUTS_SCHEMA_INVALID``; and as `check_draft` and `publish_gate`.
    """
    say, done, timers = note or unreported, progress or GateProgress(), timers or Timers()
    scenarios, draft = _judge(root, contracts, depth, done, say, timers)
    _tell_policies(done.policies, say, warn or unreported)
    superseded = reseal(root, contracts) if set_aside else None
    with timers.lane("publish"):
        outcome = publish_gate(root, contracts, draft)
    say(f"gate {outcome.value}: {len(draft.rows)} inputs sealed, digest {done.gate_digest}")
    return GateReport(
        outcome=outcome,
        scenarios=scenarios,
        sealed_inputs_digest=str(done.sealed_inputs_digest),
        summary=done.summary(),
        superseded=superseded,
    )


def check_gate(root: RunRoot, contracts: ContractSource, *, depth: Depth = "content") -> None:
    """Judge upstream and policies as they are, and compare what S0 would seal with the gate that is published. Writes
    nothing. Raises as `run_gate`; `GateError` ``5B.S0.GATE_INCOMPLETE`` where a document is missing."""
    _, draft = _judge(root, contracts, depth, GateProgress(), unreported, Timers())
    accept_gate(root, contracts, draft)


def _tell_policies(origins: tuple[PolicyOrigin, ...], say: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """What policies leave out that this engine adds, and which ones nobody chose."""
    for origin in origins:
        if origin.defaults:
            say(origin.told)
    unchosen = [origin.policy_id for origin in origins if origin.source == "packaged"]
    if unchosen:
        warn(f"neither the run nor an external root has {', '.join(unchosen)}: those of the package are used")


def _judge(
    root: RunRoot,
    contracts: ContractSource,
    depth: Depth,
    done: GateProgress,
    say: Callable[[str], None],
    timers: Timers,
) -> tuple[tuple[Scenario, ...], GateDraft]:
    """The scenarios, and what would be sealed, once everything was found good."""
    contracts.check_complete()
    done.packaged_contracts = contracts.added()
    if done.packaged_contracts:
        say(f"contracts in use lack {', '.join(done.packaged_contracts)}: the packaged ones describe them")
    _check_references(contracts)
    with timers.lane("upstream"):
        verify_upstream(root, contracts, depth, done, say)
    scenarios = scenarios_of_run(root, contracts)
    done.scenario_ids = tuple(scenario.scenario_id for scenario in scenarios)
    with timers.lane("seal"):
        draft = _draft(root, contracts, done, say)
        check_draft(root, contracts, draft)
    return scenarios, draft


def _check_references(contracts: ContractSource) -> None:
    """Every artefact of the catalogue is in the dictionary and the registry, and its schema exists."""
    for artefact in ARTEFACTS:
        contracts.registry("5B").artifact(artefact.artifact_id)
        contracts.schema(contracts.dictionary("5B").entry(artefact.artifact_id).schema_ref)


def _draft(root: RunRoot, contracts: ContractSource, done: GateProgress, note: Callable[[str], None]) -> GateDraft:
    inputs = find_inputs(root, contracts, done.scenario_ids)
    rows = seal_rows(root.identity, contracts, inputs, done.upstream, done.scenario_ids)
    check_unique(rows, code="5B.S0.SEALED_INPUTS_DUPLICATE_KEY", error=GateError, where="sealed_inputs_5B")
    done.policies = policy_origins(root, inputs)
    done.rows, done.sealed_inputs_digest = rows, sealed_inputs_digest(rows)
    content = content_json(root.identity, seal_content(inputs, note))
    done.gate_digest = gate_digest(done.sealed_inputs_digest, content["entries"])
    return GateDraft(content, rows, _receipt(root, contracts, done))


def _receipt(root: RunRoot, contracts: ContractSource, done: GateProgress) -> dict[str, Any]:
    """The receipt without ``created_utc`` (docs/laws#gate-receipt)."""
    identity = root.identity
    return {
        "manifest_fingerprint": identity.manifest_fingerprint,
        "parameter_hash": identity.parameter_hash,
        "seed": identity.seed,
        "run_id": identity.run_id,
        "upstream_segments": {segment: verdict.as_json() for segment, verdict in done.upstream.items()},
        "scenario_set": list(done.scenario_ids),
        "sealed_inputs_digest": done.sealed_inputs_digest,
        "sealed_inputs_row_count": len(done.rows),
        "spec_version": contracts.registry("5B").artifact(RECEIPT).semver.removeprefix("v"),
    }

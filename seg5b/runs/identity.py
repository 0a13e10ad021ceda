"""Who a run is: the five values that name its data."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEX64 = re.compile(r"[a-f0-9]{64}")
HEX32 = re.compile(r"[a-f0-9]{32}")
UINT64_MAX = 2**64 - 1


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Identity of one run (docs/laws#run-receipt).

    ``run_id`` (32 hex digits) names the folder, logs and reports and never influences data; ``seed`` (uint64),
    ``parameter_hash`` and ``manifest_fingerprint`` (64 hex digits each) name the data.
    """

    run_id: str
    seed: int
    parameter_hash: str
    manifest_fingerprint: str

    def tokens(self, scenario_id: str | None = None) -> dict[str, str]:
        """Values of the path tokens ``{seed}``, ``{parameter_hash}``, ``{manifest_fingerprint}``, ``{run_id}``
        and, where a scenario is given, ``{scenario_id}``."""
        tokens = {
            "run_id": self.run_id,
            "seed": str(self.seed),
            "parameter_hash": self.parameter_hash,
            "manifest_fingerprint": self.manifest_fingerprint,
        }
        if scenario_id is not None:
            tokens["scenario_id"] = scenario_id
        return tokens

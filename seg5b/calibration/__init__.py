"""Calibration: derived runs, sensitivity, sweeps, certification across seeds, storage hygiene, performance."""

from seg5b.calibration.candidates import CandidateRunner
from seg5b.calibration.certify import Certification, certify
from seg5b.calibration.derive import Derived, derive_run
from seg5b.calibration.performance import score_performance
from seg5b.calibration.policies import Change, PolicyKey
from seg5b.calibration.prune import plan_prune, prune
from seg5b.calibration.sensitivity import analyse
from seg5b.calibration.sweep import Sweep, run_sweep
from seg5b.calibration.variants import Variant, grid
from seg5b.calibration.witness import Witness, witness

__all__ = [
    "CandidateRunner",
    "Certification",
    "Change",
    "Derived",
    "PolicyKey",
    "Sweep",
    "Variant",
    "Witness",
    "analyse",
    "certify",
    "derive_run",
    "grid",
    "plan_prune",
    "prune",
    "run_sweep",
    "score_performance",
    "witness",
]

"""All checks, in the order of the pipeline: an early defect is reported before what follows from it."""

from __future__ import annotations

from seg5b.validation.checks import (
    arrivals,
    blobs,
    civil,
    clocks,
    counts,
    grid,
    grouping,
    identity,
    intensity,
    latent,
    outputs,
    policies,
    realism,
    rederivation,
    rng,
    routing,
    schemas,
    sealed,
    sentinels,
    summary,
)
from seg5b.validation.records import Check

CHECKS: tuple[Check, ...] = (
    *sealed.CHECKS,
    *policies.CHECKS,
    *outputs.CHECKS,
    *schemas.CHECKS,
    *identity.CHECKS,
    *grid.CHECKS,
    *grouping.CHECKS,
    *intensity.CHECKS,
    *latent.CHECKS,
    *counts.CHECKS,
    *arrivals.CHECKS,
    *routing.CHECKS,
    *clocks.CHECKS,
    *summary.CHECKS,
    *rng.CHECKS,
    *blobs.CHECKS,
    *realism.CHECKS,
    *civil.CHECKS,
    *sentinels.CHECKS,
    *rederivation.CHECKS,
)

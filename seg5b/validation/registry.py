"""All checks, in the order of the pipeline: an early defect is reported before what follows from it."""

from __future__ import annotations

from seg5b.validation.checks import (
    anomalies,
    arrivals,
    blobs,
    civil,
    clocks,
    counts,
    files,
    grid,
    grouping,
    identity,
    intensity,
    latent,
    outputs,
    realism,
    rederivation,
    rng,
    rng_parts,
    routing,
    schemas,
    sealed,
    sentinels,
    summary,
)
from seg5b.validation.records import Check

CHECKS: tuple[Check, ...] = (
    *sealed.CHECKS,
    *outputs.CHECKS,
    *files.CHECKS,
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
    *anomalies.CHECKS,
    *rng.CHECKS,
    *rng_parts.CHECKS,
    *blobs.CHECKS,
    *realism.CHECKS,
    *civil.CHECKS,
    *sentinels.CHECKS,
    *rederivation.CHECKS,
)

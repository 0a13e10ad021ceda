"""Checks that derive factors, counts and arrivals again from the sealed inputs and demand equality (laws L10, L11)."""

from __future__ import annotations

from seg5b.run_tables.subject import Subject
from seg5b.validation.records import MOST_KEYS, Check, Compute, Finding
from seg5b.validation.rederived.cells import compare_counts, compare_intensities
from seg5b.validation.rederived.sampling import cell_sample, judge_arrivals, rows_of

_CODE = "5B.S5.REDERIVATION_MISMATCH"
_FIELD = "rng_accounting_ok"
_BLOCK = "rng_accounting_checks.rederived_rows"


def _factors(subject: Subject) -> Finding:
    """Baseline, factor and intensity in every bucket of some series, and in the cells whose counts are derived."""
    sample = cell_sample(subject, rows_of(subject))
    wrong, keys = compare_intensities(subject, sample.table, sample.cells)
    rows = sample.cells.positions.size
    series = {k for own in sample.paths.values() for k in own.tolist()}
    own = subject.policies.readings.has_levels
    facts = {
        "rederived_factors": rows,
        "rederived_paths": len(series if own else {sample.table.traits[k].group_id for k in series}),
        "strata": {name: own.size for name, own in sample.paths.items()},
    }
    return Finding(wrong, tuple(keys[:MOST_KEYS]), rows, facts)


def _counts(subject: Subject) -> Finding:
    """Counts of some cells, with their means and dispersion, from the sealed surface."""
    sample = cell_sample(subject, rows_of(subject))
    wrong, keys = compare_counts(subject, sample.table, sample.cells)
    rows = int(sample.cells.counted.sum())
    facts = {"rederived_counts": rows, "strata": {name: own.size for name, own in sample.counts.items()}}
    return Finding(wrong, tuple(keys[:MOST_KEYS]), rows, facts)


def _arrivals(subject: Subject) -> Finding:
    """Arrivals of every virtual mode, column by column, from counts that were derived themselves and the sealed inputs."""
    found = judge_arrivals(subject, rows_of(subject))
    facts = {
        "rederived_arrivals": found.arrivals,
        "rederived_buckets": found.buckets,
        "rederived_counts": found.counts,
        "strata": dict(found.strata),
        **found.modes,
    }
    return Finding(found.violations, tuple(found.wrong[:MOST_KEYS]), found.arrivals, facts)


def _off(subject: Subject) -> str:
    if not rows_of(subject):
        return "rng_accounting_checks.rederived_rows is 0"
    return "" if subject.row("SELECT count(*) FROM series")[0] else "there are no series"


CHECKS = (
    Check(
        "rederive.factors",
        _CODE,
        _FIELD,
        _BLOCK,
        "baselines, factors and intensities of a sample of groups, derived again from the sealed inputs, equal S2's",
        Compute(_factors),
        needs=("intensity", "grouping", "profile"),
        applies=_off,
    ),
    Check(
        "rederive.counts",
        _CODE,
        _FIELD,
        _BLOCK,
        "a sample of counts, derived again from the sealed inputs, equals S3's, with means, dispersion and caps",
        Compute(_counts),
        needs=("counts", "grouping", "profile"),
        applies=_off,
    ),
    Check(
        "rederive.arrivals",
        _CODE,
        _FIELD,
        _BLOCK,
        "a sample of arrivals of every virtual mode, derived again from counts that were themselves, equals S4's",
        Compute(_arrivals),
        needs=("counts", "grouping", "profile", "modes", "arrivals_all", "parts", "sites", "edges", "settlement"),
        applies=_off,
    ),
)

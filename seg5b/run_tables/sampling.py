"""Sampled mode: which rows are looked at (docs/laws#validation-sampling).

A row is kept when a linear hash of its key, modulo a prime, falls below a threshold. Multipliers are coprime to the
prime, so consecutive keys spread evenly: every merchant and every stretch of a file is sampled alike.
"""

from __future__ import annotations

from seg5b.run_tables.subject import Subject

_PRIME = 1_000_003


def arrival_filter(subject: Subject) -> str:
    """SQL condition that keeps about the policy's target of arrivals."""
    threshold = arrival_threshold(subject)
    return (
        f"(arrival_seq % {_PRIME} * 611953 + CAST(merchant_id % {_PRIME} AS BIGINT) * 402653 + bucket_index * 7919)"
        f" % {_PRIME} < {threshold}"
    )


def arrival_threshold(subject: Subject) -> int:
    """Arrivals whose hash lies below this are kept."""
    (rows,) = subject.row("SELECT count(*) FROM arrivals_all")
    return _threshold(subject.policies.validation.sampling.arrival_target(rows), rows)


def kept_rows(rows: int, threshold: int | None) -> int:
    """About how many of ``rows`` are kept below a threshold (None: all)."""
    return rows if threshold is None else rows * threshold // _PRIME


def count_filter(subject: Subject) -> str:
    """SQL condition that keeps about the policy's target of count rows."""
    return f"(CAST(position AS BIGINT) % {_PRIME} * 611953 + 65537) % {_PRIME} < {count_threshold(subject)}"


def count_threshold(subject: Subject) -> int:
    """Count rows whose hash lies below this are kept."""
    (rows,) = subject.row("SELECT count(*) FROM counts")
    return _threshold(subject.policies.validation.sampling.count_target(rows), rows)


def _threshold(target: int, rows: int) -> int:
    """Two per cent above the target: a hash keeps about as many rows as asked for, and the target is a minimum."""
    return min(_PRIME, max(1, -(-target * _PRIME * 102 // (100 * max(rows, 1)))))

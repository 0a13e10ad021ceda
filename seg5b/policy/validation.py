"""Validation policy: what S5 checks and how strictly (law L11, docs/laws#validation-checks)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.reading import PolicyFile

CODE = "5B.S5.CONTRACT_INVALID"


@dataclass(frozen=True, slots=True)
class ConditionalPass:
    """Segments that must have passed ``always``, only when there are ``physical_arrivals``, or ``never``."""

    segments: tuple[str, ...]
    required_when: str


@dataclass(frozen=True, slots=True)
class UpstreamPass:
    """Segments whose gate verdict must be PASS."""

    layer1_required: tuple[str, ...]
    layer2_required: tuple[str, ...]
    conditional: ConditionalPass

    def required(self, *, physical_arrivals: bool) -> tuple[str, ...]:
        """Segments that must have passed for a run with or without physical arrivals, ascending."""
        when = self.conditional.required_when
        applies = when == "always" or (when == "physical_arrivals" and physical_arrivals)
        segments = {*self.layer1_required, *self.layer2_required}
        return tuple(sorted(segments | set(self.conditional.segments if applies else ())))


@dataclass(frozen=True, slots=True)
class StructuralChecks:
    """Which structural checks run, and the largest admissible intensity and count of a bucket."""

    schemas: bool
    identity_columns: bool
    primary_keys_unique: bool
    sorted_output: bool
    grid_contiguous: bool
    grouping_complete: bool
    intensity_complete: bool
    counts_match_arrivals: bool
    event_time_in_bucket: bool
    arrival_seq_gapless: bool
    summary_matches: bool
    routing_keys_present: bool
    routing_ids_known: bool
    max_lambda_realised: float
    max_count_per_bucket: int


@dataclass(frozen=True, slots=True)
class RngAccountingChecks:
    """Which evidence checks run; ``rederived_rows`` arrivals, counts and factors (of each) are recomputed."""

    audit_present: bool
    trace_complete: bool
    draws_match_outputs: bool
    blocks_match_draws: bool
    no_counter_wrap: bool
    rederived_rows: int


@dataclass(frozen=True, slots=True)
class RealismChecks:
    """Limits on what a realistic history looks like; shares in [0, 1]."""

    enabled: bool
    mean_factor_abs_tol: float
    factor_bounds: tuple[float, float]
    min_nonzero_bucket_fraction: float
    p99_p50_ratio_min: float
    min_distinct_offsets_per_1000: int
    ip_country_max_abs_dev: float


@dataclass(frozen=True, slots=True)
class CivilTimeGates:
    """Limits on local clocks: rates in [0, 1], MAE in percentage points, support in rows, windows in hours each side
    of a transition."""

    clock_tolerance_seconds: float
    max_civil_mismatch_rate: float
    max_one_hour_shift_rate: float
    dst_window_hours: int
    dst_window_hour_bin_mae_pp_max: float
    dst_window_min_support: int
    dst_window_min_exposed_windows: int
    dst_window_min_total_support: int


@dataclass(frozen=True, slots=True)
class SentinelLimits:
    """Limits of the calibration sentinels at one grade."""

    top10_tz_share_max: float
    virtual_share_bounds: tuple[float, float]
    weekend_share_delta_pp_max: float
    residual_std_bounds: tuple[float, float]


@dataclass(frozen=True, slots=True)
class CalibrationSentinels:
    """``evaluation_mode`` ``warn_only``, ``enforce_b`` or ``enforce_bplus``, and the limits of both grades."""

    evaluation_mode: str
    b: SentinelLimits
    bplus: SentinelLimits

    @property
    def target(self) -> str:
        """Grade that is evaluated: ``bplus`` in ``enforce_bplus``, else ``b``."""
        return "bplus" if self.evaluation_mode == "enforce_bplus" else "b"

    @property
    def limits(self) -> SentinelLimits:
        """Limits of the evaluated grade."""
        return self.bplus if self.target == "bplus" else self.b

    @property
    def severity_on_fail(self) -> str:
        """``WARN`` in ``warn_only``, else ``ERROR``."""
        return "WARN" if self.evaluation_mode == "warn_only" else "ERROR"


@dataclass(frozen=True, slots=True)
class Sampling:
    """``full_scan`` or ``sampled``, and the laws of the sample sizes (rows; fractions in [0, 1])."""

    mode: str
    min_sample_rows: int
    max_sample_rows: int
    arrival_fraction: float
    count_fraction: float

    def arrival_target(self, arrivals: int) -> int:
        """Arrivals to sample out of ``arrivals``."""
        return self._target(self.arrival_fraction, arrivals)

    def count_target(self, rows: int) -> int:
        """Count rows to sample out of ``rows``."""
        return self._target(self.count_fraction, rows)

    def _target(self, fraction: float, rows: int) -> int:
        return min(self.max_sample_rows, max(self.min_sample_rows, int(fraction * rows)))


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """``fail_closed`` or ``report_only``, and how many warnings a passing run may have."""

    mode: str
    max_warnings: int


@dataclass(frozen=True, slots=True)
class ValidationPolicy:
    """All blocks of ``validation_policy_5B``."""

    require_upstream_pass: UpstreamPass
    structural_checks: StructuralChecks
    rng_accounting_checks: RngAccountingChecks
    realism_checks: RealismChecks
    civil_time_gates: CivilTimeGates
    calibration_sentinels: CalibrationSentinels
    sampling: Sampling
    failure_policy: FailurePolicy

    @classmethod
    def load(cls, path: Path, contracts: ContractSource) -> ValidationPolicy:
        """Read ``validation_policy_5B``. Raises `PolicyError` ``5B.S5.CONTRACT_INVALID``."""
        file = PolicyFile.read(path, contracts, "validation_policy_5B", code=CODE)
        sampling = file.block("sampling", Sampling)
        if sampling.min_sample_rows > sampling.max_sample_rows:
            raise file.fault(
                "sampling.min_sample_rows",
                f"is {sampling.min_sample_rows}, above max_sample_rows {sampling.max_sample_rows}",
                "order the two",
            )
        return cls(
            require_upstream_pass=_upstream(file),
            structural_checks=file.block("structural_checks", StructuralChecks),
            rng_accounting_checks=file.block("rng_accounting_checks", RngAccountingChecks),
            realism_checks=file.block("realism_checks", RealismChecks),
            civil_time_gates=file.block("civil_time_gates", CivilTimeGates),
            calibration_sentinels=_sentinels(file),
            sampling=sampling,
            failure_policy=file.block("failure_policy", FailurePolicy),
        )


def _upstream(file: PolicyFile) -> UpstreamPass:
    key = "require_upstream_pass"
    return UpstreamPass(
        layer1_required=file.names(f"{key}.layer1_required"),
        layer2_required=file.names(f"{key}.layer2_required"),
        conditional=file.block(f"{key}.layer1_conditional", ConditionalPass),
    )


def _sentinels(file: PolicyFile) -> CalibrationSentinels:
    key = "calibration_sentinels"
    return CalibrationSentinels(
        evaluation_mode=file.text(f"{key}.evaluation_mode"),
        b=file.block(f"{key}.b", SentinelLimits),
        bplus=file.block(f"{key}.bplus", SentinelLimits),
    )

"""Validation policy: what S5 checks and how strictly (law L11, docs/laws#validation-checks)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seg5b.contracts import ContractSource
from seg5b.policy.additions import Additions
from seg5b.policy.reading import PolicyFile

CODE = "5B.S5.CONTRACT_INVALID"
_STRUCTURE = (
    "schemas",
    "identity_columns",
    "primary_keys_unique",
    "sorted_output",
    "grid_contiguous",
    "grouping_complete",
    "intensity_complete",
    "counts_match_arrivals",
    "arrival_seq_gapless",
    "summary_matches",
    "routing_ids_known",
)
ADDITIONS = Additions(
    keys={
        "require_upstream_pass.optional_required_when": "physical_arrivals",
        **{f"structural_checks.{name}": True for name in _STRUCTURE},
        "rng_accounting_checks.audit_present": True,
        "rng_accounting_checks.draws_match_outputs": True,
        "rng_accounting_checks.blocks_match_draws": True,
        "rng_accounting_checks.rederived_rows": 64,
        "realism_checks.enabled": True,
        "civil_time_gates.clock_tolerance_seconds": 1.0,
        "civil_time_gates.dst_window_hours": 24,
        "sampling.mode": "full_scan",
        "sampling.max_sample_rows": 200000,
        "sampling.arrival_fraction": 0.005,
        "sampling.count_fraction": 0.02,
    },
    values={"failure_policy.mode": {"report_only": "fail_closed"}},
)
"""What this policy may state beyond the reference engine's (docs/laws#policy-additions)."""


@dataclass(frozen=True, slots=True)
class UpstreamPass:
    """Segments whose gate verdict must be PASS: those of ``optional`` ``always``, only when there are ``physical_arrivals``, or
    ``never``; 2B of them only ``if_2b``."""

    layer1_required: tuple[str, ...]
    layer2_required: tuple[str, ...]
    optional: tuple[str, ...]
    optional_required_when: str
    if_2b: bool

    def required(self, *, physical_arrivals: bool) -> tuple[str, ...]:
        """Segments that must have passed for a run with or without physical arrivals, ascending."""
        when = self.optional_required_when
        applies = when == "always" or (when == "physical_arrivals" and physical_arrivals)
        also = {segment for segment in self.optional if applies and (self.if_2b or segment != "2B")}
        return tuple(sorted({*self.layer1_required, *self.layer2_required, *also}))


@dataclass(frozen=True, slots=True)
class TimeGridChecks:
    """Switches of S1's grid, and most buckets of a scenario."""

    require_bucket_index_contiguous: bool
    require_half_open_intervals: bool
    require_duration_seconds_matches_policy: bool
    max_buckets_per_scenario: int


@dataclass(frozen=True, slots=True)
class IntensityChecks:
    """Switches of S2's intensities, and the largest of a series and bucket (arrivals)."""

    require_nonnegative_lambda: bool
    require_finite_lambda: bool
    require_lambda_zero_implies_count_zero: bool
    max_lambda_realised: float


@dataclass(frozen=True, slots=True)
class CountChecks:
    """Switches of S3's counts, and the largest of a series and bucket (arrivals)."""

    require_integer_counts: bool
    require_counts_nonnegative: bool
    max_count_per_bucket: int
    require_no_rng_event_when_lambda_zero: bool


@dataclass(frozen=True, slots=True)
class ArrivalChecks:
    """Switches of S4's arrivals."""

    require_event_time_in_bucket: bool
    require_time_half_open: bool
    require_sorted_within_bucket: bool
    require_exactly_N_events_per_bucket: bool  # noqa: N815  (as the policy spells it)
    require_routing_keys_present: bool


@dataclass(frozen=True, slots=True)
class StructuralChecks:
    """Which structural checks run, by state, and switches of this engine's own."""

    s1_time_grid: TimeGridChecks
    s2_realised_intensity: IntensityChecks
    s3_bucket_counts: CountChecks
    s4_arrival_events: ArrivalChecks
    schemas: bool
    identity_columns: bool
    primary_keys_unique: bool
    sorted_output: bool
    grid_contiguous: bool
    grouping_complete: bool
    intensity_complete: bool
    counts_match_arrivals: bool
    arrival_seq_gapless: bool
    summary_matches: bool
    routing_ids_known: bool


@dataclass(frozen=True, slots=True)
class StreamChecks:
    """Switches of counters."""

    require_monotonic_counters: bool
    require_next_before_equals_prev_after: bool
    forbid_counter_overlap: bool
    abort_on_wrap: bool


@dataclass(frozen=True, slots=True)
class LatentBudget:
    """Whether events of latent paths are counted."""

    require_one_event_per_group_when_enabled: bool


@dataclass(frozen=True, slots=True)
class CountBudget:
    """Whether events of counts are counted."""

    require_no_event_when_deterministic_zero: bool


@dataclass(frozen=True, slots=True)
class Budgets:
    """Switches of what S2 and S3 may draw."""

    s2_latent_vector: LatentBudget
    s3_bucket_count: CountBudget


@dataclass(frozen=True, slots=True)
class TraceChecks:
    """Switches of the trace."""

    require_trace_row_per_rng_event: bool
    require_append_after_each_event: bool


@dataclass(frozen=True, slots=True)
class RngAccountingChecks:
    """Which evidence checks run; ``rederived_rows`` arrivals, counts and factors (of each) are recomputed."""

    streams: StreamChecks
    budgets: Budgets
    trace: TraceChecks
    audit_present: bool
    draws_match_outputs: bool
    blocks_match_draws: bool
    rederived_rows: int


@dataclass(frozen=True, slots=True)
class FactorRealism:
    """Mean of the latent factor (distance from one) and its bounds, each with a switch."""

    require_mean_factor_near_one: bool
    mean_factor_abs_tol: float
    require_factor_bounds_respected: bool
    min_factor: float
    max_factor: float


@dataclass(frozen=True, slots=True)
class CountRealism:
    """Least share of buckets with arrivals, in [0, 1], and least ratio of the 99th to the 50th percentile, each with a
    switch."""

    require_nontrivial_nonzero_fraction: bool
    min_nonzero_bucket_fraction: float
    require_heavy_tail: bool
    p99_p50_ratio_min: float


@dataclass(frozen=True, slots=True)
class TimeRealism:
    """Least number of different offsets among 1,000 arrivals, with a switch."""

    require_not_all_at_bucket_start: bool
    min_distinct_offsets_per_1000_events: int


@dataclass(frozen=True, slots=True)
class RoutingRealism:
    """Switches of routing, and the largest gap of a country's share, in [0, 1]."""

    require_2B_pass_if_physical_present: bool  # noqa: N815  (as the policy spells it)
    require_physical_and_virtual_coverage_when_present: bool
    require_no_missing_alias_rows: bool
    require_country_mix_close_if_virtual: bool
    ip_country_max_abs_dev: float


@dataclass(frozen=True, slots=True)
class RealismChecks:
    """Limits on what a realistic history looks like, if they are ``enabled`` at all."""

    lgcp_realism: FactorRealism
    count_realism: CountRealism
    time_realism: TimeRealism
    routing_realism: RoutingRealism
    enabled: bool

    @property
    def factor_bounds(self) -> tuple[float, float]:
        """Lowest and highest latent factor."""
        return self.lgcp_realism.min_factor, self.lgcp_realism.max_factor


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
    """``full_scan`` or ``sampled``, and the laws of the sample sizes (rows; fractions in [0, 1]). ``min_sample_rows``, which
    stands with the sentinels, is also what these need to be judged."""

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
        file = PolicyFile.read(path, contracts, "validation_policy_5B", code=CODE, additions=ADDITIONS)
        realism = file.block("realism_checks", RealismChecks)
        file.ends("realism_checks.lgcp_realism.min_factor", "realism_checks.lgcp_realism.max_factor")
        return cls(
            require_upstream_pass=_upstream(file, realism.routing_realism),
            structural_checks=file.block("structural_checks", StructuralChecks),
            rng_accounting_checks=file.block("rng_accounting_checks", RngAccountingChecks),
            realism_checks=realism,
            civil_time_gates=file.block("civil_time_gates", CivilTimeGates),
            calibration_sentinels=_sentinels(file),
            sampling=_sampling(file),
            failure_policy=file.block("failure_policy", FailurePolicy),
        )


def _upstream(file: PolicyFile, realism: RoutingRealism) -> UpstreamPass:
    key = "require_upstream_pass"
    return UpstreamPass(
        layer1_required=file.names(f"{key}.layer1_required"),
        layer2_required=file.names(f"{key}.layer2_required"),
        optional=file.names(f"{key}.optional"),
        optional_required_when=file.text(f"{key}.optional_required_when"),
        if_2b=realism.require_2B_pass_if_physical_present,
    )


def _sampling(file: PolicyFile) -> Sampling:
    least, most = file.integer("calibration_sentinels.min_sample_rows"), file.integer("sampling.max_sample_rows")
    if least > most:
        raise file.fault(
            "calibration_sentinels.min_sample_rows",
            f"is {least}, above sampling.max_sample_rows {most}",
            "order the two",
        )
    return Sampling(
        file.text("sampling.mode"),
        least,
        most,
        file.number("sampling.arrival_fraction"),
        file.number("sampling.count_fraction"),
    )


def _sentinels(file: PolicyFile) -> CalibrationSentinels:
    key = "calibration_sentinels"
    return CalibrationSentinels(
        evaluation_mode=file.text(f"{key}.evaluation_mode"),
        b=_grade(file, "b"),
        bplus=_grade(file, "bplus"),
    )


def _grade(file: PolicyFile, grade: str) -> SentinelLimits:
    key = "calibration_sentinels"
    virtual, scatter = (
        file.ends(f"{key}.{name}_min_{grade}", f"{key}.{name}_max_{grade}")
        for name in ("virtual_share", "residual_std")
    )
    return SentinelLimits(
        file.number(f"{key}.top10_tz_share_max_{grade}"),
        virtual,
        file.number(f"{key}.weekend_share_delta_pp_max_{grade}"),
        scatter,
    )

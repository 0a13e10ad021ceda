"""The field that groups of series share: its hyper-parameters, its draws, and the diagnostic dataset. Law L5."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from seg5b_kernels import registry
from seg5b_kernels.derivation import Streams
from seg5b_kernels.latent import FieldInputs, Fields

from seg5b.axes import Group
from seg5b.backends.base import Array, Backend
from seg5b.context import ScenarioWork
from seg5b.errors import PolicyError
from seg5b.evidence import refuse_wrap
from seg5b.evidence.trace import counter128
from seg5b.parallel import in_order
from seg5b.policy import LgcpPolicy, RngPolicy
from seg5b.policy.rng import LATENT
from seg5b.rng.messages import derive_stream, group_domain_key, message_head
from seg5b.tables import Coded, RowGroupWriter
from seg5b.tables.columns import Column, text_values
from seg5b.tables.formats import LATENT_FIELD

NO_LATENT = "none"
IID = "log_gaussian_iid_v1"


@dataclass(frozen=True, slots=True)
class GroupField:
    """A field of one path for each group (`seg5b.states.s2_latent.field.Field`). ``group`` int32 [n]; ``factor`` [G, H] on the
    backend; ``names`` of the groups."""

    group: np.ndarray
    factor: Array
    names: tuple[str, ...]
    latent: np.ndarray | None
    clipped_low: int = 0
    clipped_high: int = 0
    counters: tuple[int, ...] = ()
    label: str = "group_id"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def followed(self, series: np.ndarray) -> np.ndarray:
        """Which groups some series belong to, bool [G]; ``series`` bool [n]."""
        return np.isin(np.arange(len(self.names)), self.group[series])

    def of(self, series: slice) -> tuple[np.ndarray, Array]:
        """The row of each of some series, and all factors."""
        return self.group[series], self.factor


def hyper_parameters(
    band: str, groups: tuple[Group, ...], policy: LgcpPolicy, *, code: str
) -> tuple[np.ndarray, np.ndarray]:
    """Sigma and correlation length in buckets, float64 [G] each; the length is 0 for the iid model.

    Raises `PolicyError` ``code`` where a floor of the policy is missed.
    """
    sigma = np.array([policy.sigma(band, g.demand_class, g.channel, g.virtual_band) for g in groups])
    length = np.array([policy.length(band, g.demand_class) for g in groups])
    problem = None
    if band == "baseline":
        distinct = np.unique(np.round(sigma, 6)).size
        low, high = policy.baseline_median_length_bounds
        if distinct < policy.min_distinct_sigma:
            problem = f"{distinct} distinct sigma, fewer than {policy.min_distinct_sigma}"
        elif not low <= median(length) <= high:
            problem = f"median length {median(length):g} outside {low:g}..{high:g}"
    else:
        share = float((sigma >= policy.stress_sigma_threshold).mean())
        if share < policy.min_stress_sigma_fraction:
            problem = f"only {share:.3f} of stress groups have sigma >= {policy.stress_sigma_threshold:g}"
    if problem:
        raise PolicyError(code, problem, where=f"{band} scenario", remedy="revise arrival_lgcp_config_5B")
    return sigma, np.zeros_like(length) if policy.latent_model_id == IID else length


def summary_of(sigma: np.ndarray, length: np.ndarray) -> dict[str, float]:
    """Smallest, median and largest of each, float64 [n]; lengths in buckets."""
    named = (("sigma", sigma), ("length_buckets", length))
    return {
        f"{name}_{which}": float(of(values))
        for name, values in named
        for which, of in (("min", np.min), ("median", np.median), ("max", np.max))
    }


def draw_group_field(work: ScenarioWork, policy: LgcpPolicy, rng: RngPolicy) -> GroupField:
    """The factor of every group and bucket; all ones and no draws under model ``none``. Draws: 2 H per group."""
    backend, groups, buckets = work.backend, work.axis.groups, work.grid.bucket_count
    shape, names = (len(groups), buckets), tuple(group.group_id for group in groups)
    if policy.latent_model_id == NO_LATENT:
        latent = np.zeros(shape) if policy.emit_latent_field else None
        return GroupField(work.axis.group, backend.upload(np.ones(shape)), names, latent)
    sigma, length = hyper_parameters(work.grid.band, groups, policy, code=work.code("LGCP_CONFIG_INVALID"))
    streams, counters = path_streams(work, rng, map(group_domain_key, names))
    outputs = draw_paths(work, streams, sigma, length, (policy.min_factor, policy.max_factor))
    low, high = backend.downloads([outputs.clipped_low, outputs.clipped_high])
    return GroupField(
        work.axis.group,
        outputs.factor,
        names,
        backend.download(outputs.latent) if policy.emit_latent_field else None,
        int(low.sum()),
        int(high.sum()),
        counters,
        parameters=summary_of(sigma, length),
    )


def path_streams(work: ScenarioWork, rng: RngPolicy, domain_keys: Iterable[str]) -> tuple[Streams, tuple[int, ...]]:
    """Streams of latent paths by their domain keys, on the host, and their 128-bit base counters.

    Raises `EvidenceError` as `refuse_wrap`.
    """
    family = rng.families[LATENT]
    head = message_head(rng.domain_sep, family.family_id, work.state.root.identity, work.scenario_id)
    streams = [derive_stream(head, domain_key) for domain_key in domain_keys]
    counters = tuple(counter128(stream.counter_hi, stream.counter_lo) for stream in streams)
    refuse_wrap(work.state, family, counters, work.grid.bucket_count)
    columns = (np.array([getattr(stream, name) for stream in streams], np.uint64) for name in Streams._fields)
    return Streams(*columns), counters


def draw_paths(
    work: ScenarioWork, streams: Streams, sigma: np.ndarray, length: np.ndarray, clip: tuple[float, float]
) -> Fields:
    """P paths over all buckets, on the backend. Draws: 2 H per path."""
    backend, paths, buckets = work.backend, sigma.size, work.grid.bucket_count
    uploaded = Streams(*map(backend.upload, streams))
    inputs = FieldInputs(uploaded, backend.upload(sigma), backend.upload(length), *clip)
    outputs = Fields(
        backend.empty((paths, buckets), np.float64),
        backend.empty((paths, buckets), np.float64),
        backend.empty(paths, np.int64),
        backend.empty(paths, np.int64),
    )
    threads = work.state.tuning.threads if backend.runs_in_thread else 1
    _draw_side_by_side(backend, inputs, outputs, paths, threads)
    return outputs


def _draw_side_by_side(backend: Backend, inputs: FieldInputs, outputs: Fields, groups: int, threads: int) -> None:
    """Draw the paths of all groups, some by each thread: a path depends on nothing but its own group."""

    def draw(some: slice) -> None:
        stream = Streams(*(column[some] for column in inputs.stream))
        own = inputs._replace(stream=stream, sigma=inputs.sigma[some], length_buckets=inputs.length_buckets[some])
        backend.launch(registry.LATENT_FIELD, some.stop - some.start, own, Fields(*(out[some] for out in outputs)))

    step = -(-groups // threads)
    shares = [slice(first, min(first + step, groups)) for first in range(0, groups, step)]
    for _ in in_order(shares, draw, threads, label="field"):
        pass


def write_latent(work: ScenarioWork, latent: np.ndarray) -> None:
    """The diagnostic dataset: each group's field with its own mean and standard deviation over the horizon."""
    buckets = latent.shape[1]
    names = text_values([group.group_id for group in work.axis.groups])
    with RowGroupWriter(work.target("s2_latent_field_5B"), LATENT_FIELD, work.metadata()) as writer:
        for group, path in enumerate(latent):
            columns: dict[str, Column] = {
                **work.identity_columns(),
                "group_id": Coded(np.full(buckets, group, np.int32), names),
                "bucket_index": np.arange(buckets, dtype=np.int64),
                "latent_value": path,
                "latent_mean": np.full(buckets, _ordered_mean(path)),
                "latent_std": np.full(buckets, np.sqrt(_ordered_mean((path - _ordered_mean(path)) ** 2))),
            }
            writer.append(columns, buckets)


def _ordered_mean(values: np.ndarray) -> float:
    """Mean by a left-to-right sum; numpy's own order of summation depends on the CPU's vector width."""
    return float(np.cumsum(values)[-1]) / values.size

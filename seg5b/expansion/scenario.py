"""One scenario, ready to be expanded: totals, lookups, streams and merchant blocks, all from files and policies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from seg5b_kernels.arrivals import LINEAR, PHYSICAL, UNIFORM, VIRTUAL

from seg5b.backends.base import Array
from seg5b.context import ScenarioWork
from seg5b.errors import DomainError
from seg5b.expansion.anomalies import Anomaly
from seg5b.expansion.blocks import Load, MerchantBlocks
from seg5b.expansion.policies import ArrivalPolicies
from seg5b.expansion.realise import Family, Realiser, RouteTables
from seg5b.expansion.tables import RouteTableBuilder
from seg5b.expansion.totals import COUNTS, ArrivalTotals, read_totals
from seg5b.expansion.world import RoutingWorld
from seg5b.frames.base import array
from seg5b.policy.placement import LINEAR_LAW
from seg5b.policy.rng import EDGE_PICK, EDGE_TEMPER, SITE_PICK, TIME_JITTER
from seg5b.rng.device import StreamScope, stream_source
from seg5b.tables.reading import Kind


@dataclass(frozen=True, slots=True)
class Expansion:
    """What the parts of a scenario are made from. ``anomalies``: what routing found unusual."""

    work: ScenarioWork
    policies: ArrivalPolicies
    world: RoutingWorld
    realiser: Realiser
    anomalies: list[Anomaly]

    @classmethod
    def open(cls, work: ScenarioWork, policies: ArrivalPolicies, world: RoutingWorld) -> Expansion:
        """Read the counts once and resolve everything that routing looks up.

        Raises `DomainError` ``TIME_POLICY_INVALID`` for buckets longer than the policy allows, and as `read_totals` and
        `RouteTableBuilder.build`.
        """
        _refuse_long_buckets(work, policies)
        totals = read_totals(work, policies.placement)
        builder = RouteTableBuilder(work, world, totals, policies.routing)
        tables = builder.build(work.backend)
        linear = policies.placement.law == LINEAR_LAW
        load = _loader(work, with_intensity=linear or policies.routing.carry_lambda)
        # One block for each part under way, and one that the next part may need already.
        keep = work.state.tuning.parts_at_once + 1
        blocks = MerchantBlocks(work.backend, work.axis, work.grid.bucket_count, totals, load, keep=keep)
        families = _families(work, totals, tables, policies)
        realiser = Realiser(work.backend, work.grid, blocks, tables, families, LINEAR if linear else UNIFORM)
        return cls(work, policies, world, realiser, builder.anomalies)

    @property
    def totals(self) -> ArrivalTotals:
        """Arrivals by series and day."""
        return self.realiser.blocks.totals

    @property
    def step(self) -> int:
        """Arrivals of a pass, at most."""
        return self.work.state.tuning.chunk_arrivals or self.work.backend.arrivals_per_pass


def _refuse_long_buckets(work: ScenarioWork, policies: ArrivalPolicies) -> None:
    longest_s = policies.placement.max_bucket_duration_seconds
    if work.grid.bucket_seconds > longest_s:
        raise DomainError(
            work.code("TIME_POLICY_INVALID"),
            f"buckets of {work.grid.bucket_seconds} s, the policy allows {longest_s}",
            where=work.scenario_id,
            remedy="shorten the buckets or raise max_bucket_duration_seconds",
        )


def _loader(work: ScenarioWork, *, with_intensity: bool) -> Load:
    """Reads the counts of some series, and their intensities only if the law of placement or the optional column wants
    them."""
    kinds = {"count_N": Kind.INTEGER, **({"lambda_realised": Kind.NUMBER} if with_intensity else {})}
    code, buckets = work.code("DOMAIN_ALIGN_FAILED"), work.grid.bucket_count
    files = work.files(COUNTS, code=code)

    def load(first: int, stop: int) -> tuple[Array, Array | None]:
        columns = work.state.frames.rows(files, first * buckets, stop * buckets, kinds, code=code)
        return array(columns, "count_N"), array(columns, "lambda_realised") if with_intensity else None

    return load


def _families(
    work: ScenarioWork, totals: ArrivalTotals, tables: RouteTables, policies: ArrivalPolicies
) -> dict[str, Family]:
    """The streams of each family, for the series whose arrivals draw from it."""
    active, mode = totals.active(), tables.mode
    may_be_virtual = active[mode[active] != PHYSICAL]
    drawing = {TIME_JITTER: active, SITE_PICK: active[mode[active] != VIRTUAL], EDGE_PICK: may_be_virtual}
    if policies.routing.edge_temper.enabled:
        drawing[EDGE_TEMPER] = may_be_virtual
    scope = StreamScope(policies.rng, work.state.root.identity, work.scenario_id)
    families = {}
    for family_id, series in drawing.items():
        source = stream_source(work.backend, scope, family_id, work.axis, series.tolist(), work.grid.bucket_count)
        slot = np.full(len(work.axis), -1, np.int32)
        slot[series] = np.arange(series.size)
        families[family_id] = Family(source, work.backend.upload(slot))
    return families

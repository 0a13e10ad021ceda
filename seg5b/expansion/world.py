"""What routing reads from upstream, decoded and judged before anything is drawn (law L7)."""

from __future__ import annotations

from dataclasses import dataclass

from seg5b.clocks import TzCache, covering_cache
from seg5b.context import StateWork
from seg5b.expansion.policies import ArrivalPolicies
from seg5b.inputs.edges import EdgeTables, read_catalogue, read_edge_tables, read_universe_hash
from seg5b.inputs.groups import GroupTables, read_groups
from seg5b.inputs.profile import read_virtual_modes
from seg5b.inputs.settlement import read_settlement
from seg5b.inputs.sites import SiteTables, read_sites

SETTLEMENT = "virtual_settlement_3B"


@dataclass(frozen=True, slots=True)
class RoutingWorld:
    """``modes`` by merchant; site, edge and tz-group tables; settlement zone by merchant; the zone cache; ``universe_hash``
    of the edges, 64 hex digits."""

    modes: dict[int, str]
    sites: SiteTables
    edges: EdgeTables
    groups: GroupTables
    settlement: dict[int, str]
    cache: TzCache
    universe_hash: str


def open_world(state: StateWork) -> tuple[ArrivalPolicies, RoutingWorld]:
    """The policies and everything that routing looks up, once the sealed inputs were compared with what was sealed.

    Raises as `StateWork.open_inputs`, `ArrivalPolicies.load`, `read_world`.
    """
    state.open_inputs(missing="INPUTS_MISSING", optional=(SETTLEMENT,))
    policies = ArrivalPolicies.load(state)
    return policies, read_world(state, policies)


def read_world(state: StateWork, policies: ArrivalPolicies) -> RoutingWorld:
    """Decode and check everything that routing looks up. Raises `InputError` ``INPUTS_MISSING``."""
    code, gate = state.code("INPUTS_MISSING"), state.gate
    settlement = read_settlement(gate.files(SETTLEMENT), code=code) if gate.has(SETTLEMENT) else {}
    edges = read_edge_tables(
        read_catalogue(gate.files("edge_catalogue_3B"), code=code),
        gate.path("edge_alias_index_3B"),
        gate.path("edge_alias_blob_3B"),
        policies.layout,
        policies.routing.edge_temper,
        code=code,
    )
    return RoutingWorld(
        read_virtual_modes(gate.files("virtual_classification_3B"), code=code),
        read_sites(gate.files("s1_site_weights"), gate.files("site_timezones"), code=code),
        edges,
        read_groups(gate.files("s4_group_weights"), code=code),
        settlement,
        covering_cache(
            gate.files("tz_timetable_cache"), max(scenario.end_us for scenario in gate.scenarios), code=code
        ),
        read_universe_hash(
            gate.sealed_bytes("edge_universe_hash_3B"),
            state.contracts,
            state.root.identity,
            code=code,
            where=str(gate.path("edge_universe_hash_3B")),
        ),
    )

"""The ragged expansion: from counts per bucket to arrivals in time order, any range of them on its own."""

from seg5b.expansion.plan import ExpansionPlan, plan_expansion
from seg5b.expansion.realise import Realiser, RouteTables, arrival_buffers

__all__ = ["ExpansionPlan", "Realiser", "RouteTables", "arrival_buffers", "plan_expansion"]

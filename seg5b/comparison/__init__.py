"""Two runs side by side: what they were made from, and what became of it. Reads both, writes into neither (law L18)."""

from seg5b.comparison.comparing import Comparison, Difference, Section, compare_runs

__all__ = ["Comparison", "Difference", "Section", "compare_runs"]

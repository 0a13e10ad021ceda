"""Explain any number of a run by deriving it again, in plain Python that shares no code with the kernels (law L10)."""

from seg5b.explain.why import Explanation, explain_arrival, explain_bucket

__all__ = ["Explanation", "explain_arrival", "explain_bucket"]

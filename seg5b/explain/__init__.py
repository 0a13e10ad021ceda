"""Explain any number of a run by deriving it again, in plain Python that shares no code with the kernels (law L10), and tell
it to a person."""

from seg5b.explain.seeking import Candidate, Sought
from seg5b.explain.why import Explanation, explain_arrival, explain_bucket, explain_sought, list_sought

__all__ = [
    "Candidate",
    "Explanation",
    "Sought",
    "explain_arrival",
    "explain_bucket",
    "explain_sought",
    "list_sought",
]

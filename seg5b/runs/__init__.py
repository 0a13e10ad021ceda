"""A run: its folder, its receipt, its identity, and where each dataset lies."""

from seg5b.runs.identity import RunIdentity
from seg5b.runs.root import RunRoot, latest_run_id, open_root

__all__ = ["RunIdentity", "RunRoot", "latest_run_id", "open_root"]

"""Evidence of random numbers (law L10): one audit record per run, trace totals per state, scenario, substream, part."""

from seg5b.evidence.audit import write_audit
from seg5b.evidence.trace import TraceRow, refuse_wrap, write_trace

__all__ = ["TraceRow", "refuse_wrap", "write_audit", "write_trace"]

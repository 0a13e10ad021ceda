"""Evidence of random numbers (law L10): one audit record per run, trace totals per state, scenario, substream, part."""

from seg5b.evidence.audit import publish_audit
from seg5b.evidence.trace import TraceRow, publish_trace, refuse_wrap

__all__ = ["TraceRow", "publish_audit", "publish_trace", "refuse_wrap"]

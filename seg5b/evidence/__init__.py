"""Evidence of random numbers (law L10): one audit record per run, trace totals per state, scenario, substream and part,
and event logs for those who want them."""

from seg5b.evidence.audit import audit_facts, write_audit
from seg5b.evidence.events import EventRows, write_bucket_events, write_path_events
from seg5b.evidence.trace import TraceRow, refuse_wrap, wrap_error, write_trace

__all__ = [
    "EventRows",
    "TraceRow",
    "audit_facts",
    "refuse_wrap",
    "wrap_error",
    "write_audit",
    "write_bucket_events",
    "write_path_events",
    "write_trace",
]

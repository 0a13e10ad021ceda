"""Evidence of random numbers (law L10): one audit record per run, trace totals per state, scenario, substream and part,
and event logs for those who want them."""

from seg5b.evidence.audit import audit_facts, write_audit
from seg5b.evidence.choice import EVERY_EVENT, EventChoice
from seg5b.evidence.events import EventLog, EventRows, bucket_log, path_log
from seg5b.evidence.keeping import keep_log, refuse_other_form
from seg5b.evidence.trace import TraceRow, refuse_wrap, wrap_error, write_trace

__all__ = [
    "EVERY_EVENT",
    "EventChoice",
    "EventLog",
    "EventRows",
    "TraceRow",
    "audit_facts",
    "bucket_log",
    "keep_log",
    "path_log",
    "refuse_other_form",
    "refuse_wrap",
    "wrap_error",
    "write_audit",
    "write_trace",
]

"""Arrivals leave a run as they happened: in order of time, paced, each at least once (law L18, docs/laws#stream-order)."""

from seg5b.stream.request import StreamRequest
from seg5b.stream.sinks import Sink
from seg5b.stream.streaming import Delivery, Stream

__all__ = ["Delivery", "Sink", "Stream", "StreamRequest"]

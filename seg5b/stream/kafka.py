"""Arrivals to a topic of Kafka, by confluent-kafka: one message each, acknowledged by all replicas that are in sync."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from seg5b.errors import InputError, PublishError
from seg5b.parallel import Pool
from seg5b.stream.sinks import Part
from seg5b.tables.outgoing import PREFIX

_MOST_PARTS: Final = 16
"""So many parts are under way, at most."""
_WAIT_S, _POLL_S, _CONNECT_S = 0.002, 0.1, 20.0
_SETTINGS: Final = {"enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 20}
"""No message twice by a retry of the client, in order within a partition; the partition that Java's client would choose."""
_QUIET: Final = logging.Logger("librdkafka", logging.CRITICAL + 1)
"""What the client would say on stderr of every attempt; what matters comes as an error."""


class KafkaSink:
    """Messages to ``topic`` of the cluster at ``brokers`` (``host:port``, several with commas).

    The key is the merchant's id as JSON has it, so that the arrivals of a merchant stay in their order, in one partition.
    Every message carries ``headers``, and ``offset``, its number in the order of the stream, by which whoever reads knows
    one that was sent twice. ``settings``: of librdkafka, instead of those above.

    Raises `InputError` ``5B.STREAM.NO_KAFKA`` without confluent-kafka, ``5B.STREAM.KAFKA_SETTING_WRONG``, `PublishError`
    ``5B.STREAM.KAFKA_UNREACHABLE``.
    """

    most_rows = 1 << 12

    def __init__(self, brokers: str, topic: str, *, headers: Mapping[str, str], settings: Mapping[str, str]) -> None:
        try:
            from confluent_kafka import KafkaException, Producer
        except ImportError:
            remedy = "pip install 'seg5b[kafka]'"
            raise InputError("5B.STREAM.NO_KAFKA", "confluent-kafka is not installed", remedy=remedy) from None
        self._said, self._failure = "", KafkaException
        asked = {"bootstrap.servers": brokers, **_SETTINGS, **settings, "error_cb": self._remember}
        try:
            self._producer: Any = Producer(asked, logger=_QUIET)
        except (KafkaException, ValueError, TypeError) as cause:
            what = _words(cause)
            raise InputError(
                "5B.STREAM.KAFKA_SETTING_WRONG", what, remedy="see librdkafka's CONFIGURATION.md"
            ) from cause
        self._brokers, self._topic, self.acknowledged = brokers, topic, 0
        self._headers = [(name, text.encode()) for name, text in headers.items()]
        self._pending: deque[_Pending] = deque()
        self._connect()
        self._closing = threading.Event()
        self._reports = Pool(1, "seg5b-kafka")
        self._reports.submit(self._report)

    def send(self, part: Part) -> None:
        """Give a part's messages to the client. Waits while `_MOST_PARTS` are under way. Raises `PublishError`
        ``5B.STREAM.KAFKA_REFUSED``, ``5B.STREAM.KAFKA_UNREACHABLE``."""
        pending = _Pending(len(part.merchants))
        self._pending.append(pending)
        rows = zip(part.lines.split(b"\n"), part.merchants.tolist(), strict=False)
        for place, (line, merchant) in enumerate(rows, part.offset):
            headers = [*self._headers, ("offset", b"%d" % place)]
            self._produce(line, f"{PREFIX}{merchant}", headers, pending)
        self.idle()
        while len(self._pending) >= _MOST_PARTS:
            self._wait()

    def idle(self) -> None:
        """Take the reports of deliveries that there are. Raises as `send`."""
        while self._pending and self._pending[0].delivered == self._pending[0].rows:
            self.acknowledged += self._pending.popleft().rows
        failure = next((each.failure for each in self._pending if each.failure is not None), None)
        if failure is not None:
            raise self._refused(failure)

    def finish(self) -> None:
        """Wait until everything is delivered, for as long as the client tries (``message.timeout.ms``). Raises as `send`."""
        while self._pending:
            self._wait()

    def close(self, patience_s: float) -> None:
        """Wait so long for deliveries, and give up what is left."""
        stop = time.monotonic() + patience_s
        with suppress(PublishError):
            while self._pending and time.monotonic() < stop:
                self._wait()
        self._closing.set()
        self._reports.shutdown()

    def _report(self) -> None:
        """Have the client report deliveries, in a thread that no signal interrupts: it loses what its callbacks raise."""
        while not self._closing.is_set():
            self._producer.poll(_POLL_S)
        self._producer.purge()
        self._producer.flush(_POLL_S)

    def _wait(self) -> None:
        time.sleep(_WAIT_S)
        self.idle()

    def _connect(self) -> None:
        try:
            self._producer.list_topics(self._topic, timeout=_CONNECT_S)
        except self._failure as cause:
            what = f"{_words(cause)}{f' ({self._said})' if self._said else ''}"
            remedy = "name brokers that can be reached; --kafka-config sets how (security.protocol ...)"
            raise PublishError("5B.STREAM.KAFKA_UNREACHABLE", what, where=self._brokers, remedy=remedy) from cause

    def _produce(self, line: bytes, key: str, headers: list[tuple[str, bytes]], pending: _Pending) -> None:
        while True:
            try:
                self._producer.produce(self._topic, line, key, headers=headers, on_delivery=pending.reported)
                return
            except self._failure as cause:  # a message that is too long, for example
                pending.failure = cause.args[0]
                raise self._refused(pending.failure) from cause
            except BufferError:  # as much as the client holds is under way
                self._wait()

    def _refused(self, error: Any) -> PublishError:
        what = f"{error.str()}{f' ({self._said})' if self._said else ''}"
        remedy = "go on from the offset when the topic takes messages"
        return PublishError("5B.STREAM.KAFKA_REFUSED", what, where=f"{self._brokers} {self._topic}", remedy=remedy)

    def _remember(self, error: Any) -> None:
        self._said = error.str()


class _Pending:
    """The messages of a part: how many, how many are delivered, and what became of one that cannot be."""

    def __init__(self, rows: int) -> None:
        self.rows, self.delivered = rows, 0
        self.failure: Any = None

    def reported(self, error: Any, message: Any) -> None:
        """What the client says of one message."""
        if error is None:
            self.delivered += 1
        else:
            self.failure = error


def _words(cause: BaseException) -> str:
    error = cause.args[0] if cause.args else cause
    return str(error.str() if hasattr(error, "str") else error)

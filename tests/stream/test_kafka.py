"""Arrivals in Kafka, on the cluster that the client library brings for tests: brokers of its own behind real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import seg5b.stream.kafka
from seg5b.api import Run
from seg5b.errors import InputError, PublishError
from seg5b.stream import Stream, StreamRequest
from seg5b.stream.kafka import KafkaSink
from tests.stream.conftest import SCENARIO, Arrival

client = pytest.importorskip("confluent_kafka")
ROWS = 9000
HEADERS = {"run_id": "r", "content-type": "application/json"}


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    """The cluster lives as long as the client that made it."""
    owner = client.Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 3})
    yield ",".join(f"{each.host}:{each.port}" for each in owner.list_topics(timeout=10).brokers.values())
    owner.flush(1)


def messages(brokers: str, topic: str) -> list[Any]:
    """All messages of a topic, each partition in its order."""
    settings = {"bootstrap.servers": brokers, "group.id": "reader", "enable.partition.eof": True}
    reader = client.Consumer({**settings, "enable.auto.commit": False})
    partitions = list(reader.list_topics(topic, timeout=10).topics[topic].partitions)
    reader.assign([client.TopicPartition(topic, each, 0) for each in partitions])
    found, ended = [], 0
    while ended < len(partitions):
        message = reader.poll(10)
        assert message is not None, "the topic does not end"
        if message.error() is None:
            found.append(message)
        else:
            assert message.error().code() == client.KafkaError._PARTITION_EOF
            ended += 1
    reader.close()
    return found


def deliver(run: Run, sink: KafkaSink, **wanted: Any) -> Stream:
    request = StreamRequest(scenario=SCENARIO, **{"limit": ROWS, **wanted})
    with Stream(run.root, run.contracts, request) as opened:
        opened.deliver(sink)
    return opened


def test_every_arrival_is_a_message(run: Run, arrivals: list[Arrival], brokers: str) -> None:
    deliver(run, KafkaSink(brokers, "all", headers=HEADERS, settings={}))
    found = messages(brokers, "all")
    offsets = [int(dict(message.headers())["offset"]) for message in found]
    assert sorted(offsets) == list(range(ROWS))
    for message, offset in zip(found, offsets, strict=True):
        _, merchant, number = arrivals[offset]
        assert message.key() == b"id_%d" % merchant
        assert b'"arrival_seq":%d,' % number in message.value()
        assert {"run_id": b"r", "content-type": b"application/json"}.items() <= dict(message.headers()).items()
    places: dict[bytes, set[int]] = {}
    last: dict[bytes, int] = {}
    for message, offset in zip(found, offsets, strict=True):
        places.setdefault(message.key(), set()).add(message.partition())
        assert last.get(message.key(), -1) < offset
        last[message.key()] = offset
    assert all(len(each) == 1 for each in places.values()) and len({min(each) for each in places.values()}) > 1


def test_the_offset_counts_what_was_acknowledged(run: Run, brokers: str) -> None:
    """Without brokers in time nothing is acknowledged, and nothing counts."""
    sink = KafkaSink(brokers, "lost", headers={}, settings={"message.timeout.ms": "1", "linger.ms": "0"})
    opened = Stream(run.root, run.contracts, StreamRequest(scenario=SCENARIO, limit=ROWS))
    with opened, pytest.raises(PublishError, match=r"5B\.STREAM\.KAFKA_REFUSED"):
        opened.deliver(sink)
    assert opened.now.offset == sink.acknowledged < ROWS
    there = len(messages(brokers, "lost"))
    assert opened.now.offset <= there


def test_a_message_that_is_too_long_is_an_error(run: Run, brokers: str) -> None:
    sink = KafkaSink(brokers, "long", headers={"long": "x" * 2000}, settings={"message.max.bytes": "1000"})
    with pytest.raises(PublishError, match=r"5B\.STREAM\.KAFKA_REFUSED.*too large"):
        deliver(run, sink)


def test_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seg5b.stream.kafka, "_CONNECT_S", 0.5)
    with pytest.raises(PublishError, match=r"5B\.STREAM\.KAFKA_UNREACHABLE"):
        KafkaSink("127.0.0.1:9", "x", headers={}, settings={})


@pytest.mark.parametrize("settings", [{"no.such.setting": "1"}, {"acks": "maybe"}])
def test_settings_that_are_none(settings: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"5B\.STREAM\.KAFKA_SETTING_WRONG"):
        KafkaSink("127.0.0.1:9", "x", headers={}, settings=settings)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    with pytest.raises(InputError, match=r"5B\.STREAM\.NO_KAFKA.*seg5b\[kafka\]"):
        KafkaSink("127.0.0.1:9", "x", headers={}, settings={})

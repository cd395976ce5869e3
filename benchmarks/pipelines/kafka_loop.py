"""The job as a loop over the messages of a topic: `… kafka_loop BROKER FROM TO WAY`.

The ways: ``messages`` is what one writes first; ``batches`` passes the messages on unchanged, in
batches, which is the least that the library costs.
"""

import signal
import sys

import orjson
from confluent_kafka import Consumer, Producer

from benchmarks.compiled.routes import weblog

_COMMIT_AFTER = 10_000  # Messages.
_BATCH = 4000  # Messages.


def main() -> None:
    """Process a topic until SIGTERM."""
    broker, source, target, way = sys.argv[1:]
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    consumer = Consumer(
        {
            "bootstrap.servers": broker,
            "group.id": target,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([source])
    producer = Producer({"bootstrap.servers": broker, "enable.idempotence": True, "linger.ms": 5})
    loop = _messages if way == "messages" else _batches
    loop(running, consumer, producer, target)
    consumer.close()


def _messages(running: list[bool], consumer: Consumer, producer: Producer, target: str) -> None:
    uncommitted = 0
    while running:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            result = weblog(orjson.loads(message.value() or b""))
            if result is not None:
                producer.produce(target, orjson.dumps(result))
                producer.poll(0)
            uncommitted += 1
        if uncommitted >= _COMMIT_AFTER or (message is None and uncommitted):
            producer.flush()
            consumer.commit(asynchronous=False)
            uncommitted = 0


def _batches(running: list[bool], consumer: Consumer, producer: Producer, target: str) -> None:
    while running:
        messages = consumer.consume(_BATCH, 0.1)
        if messages:
            producer.produce_batch(target, [{"value": message.value()} for message in messages])
            producer.flush()
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()

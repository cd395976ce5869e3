"""Records and their expected results, generated in advance for clients to send and compare."""

from __future__ import annotations

import random
from dataclasses import dataclass

__all__ = ["BATCH_SIZE", "Batch", "make_corpus"]

BATCH_SIZE = 1 << 16
"""Approximate bytes of input in a batch."""

_BAD = (b"never\n", b'{"id":"1","data":\n', b"[1,2]\n", b'{"id":"\xff"}\n')
_BAD_SHARE = 0.01
_WORDS = ("forst", "wald", "baum", "blatt", "rinde", "wurzel", "nadel", "zapfen")


@dataclass(frozen=True)
class Batch:
    """Some lines, and their results if invalid ones are skipped.

    Attributes:
        lines: NDJSON, whole lines.
        results: of the built-in processor.
        enriched: of `enrich` in examples/processors.py.
        looked_up: of `look-up` there.
    """

    lines: bytes
    results: bytes
    enriched: bytes
    looked_up: bytes


def make_corpus(seed: int, count: int, size: int = BATCH_SIZE) -> list[Batch]:
    """Make batches of about `size` bytes; the same for the same arguments."""
    chance = random.Random(seed)
    return [_batch(chance, number, size) for number in range(count)]


def _batch(chance: random.Random, number: int, size: int) -> Batch:
    lines, results, enriched, looked_up = bytearray(), bytearray(), bytearray(), bytearray()
    while len(lines) < size:
        if chance.random() < _BAD_SHARE:
            lines += chance.choice(_BAD)
            continue
        words = chance.choices(_WORDS, k=chance.randrange(1, 30))
        record = f'"id":"{number}-{len(lines)}","data":"{" ".join(words)}"'.encode()
        lines += b"{%b}\n" % record
        result = record.replace(b'"data":"', b'"result":"processed_')
        results += b'{%b,"status":"success"}\n' % result
        enriched += b'{%b,"words":%d}\n' % (record, len(words))
        looked_up += b'{%b,"asked":true}\n' % record
    return Batch(bytes(lines), bytes(results), bytes(enriched), bytes(looked_up))

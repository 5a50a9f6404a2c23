"""
librdkafka's mock cluster as a process of its own, at an address that stays over kills.

    python tests/kafka_mock.py PORT TOPIC …

The mock listens where the system likes and keeps everything in memory, so a killed one comes back
elsewhere and empty. In front of it stands a door at PORT, whose only art is to put its own port
into what the mock says of its address.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from typing import Any

import confluent_kafka

HOST = "127.0.0.1"


def mocked() -> tuple[Any, int]:
    """Start a cluster of one broker; return what keeps it alive, and its port."""
    quiet = {"bootstrap.servers": "unused", "log_level": 0, "test.mock.num.brokers": 1}
    cluster = confluent_kafka.Producer(quiet)
    [broker] = cluster.list_topics(timeout=30).brokers.values()
    return cluster, int(broker.port)


def make_topics(port: int, topics: list[str]) -> None:
    """Make topics: the mock makes those that a producer asks for."""
    producer = confluent_kafka.Producer({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
    for topic in topics:
        while producer.list_topics(topic, timeout=10).topics[topic].error is not None:
            pass


async def forward(port: int, behind: int) -> None:
    """Serve at a port what is behind another."""

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asked = await asyncio.open_connection(HOST, behind)
        there = asyncio.create_task(_copy(reader, asked))
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                frame = await answers.readexactly(int.from_bytes(await answers.readexactly(4)))
                told = frame.replace(_address(behind), _address(port))
                writer.write(len(told).to_bytes(4) + told)
                await writer.drain()
        there.cancel()
        writer.close()
        asked.close()

    async with await asyncio.start_server(meet, HOST, port) as door:
        await door.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await reader.read(65_536):
            writer.write(content)
            await writer.drain()
    writer.close()


def _address(port: int) -> bytes:
    """Write an address as it stands in answers: the host's name, then the port in four bytes."""
    return HOST.encode() + port.to_bytes(4)


def main() -> None:
    cluster, behind = mocked()
    make_topics(behind, sys.argv[2:])
    asyncio.run(forward(int(sys.argv[1]), behind))
    cluster.flush(1)


if __name__ == "__main__":
    main()

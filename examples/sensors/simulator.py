"""Simulates sensors: publishes temperatures over MQTT, a few per second.

python examples/sensors/simulator.py --sensors 5 --rate 20
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random

import aiomqtt


async def simulate(host: str, port: int, sensors: int, rate: float, count: int) -> None:
    """Publish `count` readings; 0 means without end."""
    temperatures = [random.uniform(18, 24) for _ in range(sensors)]
    sent = 0
    async with aiomqtt.Client(host, port) as client:
        while not count or sent < count:
            sensor = sent % sensors
            temperatures[sensor] += random.gauss(0, 0.4)
            celsius = round(temperatures[sensor], 2)
            reading = {
                "id": f"sensor-{sensor + 1}",
                "data": f"{celsius} °C",
                "celsius": celsius,
                "level": "high" if celsius > 22 else "normal",
            }
            payload = json.dumps(reading, ensure_ascii=False)
            await client.publish(f"sensors/{sensor + 1}/temperature", payload, qos=1)
            sent += 1
            await asyncio.sleep(1 / rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="the MQTT broker")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--sensors", type=int, default=5)
    parser.add_argument("--rate", type=float, default=20, help="readings per second")
    parser.add_argument("--count", type=int, default=0, help="readings, 0 for no end")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(
            simulate(options.host, options.port, options.sensors, options.rate, options.count)
        )


if __name__ == "__main__":
    main()

"""Storages in memory that keep the newest so many, and are written and read without anything else.

    python ring_buffer_example.py

It prints:

    INFO order 3
    WARNING order 4 is late
    INFO order 5
    orders_total {'tier': 'gold'} 5
"""

import asyncio

from observabilipy import LogEntry, LogQuery, RingBufferLogStorage, RingBufferMetricsStorage, counter


async def main() -> None:
    logs = RingBufferLogStorage(max_entries=3)
    metrics = RingBufferMetricsStorage(max_samples=1000)  # of the history; totals are kept

    for number in range(1, 6):
        late = number == 4
        entry = LogEntry.warning(f"order {number} is late") if late else LogEntry.info(f"order {number}")
        await logs.write_logs([entry])
        await metrics.write_samples([counter("orders_total", labels={"tier": "gold"})])

    async for entry in logs.read_logs(LogQuery()):
        print(entry.level, entry.message)
    async for family in metrics.totals():
        for series in family.series:
            print(family.name, dict(series.labels), f"{series.value:g}")


asyncio.run(main())

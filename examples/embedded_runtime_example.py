"""The runtime alone, over two storages of your choice: it samples the history and deletes what is too old or too much.

    python embedded_runtime_example.py

It prints:

    before: 100 entries
    after: 10 entries, from number 90 on
    the history has samples: True
"""

import asyncio

from observabilipy import (
    EmbeddedRuntime,
    InMemoryLogStorage,
    InMemoryMetricsStorage,
    LogEntry,
    LogQuery,
    RetentionPolicy,
    counter,
)


async def main() -> None:
    logs = InMemoryLogStorage()  # without bounds of its own
    metrics = InMemoryMetricsStorage()
    await logs.write_logs([LogEntry.info("order placed", number=number) for number in range(100)])
    await metrics.write_samples([counter("orders_total", 100)])
    print(f"before: {await logs.count_logs(LogQuery())} entries")

    keep = RetentionPolicy(max_count=10)
    async with EmbeddedRuntime(logs, metrics, log_retention=keep, retention_interval=0.1, history_interval=0.1):
        while await logs.count_logs(LogQuery()) > 10 or not await metrics.count_samples():
            await asyncio.sleep(0.1)

    kept = [entry.attributes["number"] async for entry in logs.read_logs(LogQuery())]
    print(f"after: {len(kept)} entries, from number {kept[0]} on")
    print(f"the history has samples: {await metrics.count_samples() > 0}")


asyncio.run(main())

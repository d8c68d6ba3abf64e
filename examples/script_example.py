"""A script with core alone: counts, logs, and prints both at the end, as /metrics and /logs would.

python script_example.py
"""

import asyncio

from observabilipy import LogQuery, Observability, encode_logs, encode_metrics


async def report(obs: Observability) -> None:
    async for chunk in encode_metrics(obs.storage.totals()):
        print(chunk.decode(), end="")
    async for chunk in encode_logs(obs.storage.read_logs(LogQuery())):
        print(chunk.decode(), end="")


with Observability("memory://", service="importer") as obs:
    rows = obs.counter("rows_total", "Rows read.", labels=("table",))
    for table, count in (("orders", 1200), ("customers", 80)):
        rows.labels(table).inc(count)
        obs.info("table read", table=table, rows=count)
    obs.flush()
    asyncio.run(report(obs))

"""A script whose counts and log outlive it, in one file that is asked afterwards.

    python sqlite_example.py

The second time it prints:

    rows of customers: 160
    rows of orders: 2400
    runs: 2
    WARNING row skipped {'table': 'customers', 'line': 7}
    WARNING row skipped {'table': 'customers', 'line': 7}

Then: observabilipy logs observability.db --since 1h
"""

import asyncio

from observabilipy import LevelRetentionPolicy, LogQuery, Observability, RetentionPolicy

DAY = 86_400  # seconds
KEEP = LevelRetentionPolicy({"ERROR": RetentionPolicy(max_age=90 * DAY)}, default=RetentionPolicy(max_age=7 * DAY))


async def report(obs: Observability) -> None:
    async for family in obs.storage.totals(["runs_total", "rows_total"]):
        for series in sorted(family.series, key=lambda series: series.labels.get("table", "")):
            of_table = "".join(f" of {table}" for table in series.labels.values())
            print(f"{family.name.removesuffix('_total')}{of_table}: {series.value:g}")
    async for entry in obs.storage.read_logs(LogQuery(min_level="WARNING")):
        print(entry.level, entry.message, dict(entry.attributes))


with Observability("sqlite:///observability.db?max_bytes=100000000", log_retention=KEEP) as obs:
    obs.counter("runs_total", "Runs of this script.").inc()
    rows = obs.counter("rows_total", "Rows read.", labels=("table",))
    for table, count in (("orders", 1200), ("customers", 80)):
        rows.labels(table).inc(count)
        obs.info("table read", table=table, rows=count)
    obs.warning("row skipped", table="customers", line=7)
    obs.flush()
    asyncio.run(report(obs))

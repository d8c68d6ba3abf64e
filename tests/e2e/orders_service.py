"""The service under test: orders that are counted, and a way to learn which worker answers."""

import os

from fastapi import FastAPI

from observabilipy_fastapi import instrument

app = FastAPI()
obs = instrument(
    app, os.environ["ORDERS_STORAGE"], exclude=["/pid"], flush_interval=float(os.environ["ORDERS_FLUSH_INTERVAL"])
)
orders = obs.counter("orders_total", "Orders placed.")


@app.post("/orders/{number}")
async def order(number: int) -> dict[str, int]:
    orders.inc()
    return {"number": number}


@app.get("/pid")
async def pid() -> int:
    return os.getpid()

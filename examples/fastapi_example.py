"""A FastAPI service whose four workers count as one.

    uvicorn fastapi_example:app --workers 4

Then: curl -X POST localhost:8000/orders/gold
      curl -u any:letmein localhost:8000/metrics
      curl -u any:letmein 'localhost:8000/logs?limit=5'
"""

from fastapi import FastAPI

from observabilipy_fastapi import instrument

app = FastAPI()
obs = instrument(app, "sqlite:///observability.db")
orders = obs.counter("orders_total", "Orders placed.", labels=("tier",))


@app.post("/orders/{tier}")
async def order(tier: str) -> dict[str, str]:
    orders.labels(tier).inc()
    obs.info("order placed", tier=tier, cents=1999)
    return {"status": "ok"}

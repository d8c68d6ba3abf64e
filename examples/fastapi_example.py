"""A FastAPI service. Run it: OBSERVABILIPY_TOKEN=letmein uvicorn fastapi_example:app --workers 4 ."""

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

"""A Bottle service: what any WSGI application does.

    python bottle_example.py

Then: curl -X POST localhost:8000/orders/gold
      curl -u any:letmein localhost:8000/observability/metrics
"""

import sys

from bottle import Bottle, run

from observabilipy import Observability
from observabilipy_wsgi import ObservabilityApp, ObservabilityMiddleware

obs = Observability("sqlite:///observability.db")
orders = obs.counter("orders_total", "Orders placed.", labels=("tier",))
shop = Bottle()
shop.mount("/observability/", ObservabilityApp(obs))
app = ObservabilityMiddleware(shop, obs)


@shop.post("/orders/<tier>")  # type: ignore[untyped-decorator]  # Bottle has no types
def order(tier: str) -> dict[str, str]:
    orders.labels(tier).inc()
    obs.info("order placed", tier=tier, cents=1999)
    return {"status": "ok"}


if __name__ == "__main__":
    run(app, port=int(sys.argv[1]) if sys.argv[1:] else 8000)

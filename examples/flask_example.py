"""A Flask service.

    flask --app flask_example run

Then: curl -X POST localhost:5000/orders/gold
      curl -u any:letmein localhost:5000/metrics
"""

from flask import Flask

from observabilipy_wsgi.flask import Observabilipy

app = Flask(__name__)
obs = Observabilipy(app, "sqlite:///observability.db").obs
orders = obs.counter("orders_total", "Orders placed.", labels=("tier",))


@app.post("/orders/<tier>")
def order(tier: str) -> dict[str, str]:
    orders.labels(tier).inc()
    obs.info("order placed", tier=tier, cents=1999)
    return {"status": "ok"}

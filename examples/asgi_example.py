"""An ASGI application without a framework.

    uvicorn asgi_example:app --workers 4

Then: curl -X POST localhost:8000/orders/gold
      curl -u any:letmein localhost:8000/observability/metrics
"""

from observabilipy import Observability
from observabilipy_asgi import ObservabilityMiddleware, mounted
from observabilipy_asgi.protocol import Receive, Scope, Send

obs = Observability("sqlite:///observability.db")
orders = obs.counter("orders_total", "Orders placed.", labels=("tier",))


async def shop(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise ValueError(f"only HTTP is served here, not {scope['type']}")
    _, _, tier = scope["path"].rpartition("/orders/")
    status = 200 if tier and scope["method"] == "POST" else 404
    if status == 200:
        scope["observabilipy.route"] = "/orders/{tier}"  # what the request is counted as
        orders.labels(tier).inc()
        obs.info("order placed", tier=tier, cents=1999)
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"status": "%s"}' % (b"ok" if status == 200 else b"not found")})


app = ObservabilityMiddleware(mounted(shop, obs), obs)

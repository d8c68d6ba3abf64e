"""Orders without a framework, as an ASGI application that knows no lifespan."""

import os
import time

from observabilipy import Observability
from observabilipy_asgi import ObservabilityApp, ObservabilityMiddleware
from observabilipy_asgi.protocol import Receive, Scope, Send

obs = Observability(os.environ["ORDERS_STORAGE"], flush_interval=float(os.environ["ORDERS_FLUSH_INTERVAL"]))
orders = obs.counter("orders_total", "Orders placed.")
endpoints = ObservabilityApp(obs)


async def shop(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        raise ValueError(f"only HTTP is served here, not {scope['type']}")
    if scope["path"] in obs.endpoints.paths:
        await endpoints(scope, receive, send)
        return
    if scope["path"] != "/pid":
        scope["observabilipy.route"] = "/orders/{number}"
        orders.inc()
    time.sleep(0.005)  # noqa: ASYNC251 - whoever is busy leaves the next request to the other workers
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


app = ObservabilityMiddleware(shop, obs, exclude=["/pid"])

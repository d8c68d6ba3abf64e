"""Orders without a framework, as a WSGI application."""

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from observabilipy import Observability
from observabilipy_wsgi import ObservabilityApp, ObservabilityMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

obs = Observability(os.environ["ORDERS_STORAGE"], flush_interval=float(os.environ["ORDERS_FLUSH_INTERVAL"]))
orders = obs.counter("orders_total", "Orders placed.")
endpoints = ObservabilityApp(obs)
obs.debug("imported")  # in uWSGI that is before a fork of which Python is not told


def shop(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    if environ["PATH_INFO"] in obs.endpoints.paths:
        return endpoints(environ, start_response)
    if environ["PATH_INFO"] != "/pid":
        orders.inc()
    time.sleep(0.005)  # whoever is busy leaves the next request to the other workers
    body = b"%d" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


app = ObservabilityMiddleware(shop, obs, exclude=["/pid"])

"""The orders of servers_asgi.py and servers_wsgi.py, whose followers are served for as long as a variable says."""

import os
from importlib import import_module

from observabilipy import Observability
from observabilipy.http import Endpoints, Limits

orders = import_module(os.environ["ORDERS_MODULE"])
obs: Observability = orders.obs
obs._endpoints = Endpoints(
    obs.storage, flush=obs.aflush, limits=Limits(follow_seconds=float(os.environ["FOLLOW_SECONDS"]))
)
app = orders.app

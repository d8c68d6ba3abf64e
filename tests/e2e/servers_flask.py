"""Orders in Flask."""

import os
import time

from flask import Flask

from observabilipy_wsgi.flask import Observabilipy

app = Flask(__name__)
flush_interval = float(os.environ["ORDERS_FLUSH_INTERVAL"])
obs = Observabilipy(app, os.environ["ORDERS_STORAGE"], exclude=["/pid"], flush_interval=flush_interval).obs
orders = obs.counter("orders_total", "Orders placed.")


@app.get("/orders/<int:number>")
def order(number: int) -> str:
    orders.inc()
    return pid()


@app.get("/pid")
def pid() -> str:
    time.sleep(0.005)  # whoever is busy leaves the next request to the other workers
    return str(os.getpid())

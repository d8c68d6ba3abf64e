"""A small shop: the service that ``observabilipy demo`` starts, and an example of how to instrument one's own."""

import os

from fastapi import FastAPI, HTTPException

from observabilipy_fastapi.instrumentation import instrument

__all__ = ["PRODUCTS", "STORAGE_VARIABLE", "create_shop"]

STORAGE_VARIABLE = "OBSERVABILIPY_DEMO_STORAGE"
"""Names the storage for every worker; the token is in ``OBSERVABILIPY_TOKEN``, as always."""

PRODUCTS = {1: 1999, 2: 4900, 3: 250}
"""Prices in cents, by product."""


def create_shop() -> FastAPI:
    """The application: products to look at, orders, and one page that never works."""
    app = FastAPI(title="Shop")
    obs = instrument(app, os.environ.get(STORAGE_VARIABLE, "memory://"), service="shop", health=True)
    orders = obs.counter("orders_total", "Orders placed.", labels=("product",))
    revenue = obs.counter("revenue_cents_total", "Money taken, in cents.")

    @app.get("/products/{product}")
    async def product(product: int) -> dict[str, int]:
        if product not in PRODUCTS:
            raise HTTPException(404, "there is no such product")
        return {"product": product, "cents": PRODUCTS[product]}

    @app.post("/products/{product}/orders")
    async def order(product: int) -> dict[str, str]:
        if product not in PRODUCTS:
            obs.warning("order for a product that does not exist", product=product)
            raise HTTPException(404, "there is no such product")
        orders.labels(str(product)).inc()
        revenue.inc(PRODUCTS[product])
        obs.info("order placed", product=product, cents=PRODUCTS[product])
        return {"status": "ok"}

    @app.get("/recommendations")
    async def recommendations() -> None:
        obs.error("recommendations cannot be computed", reason="the demo never can")
        raise HTTPException(500, "on purpose")

    return app

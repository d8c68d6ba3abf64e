"""Standard logging, set up by dictConfig, into the log.

    python logging_example.py

It prints:

    INFO order placed {'request_id': 'r1', 'logger': 'shop', 'tier': 'gold'}
    ERROR payment failed {'request_id': 'r1', 'logger': 'shop', 'exception.type': 'ConnectionError'}
"""

import asyncio
import logging
import logging.config

from observabilipy import LogQuery, Observability, install

logging.config.dictConfig(
    {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "observability": {"class": "observabilipy.LoggingHandler"},
            "console": {"class": "logging.StreamHandler", "level": "CRITICAL"},
        },
        "root": {"handlers": ["observability", "console"], "level": "INFO"},
    }
)
logger = logging.getLogger("shop")


def pay() -> None:
    raise ConnectionError("no bank")


async def report(obs: Observability) -> None:
    async for entry in obs.storage.read_logs(LogQuery()):
        shown = ("request_id", "logger", "tier", "exception.type")  # there are also the file, the line, the traceback
        print(entry.level, entry.message, {name: entry.attributes[name] for name in shown if name in entry.attributes})


with install(Observability("memory://")) as obs:  # where the handler finds it
    with obs.context(request_id="r1"):
        logger.info("order %s", "placed", extra={"tier": "gold"})
        try:
            pay()
        except ConnectionError:
            logger.exception("payment failed")
    obs.flush()
    asyncio.run(report(obs))

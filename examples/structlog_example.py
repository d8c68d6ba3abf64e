"""Events of structlog into the log, beside where they went before.

    python structlog_example.py

It needs: pip install "observabilipy-core[structlog]"

It prints, after the two lines of structlog's own:

    INFO order placed {'request_id': 'r1', 'tier': 'gold'}
    ERROR payment failed {'request_id': 'r1', 'exception.type': 'ConnectionError'}
"""

import asyncio

import structlog

from observabilipy import LogQuery, Observability, install
from observabilipy.structlog import ObservabilityProcessor

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso"),
        ObservabilityProcessor(),  # behind what adds to events, before what makes text of them
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
)
logger = structlog.get_logger()


def pay() -> None:
    raise ConnectionError("no bank")


async def report(obs: Observability) -> None:
    async for entry in obs.storage.read_logs(LogQuery()):
        shown = ("request_id", "tier", "exception.type")  # there are also the exception's message and traceback
        print(entry.level, entry.message, {name: entry.attributes[name] for name in shown if name in entry.attributes})


with install(Observability("memory://")) as obs:  # where the processor finds it
    structlog.contextvars.bind_contextvars(request_id="r1")
    logger.info("order placed", tier="gold")
    try:
        pay()
    except ConnectionError:
        logger.exception("payment failed")
    obs.flush()
    asyncio.run(report(obs))

"""The HTTP endpoints without a framework: a pure core that every adapter wraps."""

from observabilipy.http.access import Auth
from observabilipy.http.added import AddedCollector
from observabilipy.http.blocking import SyncBody, SyncResponse
from observabilipy.http.endpoints import EVERY_ANSWER, Endpoints, EndpointStorage
from observabilipy.http.hangup import Client, client_of, hang_up
from observabilipy.http.limits import Limits
from observabilipy.http.message import Headers, Request, Response
from observabilipy.http.stream import Stopped

__all__ = [
    "EVERY_ANSWER",
    "AddedCollector",
    "Auth",
    "Client",
    "EndpointStorage",
    "Endpoints",
    "Headers",
    "Limits",
    "Request",
    "Response",
    "Stopped",
    "SyncBody",
    "SyncResponse",
    "client_of",
    "hang_up",
]

import logging

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from observabilipy import current

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def order(_request: HttpRequest, tier: str) -> JsonResponse:
    current().counter("orders_total", "Orders placed.", labels=("tier",)).labels(tier).inc()
    logger.info("order placed", extra={"tier": tier, "cents": 1999})
    return JsonResponse({"status": "ok"})

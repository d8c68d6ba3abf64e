from django.urls import include, path

from .views import order

urlpatterns = [
    path("orders/<str:tier>", order),
    path("observability/", include("observabilipy_django.urls")),
]

import os

DEBUG = True
TIME_ZONE = "UTC"
SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example")
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"

INSTALLED_APPS = ["observabilipy_django"]
MIDDLEWARE = [
    "observabilipy_django.middleware.ObservabilityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
OBSERVABILIPY = {"STORAGE": "sqlite:///observability.db", "SERVICE": "shop"}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "observability": {"class": "observabilipy.LoggingHandler"},
        "console": {"class": "logging.StreamHandler", "level": "WARNING"},
    },
    "root": {"handlers": ["observability", "console"], "level": "INFO"},
}

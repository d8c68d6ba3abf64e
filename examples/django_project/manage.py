"""A Django project: everything about observability is in shop/settings.py and shop/urls.py.

    cd django_project && python manage.py runserver

Then: curl -X POST localhost:8000/orders/gold
      curl -u any:letmein localhost:8000/observability/metrics
      python manage.py observability tail
"""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

if __name__ == "__main__":
    execute_from_command_line(sys.argv)

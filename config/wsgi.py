import os

from django.core.wsgi import get_wsgi_application

from config import process
from config.standard_streams import open_standard_streams

open_standard_streams()
process.kind = process.WEB
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

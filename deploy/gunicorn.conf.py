"""The web: gunicorn -c deploy/gunicorn.conf.py config.wsgi, behind a proxy that ends TLS and sets X-Forwarded-Proto."""

import os

from config.standard_streams import open_standard_streams

# Before the first socket is opened.
open_standard_streams()
bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
# Database sessions: workers x DB_WEB_POOL_SIZE (4), within DB_CONNECTIONS_RESERVED (20) on all hosts together.
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = 4
# A page's statements end after 30 s (statement_timeout).
timeout = 60
graceful_timeout = 30
# Each process makes its own pool, because forks must not share connections.
preload_app = False
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 gunicorn's heartbeat, no data
# No control socket is used, and a user without a home has no place for one.
control_socket_disable = True
accesslog = "-"
# Without the query and the referer, which show what people search for; %(U)s is the path alone.
access_log_format = '%(h)s %(t)s "%(m)s %(U)s" %(s)s %(B)s bytes %(L)s s'

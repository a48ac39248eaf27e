"""The project's settings with what a developer's `.env` would hold; the database is chosen the same way."""

import os

os.environ.setdefault("DEBUG", "on")
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0123456789" * 4)

from config.settings import *  # noqa: F403

# The default hasher is slow on purpose; tests log in often.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# The databases of a server may have another encoding by default, which ServiceOps refuses.
DATABASES["default"]["TEST"] = {"CHARSET": "UTF8", "TEMPLATE": "template0"}  # noqa: F405

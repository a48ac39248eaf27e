from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "inbox"

    def ready(self) -> None:
        from inbox import checks  # noqa: F401
        from inbox.db import lookups  # noqa: F401

"""Logs: one line per event, for machines or for people, with allowed keys only. inbox/events.py lists the events.

Failure modes: a text of another library quotes a message. So a key that is not allowed is left out and named, a
traceback becomes the places it went through without the texts of its exceptions, and a line of another library keeps
only its template. The lines of `runserver`, which is for development, keep all but the query behind the `?`.
Settings: LOG_FORMAT (human, json), LOG_LEVEL.
"""

import sys
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from inbox.db.storable import error_text, places, storable

# The keys that an event may have: names of ours, counts and times. None of them holds a message's content.
ALLOWED = """
time level logger event job jobs source worker worker_id workers claims count attempt reason page status_code
verb who done failed dead waiting given_back lost kind error places message_type lasted_s
"""
KEYS = frozenset(ALLOWED.split())
LONGEST = 500


def logging_settings(log_format: str, level: str) -> dict[str, Any]:
    """Django's LOGGING; makes structlog go the same way. `log_format` is "human" or "json"."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    render: Processor = structlog.processors.JSONRenderer(ensure_ascii=False) if log_format == "json" else _human
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "events": {
                "()": structlog.stdlib.ProcessorFormatter,
                "pass_foreign_args": True,
                "foreign_pre_chain": [_of_others, *_shared()],
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "events"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            # Without handlers of its own, which would write and send by mail what was in a request.
            "django": {"handlers": [], "level": "INFO", "propagate": True},
            **{name: {"level": level} for name in ("inbox", "packets", "decisions", "config")},
        },
    }


def _shared() -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _exception,
        _allowed,
    ]


def _of_others(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Keep the template of a record of the logging module, and the page of its request, not the query."""
    record, args = event["_record"], event.pop("positional_args", None)
    # Without arguments it may be a text that was formatted already.
    event["event"] = record.msg if args and isinstance(record.msg, str) else f"a {type(record.msg).__name__}"
    if record.name == "django.server" and args:
        event["event"] = (record.msg % args).partition("?")[0].replace('"', "")
    match = getattr(getattr(record, "request", None), "resolver_match", None)
    if match is not None:
        event["page"] = match.route
    if isinstance(status := getattr(record, "status_code", None), int):
        event["status_code"] = status
    return event


def _exception(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Replace an exception by its kind, its allowed text and its places."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event.update(kind=type(error).__name__, error=error_text(error), places=places(error))
    return event


def _allowed(logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
    """Keep only KEYS with plain values, and name the keys that were left out."""
    meta = {key: value for key, value in event.items() if key in ("_record", "_from_structlog")}
    kept = {key: _plain(value) for key, value in event.items() if key in KEYS}
    if left_out := sorted(event.keys() - KEYS - meta.keys() - {"stack_info"}):
        kept["left_out"] = left_out
    return kept | meta


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return storable(str(value), LONGEST)


def _human(logger: WrappedLogger, name: str, event: EventDict) -> str:
    """As `2031-02-03T04:05:06Z WARNING inbox.worker.loop: connection lost; error: …; jobs: 3`, on one line."""
    event = dict(event)
    time, level, where = event.pop("time", ""), str(event.pop("level", "")), event.pop("logger", "")
    parts = [str(event.pop("event", "")), *(f"{key}: {value}" for key, value in event.items())]
    text = "; ".join(parts)
    return f"{time} {level.upper()} {where}: {''.join(c if c.isprintable() else ' ' for c in text)}"


def report_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """For sys.excepthook: a process that ends by a bug logs that as an event, without the text of the exception."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    structlog.get_logger("config.process").critical("uncaught exception", exc_info=error)

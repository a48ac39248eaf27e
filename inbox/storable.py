"""Makes any text fit for the database, so that recording a failure can't fail itself."""

MAX_ERROR_LENGTH = 2000


def storable(text: str, limit: int = MAX_ERROR_LENGTH) -> str:
    """`text` without NUL and lone surrogates (PostgreSQL stores neither), at most `limit` characters."""
    clean = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def error_text(error: BaseException) -> str:
    """What to keep of an exception; of a database error only its first line, as the detail quotes stored values."""
    cause = error.__cause__ if getattr(error.__cause__, "diag", None) else error
    diag = getattr(cause, "diag", None)
    if diag is not None and diag.message_primary:
        return storable(f"{diag.message_primary} (SQLSTATE {diag.sqlstate})")
    return storable(str(error) or type(error).__name__)

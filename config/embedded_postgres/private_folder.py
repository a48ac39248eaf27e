"""Folders of the embedded server: private to the user who runs it, and locked while somebody starts or stops it.

Raises DevDbError if a folder belongs to somebody else. Follows no link.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.embedded_postgres.programs import OR_ELSE, DevDbError, account, user_name


def exists(folder: Path) -> bool:
    """False if it is not there. Raises DevDbError if it can't be used."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DevDbError(f"{folder} cannot be read: {error.strerror}.") from error
    _check_owner(folder, found)
    return True


def is_private(folder: Path) -> bool:
    """Only the server's user (and root) can put a socket there."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == account().uid and not found.st_mode & 0o077


def make_private(folder: Path) -> None:
    """Make it, or take it as found, and give it to the server's user alone. Raises DevDbError."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    _check_owner(folder, folder.lstat())
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(opened)
        _check_owner(folder, found)
        if found.st_uid != account().uid:
            _give_to_server(opened)
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(opened, 0o700)
    finally:
        os.close(opened)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time. Raises DevDbError for any OSError, also inside.

    Programs that are started do not inherit the open file, so no server can keep the lock.
    """
    try:
        lock = _open_lock(folder)
        try:
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise DevDbError(f"The embedded PostgreSQL in {folder} cannot be used: {error}. {OR_ELSE}") from error


def _open_lock(folder: Path) -> int:
    """The locked file's descriptor. Opens it again if it was removed while we waited: others lock a new one."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(lock).st_nlink:
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _check_owner(folder: Path, found: os.stat_result) -> None:
    if not stat.S_ISDIR(found.st_mode):
        raise DevDbError(f"{folder} is not a folder (or is a link), so it is not used. Remove it: rm {folder}")
    owner = account()
    if found.st_uid == owner.uid or (os.geteuid() == 0 and found.st_uid == 0):
        return
    raise DevDbError(
        f"{folder} belongs to the user {user_name(found.st_uid)}, but here PostgreSQL would run as {owner.name}."
        " Use it as the user who made it (root, when the owner is postgres or nobody). Or stop it as that user "
        f"(python manage.py devdb stop), then type: sudo chown -R {owner.name} {folder}"
    )


def _give_to_server(opened: int) -> None:
    """From root to the server's user: a new folder, or a `.postgres` that root has copied."""
    _, uid, gid = account()
    for _, folders, files, inside in os.fwalk(".", dir_fd=opened):
        for name in folders + files:
            os.chown(name, uid, gid, dir_fd=inside, follow_symlinks=False)
    os.fchown(opened, uid, gid)

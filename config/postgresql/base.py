"""Django's PostgreSQL backend, whose sessions prove that they are fit, with a deadline on the client's side.

Each new session has the settings that the promises stand on, or refuses (inbox/db/session_proof.py). A query or COMMIT
whose answer never comes ends.

The server's statement_timeout does not help when the network loses the answer, and TCP keepalives do not help when the
other side's kernel still acknowledges. Failure modes: after a COMMIT without an answer, the client can't know
whether it took effect; the engine asks the database again, by the lease.

Setting: DB_CLIENT_DEADLINE, read at every wait. It must exceed statement_timeout, or it ends slow statements. For a
long statement, such as a migration's, raise both. Connecting has psycopg's own deadline, connect_timeout.
"""

from time import monotonic
from types import SimpleNamespace
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import Row

from inbox.db.connecting import HURRIED_TIMEOUT_S, connecting, is_hurried
from inbox.db.session_proof import prove


class ImpatientConnection(psycopg.Connection[Row]):
    """Closes itself when the server owes an answer and has been silent for DB_CLIENT_DEADLINE seconds."""

    # A session of a pool proves it once.
    is_proved = False

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        """As psycopg's; everything that talks to the server goes through it. Raises ConnectionFailure."""
        try:
            return super().wait(self._until_silent(gen), *args, **kwargs)
        except (psycopg.OperationalError, psycopg.InternalError) as error:
            # Internal: a pooler whose session with the server was cut off may answer a COMMIT twice, and hang up.
            if error.sqlstate is None and self.closed:
                # Django reconnects before atomic() raises; only the SQLSTATE still tells the cause then.
                raise psycopg.errors.ConnectionFailure(str(error)) from error
            raise

    def _until_silent(self, gen: PQGen[RV]) -> PQGen[RV]:
        """`gen`, until nothing has been ready for too long; rows that keep coming may take any time."""
        heard_at = monotonic()
        try:
            wanted = next(gen)
            while True:
                # Checked before the wait: a process that was suspended may find the answer when it resumes.
                is_overdue = monotonic() - heard_at > settings.DB_CLIENT_DEADLINE
                # psycopg sends 0 or None about every 0.1 s while nothing is ready.
                ready = yield wanted
                if ready:
                    heard_at = monotonic()
                elif is_overdue and self._is_owed_an_answer():
                    self._give_up()
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value
        except (KeyboardInterrupt, SystemExit):
            # A signal arrived here and not in the wait: the rest of the answer can't be read any more.
            self.pgconn.finish()
            raise

    def _is_owed_an_answer(self) -> bool:
        """False for notifies(), which may be silent forever."""
        return self.pgconn.transaction_status == TransactionStatus.ACTIVE

    def _give_up(self) -> None:
        self.pgconn.finish()
        # Callers recognise a lost connection by this class's SQLSTATE, whichever connection it was.
        raise psycopg.errors.ConnectionFailure(
            f"no answer from the database for {settings.DB_CLIENT_DEADLINE:g} s (DB_CLIENT_DEADLINE); connection closed"
        )


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with ImpatientConnection; copy() and get_new_connection() give it too."""

    # Django takes `connect`, Binary and the exception classes from here, and nothing else.
    Database = SimpleNamespace(**vars(psycopg) | {"connect": ImpatientConnection.connect})  # type: ignore[assignment]

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """As Django's, of a session that has proved its settings. Raises psycopg.Error, such as UnfitSession.

        A signal that asks to stop cuts it short (inbox/db/connecting.py).
        """
        if is_hurried():
            conn_params["connect_timeout"] = HURRIED_TIMEOUT_S
        with connecting():
            raw = super().get_new_connection(conn_params)
            # Without a name it leads to a database that only serves to make others.
            if not raw.is_proved and self.alias != NO_DB_ALIAS:
                try:
                    self._prove(raw, conn_params.get("options") or "")
                except BaseException:
                    raw.close()
                    if self.pool:
                        self.pool.putconn(raw)
                    raise
            return raw

    @staticmethod
    def _prove(raw: ImpatientConnection[Any], options: str) -> None:
        is_autocommit = raw.autocommit
        raw.autocommit = True
        prove(raw, options)
        raw.autocommit = is_autocommit
        raw.is_proved = True

    @property
    def pool(self) -> Any:
        """Django's connection pool, if OPTIONS asks for one."""
        options = self.settings_dict["OPTIONS"]
        if pool := options.get("pool"):
            options["pool"] = {"connection_class": ImpatientConnection} | ({} if pool is True else pool)
        return super().pool

"""SQLSTATEs: what an error of the database means for the jobs in hand, and a text of our own for it.

One table, by code or by class (its first two characters). The server's own line is not kept anywhere: it is in the
server's language, and it quotes values. A code that is not in the table is the message's own fault.
"""

from enum import Enum
from typing import NamedTuple


class Meaning(Enum):
    """The way to deal with an error."""

    CONNECTION = "connect again; the claim is reclaimed as after any lost connection"
    AWAY = "as CONNECTION, but the server says that it is about itself: the first time in a row blames no job"
    COLLISION = "try again at once under the same lease; after some tries give back with the attempt, and pause"
    SERVER = "it says nothing of the message: give back with the attempt, and pause"
    DOUBT = "as SERVER, but it costs the attempt of a job that runs alone already"
    MESSAGE = "the message's own fault: it costs an attempt"


class Known(NamedTuple):
    meaning: Meaning
    text: str


KNOWN = {
    "08": Known(Meaning.CONNECTION, "the connection to the database failed"),
    "21": Known(Meaning.MESSAGE, "a query gave more rows than it may"),
    "22": Known(Meaning.MESSAGE, "a value is wrong for its type"),
    "22001": Known(Meaning.MESSAGE, "a text is too long"),
    "22003": Known(Meaning.MESSAGE, "a number is out of range"),
    "22007": Known(Meaning.MESSAGE, "a text is no date or time"),
    "22008": Known(Meaning.MESSAGE, "a date or time is out of range"),
    "22012": Known(Meaning.MESSAGE, "division by zero"),
    "22021": Known(Meaning.MESSAGE, "a text has bytes that are no characters"),
    "22P02": Known(Meaning.MESSAGE, "a text cannot be read as the type that is needed"),
    "22P05": Known(Meaning.MESSAGE, "a text has a character that the database cannot store"),
    "23": Known(Meaning.MESSAGE, "a constraint refused it"),
    "23502": Known(Meaning.MESSAGE, "a value is missing"),
    "23503": Known(Meaning.MESSAGE, "a row refers to one that is not there"),
    "23505": Known(Meaning.MESSAGE, "a row with this key is there already"),
    "23514": Known(Meaning.MESSAGE, "a check or a guard trigger refused it"),
    "25006": Known(Meaning.AWAY, "the database is read-only"),
    "25P02": Known(Meaning.MESSAGE, "an earlier statement of the transaction failed"),
    "25P03": Known(Meaning.CONNECTION, "the transaction was idle for too long"),
    "25P04": Known(Meaning.CONNECTION, "the transaction took too long"),
    # A pooler, or somebody's DISCARD ALL, has dropped it.
    "26": Known(Meaning.SERVER, "a prepared statement is gone"),
    "28": Known(Meaning.CONNECTION, "the database refuses this login"),
    "3D": Known(Meaning.CONNECTION, "there is no such database"),
    "40": Known(Meaning.COLLISION, "another transaction got in the way"),
    "40001": Known(Meaning.COLLISION, "the transaction collided with another"),
    "40P01": Known(Meaning.COLLISION, "a deadlock with another transaction"),
    "42": Known(Meaning.MESSAGE, "the database does not understand the statement"),
    "42501": Known(Meaning.MESSAGE, "this login lacks a right"),
    "42703": Known(Meaning.MESSAGE, "a column is missing; are all migrations applied?"),
    "42883": Known(Meaning.MESSAGE, "a function is missing; are all migrations applied?"),
    "42P01": Known(Meaning.MESSAGE, "a table is missing; are all migrations applied?"),
    "53": Known(Meaning.SERVER, "the database is out of resources"),
    "53100": Known(Meaning.SERVER, "the disk of the database is full"),
    "53200": Known(Meaning.SERVER, "the database is out of memory"),
    "53300": Known(Meaning.AWAY, "the database has no connection left"),
    "53400": Known(Meaning.SERVER, "a limit in the settings of the database is reached"),
    # A message can be too large; but a full queue of notifications gives 54000 too.
    "54": Known(Meaning.DOUBT, "it is too large for the database, or a queue of the database is full"),
    "55": Known(Meaning.DOUBT, "the database is not in a state to do this"),
    "55006": Known(Meaning.SERVER, "somebody else is using it"),
    "55P03": Known(Meaning.SERVER, "a lock was not given in time"),
    "57": Known(Meaning.SERVER, "somebody intervened in the database"),
    "57014": Known(Meaning.DOUBT, "a statement took too long, or somebody cancelled it"),
    "57P01": Known(Meaning.AWAY, "the database is shutting down, or somebody ended the connection"),
    "57P02": Known(Meaning.AWAY, "the database has crashed"),
    "57P03": Known(Meaning.AWAY, "the database is starting or shutting down"),
    "57P04": Known(Meaning.CONNECTION, "the database was dropped"),
    "57P05": Known(Meaning.CONNECTION, "the connection was idle for too long"),
    "58": Known(Meaning.SERVER, "the database cannot read or write its files"),
    "72": Known(Meaning.COLLISION, "the transaction is too old"),
    "F0": Known(Meaning.SERVER, "the settings of the database are broken"),
    "HV": Known(Meaning.DOUBT, "a foreign table does not answer"),
    "P0": Known(Meaning.MESSAGE, "a function in the database refused it"),
    "XX": Known(Meaning.DOUBT, "an internal error of the database"),
}
UNKNOWN = Known(Meaning.MESSAGE, "the database refused it")


def known(sqlstate: str | None) -> Known:
    """The entry of this SQLSTATE: by its code, else by its class."""
    code = sqlstate or ""
    return KNOWN.get(code) or KNOWN.get(code[:2], UNKNOWN)

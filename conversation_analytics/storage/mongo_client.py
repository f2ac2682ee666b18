"""Reaching MongoDB: the connection, what is at its other end, and its errors in our words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from typing import Any, TypeAlias, TypeVar

from bson.errors import BSONError
from pymongo import MongoClient, ReadPreference, WriteConcern
from pymongo.database import Database
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from conversation_analytics.errors import SettingsError, StorageError, StoreUnavailable

Document: TypeAlias = dict[str, Any]
MongoDatabase: TypeAlias = Database[Document]
Result = TypeVar("Result")

OLDEST_SERVER = (4, 4)
_ANSWER_SECONDS = 120
_MAJORITY_SECONDS = 60
_ATTEMPTS = 4
_FIRST_WAIT_SECONDS = 0.25

_LONGEST_REASON = 300
_TAILS = (", full error:", " to execute command", " (configured timeouts", ", Timeout:")

DUPLICATE_KEY = 11000
_DENIED = {13, 18, 8000}
_OUT_OF_DISK = 14031
_PASSING = {
    50,  # MaxTimeMSExpired
    64,  # WriteConcernTimeout
    89,  # NetworkTimeout
    91,  # ShutdownInProgress
    100,  # UnsatisfiableWriteConcern
    189,  # PrimarySteppedDown
    262,  # ExceededTimeLimit
    10107,  # NotWritablePrimary
    11600,  # InterruptedAtShutdown
    11602,  # InterruptedDueToReplStateChange
    13435,  # NotPrimaryNoSecondaryOk
    13436,  # NotPrimaryOrSecondary
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """What kind of MongoDB answers.

    Attributes:
        version: of the server, such as ``6.0.5``.
        topology: ``stand-alone``, ``replica set rs0`` or ``sharded cluster``.
        address: host and port that answered; holds no secret.
        supported: whether the version is one this package promises to work with.
    """

    version: str
    topology: str
    address: str
    supported: bool


def connect(uri: str, *, database: str, timeout_seconds: float = 10) -> MongoDatabase:
    """Open a database and prove that it may be read.

    Writes wait for the majority and the journal; reads go to the primary. Writes cut off by an
    election are sent again by the driver where the deployment allows it (not on a stand-alone
    server), and by `retrying` everywhere. Times come back as aware UTC datetimes.

    Args:
        uri: the connection string, `MONGODB_URI`.
        database: name of the database, `MONGODB_DATABASE`.
        timeout_seconds: how long to look for a server, and to wait for a connection, where the
            connection string does not say.

    Raises:
        SettingsError: the connection string or the database's name is malformed.
        StoreUnavailable: nobody answers, or the credentials are refused.
    """
    milliseconds = int(timeout_seconds * 1000)
    ours: dict[str, Any] = {
        "serverSelectionTimeoutMS": milliseconds,
        "connectTimeoutMS": milliseconds,
        "socketTimeoutMS": _ANSWER_SECONDS * 1000,
    }
    # The driver would let these count, and not what the string says.
    timeouts = {name: ours[name] for name in ours if f"{name}=".casefold() not in uri.casefold()}
    try:
        client: MongoClient[Document] = MongoClient(
            uri,
            appname="conversation-analytics",
            tz_aware=True,
            tzinfo=UTC,
            **timeouts,
        )
    except (PyMongoError, ValueError, TypeError) as error:
        # The driver's words may quote the string, and with it the password.
        raise SettingsError(
            f"MONGODB_URI is malformed ({type(error).__name__}): write "
            "mongodb://user:password@host:27017/, with special characters of user and password "
            "percent-encoded, and only options the driver knows."
        ) from None
    try:
        opened = client.get_database(
            database,
            read_preference=ReadPreference.PRIMARY,
            write_concern=WriteConcern("majority", wtimeout=_MAJORITY_SECONDS * 1000, j=True),
        )
    except InvalidName as error:
        client.close()
        raise SettingsError(f"MONGODB_DATABASE {database!r} is malformed: {error}.") from None
    try:
        opened["_days"].find_one({}, {"_id": 1})
    except PyMongoError as error:
        client.close()
        raise in_our_words(error, f"opening database {database}") from None
    return opened


def describe(database: MongoDatabase) -> Deployment:
    """What kind of MongoDB this is.

    Raises:
        StoreUnavailable: it cannot be reached.
    """
    try:
        hello = database.client.admin.command("hello")
        build = database.client.admin.command("buildInfo")
    except PyMongoError as error:
        raise in_our_words(error, "asking for its version") from None
    if hello.get("msg") == "isdbgrid":
        topology = "sharded cluster"
    elif name := hello.get("setName"):
        topology = f"replica set {name}"
    else:
        topology = "stand-alone"
    host, port = database.client.address or ("?", 0)
    return Deployment(
        version=build["version"],
        topology=topology,
        address=f"{host}:{port}",
        supported=tuple(build["versionArray"][:2]) >= OLDEST_SERVER,
    )


def retrying(work: Callable[[], Result]) -> Result:
    """Do work that may safely be done twice, again if the connection broke or the primary moved.

    Raises:
        PyMongoError: whatever the last attempt raised.
    """
    for attempt in range(1, _ATTEMPTS):
        try:
            return work()
        except ServerSelectionTimeoutError:
            raise
        except (AutoReconnect, OperationFailure) as error:
            if isinstance(error, OperationFailure) and _reason(error)[0] not in _PASSING:
                raise
            time.sleep(_FIRST_WAIT_SECONDS * 2**attempt)
    return work()


def in_our_words(error: PyMongoError | BSONError, doing: str) -> StorageError:
    """The error to raise for one of the driver's.

    Args:
        error: what the driver raised.
        doing: what was being done, to follow "while".
    """
    code, reason = _reason(error)
    if code in _DENIED:
        return StoreUnavailable(
            f"MongoDB denied access while {doing}: {reason}. Check user, password and authSource "
            "in MONGODB_URI, and that the user has the readWrite role on MONGODB_DATABASE."
        )
    if code == _OUT_OF_DISK:
        return StoreUnavailable(
            f"MongoDB's disk is full, found while {doing}: free some space and run again."
        )
    if code in _PASSING or isinstance(error, ConnectionFailure | ConfigurationError):
        return StoreUnavailable(
            f"MongoDB cannot be reached, or did not confirm in time, while {doing}: {reason}. "
            "Check that the server of MONGODB_URI runs and is reachable from here, then run again."
        )
    return StorageError(f"MongoDB refused {doing}: {reason} (code {code}).")


def _reason(error: PyMongoError | BSONError) -> tuple[int | None, str]:
    """The server's error code and its words, without documents, commands and driver state."""
    if isinstance(error, BulkWriteError):
        problems = [*error.details["writeErrors"], *error.details["writeConcernErrors"]]
        first = next((p for p in problems if p.get("code") != DUPLICATE_KEY), problems[0])
        code, text = first.get("code"), str(first.get("errmsg", ""))
    else:
        code, text = error.code if isinstance(error, OperationFailure) else None, str(error)
    for tail in _TAILS:
        text = text.partition(tail)[0]
    return code, text[:_LONGEST_REASON].rstrip(".")


@contextmanager
def our_errors(doing: str) -> Iterator[None]:
    """Raise the driver's errors as ours, without the documents the driver quotes.

    Raises:
        StoreUnavailable: MongoDB cannot be reached, denies access, or is full.
        StorageError: it refused for another reason.
    """
    try:
        yield
    except (PyMongoError, BSONError) as error:
        raise in_our_words(error, doing) from None

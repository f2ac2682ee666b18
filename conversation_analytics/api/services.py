"""What the routes of one app share."""

from __future__ import annotations

from datetime import date

from fastapi import Request

from conversation_analytics.api.conversation import MongoLookup
from conversation_analytics.api.database import Database
from conversation_analytics.api.deadline import Deadline
from conversation_analytics.api.keys import KeyFile, KeyRing
from conversation_analytics.api.memory import Recent
from conversation_analytics.api.reader import LakeReader
from conversation_analytics.api.reports_source import ReportsSource
from conversation_analytics.api.search import Search
from conversation_analytics.api.telemetry import Telemetry
from conversation_analytics.api.users import Users
from conversation_analytics.settings import Settings
from conversation_analytics.sync.day_states import LakeState, lake_state

_LEDGER_SECONDS = 5.0


class Services:
    """Made once an app; safe to be used by many threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.telemetry = Telemetry()
        self.ring = KeyRing(KeyFile(settings.api_keys_file))
        self.reader = LakeReader(settings)
        self.database = Database()
        self.reports = ReportsSource(self.reader)
        self.search = Search(self.reader, self.database)
        self.users = Users(self.reader, self.database)
        self.mongo = MongoLookup(settings)
        self.ledger: Recent[LakeState] = Recent(
            lambda: lake_state(settings, self.reader.lake, None, None, settle=False),
            _LEDGER_SECONDS,
        )

    @property
    def today(self) -> date:
        """The local day it is."""
        return self.reader.today

    def close(self) -> None:
        """Give up memory and connections."""
        self.mongo.close()
        self.database.close()


def services_of(request: Request) -> Services:
    """The services of the app that a request is to."""
    services: Services = request.app.state.services
    return services


def deadline_of(request: Request) -> Deadline:
    """When the answer must be there."""
    deadline: Deadline = request.state.deadline
    return deadline

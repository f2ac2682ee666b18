"""What the dashboard of one app keeps between requests."""

from __future__ import annotations

from typing import Final

from conversation_analytics.api.dashboard.sessions import Sessions
from conversation_analytics.api.dashboard.shelf import Shelf
from conversation_analytics.api.memory import Recent
from conversation_analytics.api.services import Services
from conversation_analytics.reports.catalogue import Catalogue

# It is asked only why rows are in quarantine, and reads every manifest for that.
_SECONDS: Final = 60.0


class Dashboard:
    """Made once an app; safe to be used by many threads.

    Attributes:
        sessions: who is signed in.
        shelf: the reports.
        catalogue: what days there are, and of what they are made.
    """

    def __init__(self, services: Services) -> None:
        self.sessions = Sessions()
        self.shelf = Shelf(services)
        self.catalogue: Recent[Catalogue] = Recent(
            lambda: Catalogue.read(services.reader.lake), _SECONDS
        )

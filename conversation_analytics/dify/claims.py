"""Who may ask a question: the first to claim it, as decided by the lake's store itself."""

from __future__ import annotations

from typing import Protocol

from conversation_analytics.dify.records import Claim
from conversation_analytics.storage.store import ObjectStore


class ClaimRegistry(Protocol):
    """Decides who has claimed an attempt of a question, and sees to it that the lake says so."""

    def claim(self, name: str, claim: Claim) -> bool:
        """Claim an attempt; tells whether it was got.

        Args:
            name: key of the claim in the lake.
            claim: what to write there. The lake has its call already.

        Raises:
            StoreUnavailable: nobody can decide just now.
        """
        ...


class StoreClaims:
    """Claims decided by a store that can create conditionally; implements `ClaimRegistry`.

    Elsewhere two that claim within the same moment may both get it.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def claim(self, name: str, claim: Claim) -> bool:
        """See `ClaimRegistry`."""
        data = claim.encoded()
        if self._store.create(name, data) and self._store.conditional:
            return True
        # It may be ours though: a request of which the answer was lost is sent again, and finds
        # what it has written. And where nothing is conditional, somebody may have written over it.
        return self._store.get(name) == data

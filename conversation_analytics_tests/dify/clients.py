"""Clients of the contract, in the same process and in a hurry."""

from __future__ import annotations

from typing import Any

import httpx

from conversation_analytics.dify import DifyClient
from conversation_analytics_tests.services.dify_contract import KEY, DifyContract

IDLE_SECONDS = 0.3
RUN_SECONDS = 1.0


def client_of(dify: DifyContract | str, **changes: Any) -> DifyClient:
    """A client of a contract, or of a server at an address."""
    at_address = isinstance(dify, str)
    arguments: dict[str, Any] = {
        "base_url": dify if at_address else "http://dify.test/v1",
        "api_key": KEY,
        "max_retries": 3,
        "retry_delay": 0.0,
        "idle_timeout": IDLE_SECONDS,
        "run_timeout": RUN_SECONDS,
        "poll_interval": 0.01,
        # One of its own keeps proxies in the environment out of it.
        "transport": httpx.HTTPTransport() if at_address else httpx.MockTransport(dify.answer),
    }
    return DifyClient(**{**arguments, **changes})

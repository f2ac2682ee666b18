"""Clients of the contract, in a hurry, and calls of a workflow that does little."""

from __future__ import annotations

from typing import Any

import httpx

from conversation_analytics.dify import DifyClient, WorkflowRun
from conversation_analytics_tests.services.dify_contract import KEY, DifyContract, Fault

IDLE_SECONDS = 0.3
RUN_SECONDS = 1.0
INPUTS = {"text": "hello"}
OUTPUTS = {"text": "<hello>"}


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


def run(dify: DifyContract, *met: Fault, mode: str = "streaming", **changes: Any) -> WorkflowRun:
    """One call of the workflow, met with some faults."""
    dify.faults.extend(met)
    with client_of(dify, **changes) as client:
        return client.run_workflow(INPUTS, "user", response_mode=mode)  # type: ignore[arg-type]

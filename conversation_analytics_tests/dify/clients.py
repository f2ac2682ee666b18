"""Clients of the contract that do not wait for long, and calls of a workflow that does little."""

from __future__ import annotations

from typing import Any

import httpx

from conversation_analytics.dify import DifyClient, WorkflowRun
from conversation_analytics_tests.services.dify_contract import KEY, DifyContract, Fault

INPUTS = {"text": "hello"}
OUTPUTS = {"text": "<hello>"}


def client_of(dify: DifyContract | str, **changes: Any) -> DifyClient:
    """A client of a contract, or of a server at an address."""
    arguments: dict[str, Any] = {
        "api_key": KEY,
        "max_retries": 3,
        "retry_delay": 0.0,
        "poll_interval": 0.01,
    }
    if isinstance(dify, str):
        # A transport of its own keeps proxies in the environment out of it.
        arguments |= {"base_url": dify, "transport": httpx.HTTPTransport()}
    else:
        transport = httpx.MockTransport(dify.answer)
        arguments |= {"base_url": "http://dify.test/v1", "transport": transport}
    return DifyClient(**{**arguments, **changes})


def run(dify: DifyContract, *met: Fault, mode: str = "streaming", **changes: Any) -> WorkflowRun:
    """One call of the workflow, met with some faults."""
    dify.faults.extend(met)
    with client_of(dify, **changes) as client:
        return client.run_workflow(INPUTS, "user", response_mode=mode)  # type: ignore[arg-type]

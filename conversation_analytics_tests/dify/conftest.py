"""Fixtures of the tests of Dify."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conversation_analytics_tests.dify.askers import echoing
from conversation_analytics_tests.services.dify_contract import DifyContract
from conversation_analytics_tests.services.dify_server import start_dify


@pytest.fixture(scope="session")
def _echoing_server() -> Iterator[tuple[DifyContract, str]]:
    dify = echoing()
    with start_dify(dify) as url:
        yield dify, url


@pytest.fixture
def served_echo(_echoing_server: tuple[DifyContract, str]) -> tuple[DifyContract, str]:
    """A Dify that has the workflow and no runs yet, and its address."""
    dify, url = _echoing_server
    dify.runs.clear()
    return dify, url

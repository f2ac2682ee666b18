"""The OpenAPI document: it says what is true, and schemathesis finds no server error behind it."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from conversation_analytics.api.app import create_app, routes
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.api.lake import Api

DOCUMENT = create_app(load_settings(None)).openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_is_a_server_error_and_answers_are_as_described(
    case: schemathesis.Case, api: Api
) -> None:
    headers = {"X-API-Key": api.keys["admin"]}
    case.call_and_validate(base_url=str(api.client.base_url), headers=headers, checks=CHECKS)


def test_every_route_is_described_with_its_scope_and_problems() -> None:
    for route in routes():
        if route.include_in_schema:
            operation = DOCUMENT["paths"][route.path_format]["get"]
            assert operation["summary"]
            assert operation["description"]
            if "health" not in route.path:
                assert operation["x-scope"] in operation["description"]
                assert {"401", "403", "422", "429", "503"} <= set(operation["responses"])


@pytest.mark.parametrize("name", ["from", "q", "user"])
def test_parameters_have_examples(name: str) -> None:
    parameters = DOCUMENT["paths"]["/api/v1/conversations"]["get"]["parameters"]
    assert next(one for one in parameters if one["name"] == name)["schema"]["examples"]

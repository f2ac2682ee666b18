"""Failpoints stand before every durable side effect, and do nothing outside of tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import conversation_analytics
from conversation_analytics.storage import failpoints
from conversation_analytics.storage.failpoints import FAILPOINTS, failpoint, handling

PACKAGE = Path(conversation_analytics.__file__).parent
FILES = [file for file in PACKAGE.rglob("*.py") if file.name != "failpoints.py"]
CONSTANTS = {name for name, value in vars(failpoints).items() if value in FAILPOINTS}


def names_in(file: Path) -> set[str]:
    """Every name, attribute and string that a file contains."""
    found = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
            case ast.Constant(value=str(name)):
                found.add(name)
    return found


NAMES = {file: names_in(file) for file in FILES}


@pytest.mark.parametrize("constant", sorted(CONSTANTS))
def test_every_failpoint_stands_somewhere(constant: str) -> None:
    assert any({"failpoint", constant} <= names for names in NAMES.values())


def test_each_failpoint_has_its_own_name() -> None:
    assert len(set(FAILPOINTS)) == len(FAILPOINTS) == len(CONSTANTS)


def test_nothing_in_the_package_can_install_a_handler() -> None:
    ways = {"handling", "_handlers"}
    assert {file for file, names in NAMES.items() if names & ways} == set()


def test_no_handler_is_there_unless_a_test_installs_it() -> None:
    assert failpoints._handlers == []
    failpoint(failpoints.PUT)


def test_a_handler_hears_of_failpoints_while_it_is_installed() -> None:
    heard: list[str] = []
    with handling(heard.append):
        failpoint(failpoints.PUT)
        failpoint(failpoints.CLAIM)
    failpoint(failpoints.PUT)
    assert heard == [failpoints.PUT, failpoints.CLAIM]

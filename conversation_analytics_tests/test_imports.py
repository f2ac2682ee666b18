"""The rooms of the package, and who may know whom."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import conversation_analytics

PACKAGE = Path(conversation_analytics.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# In the order of the flow: a room may use its own and those on the lines before it.
ROOMS = [
    {"__init__", "errors", "settings", "logs", "notifications", "partitions", "periods", "schemas"},
    {"generator"},
    {"compute", "storage"},
    {"sources"},
    {"transforms"},
    {"sync"},
    {"dify"},
    {"categorization", "translation"},
    {"reports"},
    {"api"},
    {"resources", "io_managers", "assets", "checks", "reconcile", "retention", "jobs"},
    {"run_requests", "schedules", "sensors"},
    {"build"},
    {"definitions"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
FIRST_DAGSTER_RANK = RANK["resources"]
ONLY_THE_COMMAND_LINE_GENERATES = {"cli", "generator"}
HEAVY = {"torch", "cudf", "sklearn", "boto3", "pandas", "scipy"}
MOST_LINES = 400


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def names(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names]


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(file: Path) -> Iterator[tuple[str, bool]]:
    """(dotted name, whether loading the file imports it) of all that a file imports."""
    tree = ast.parse(file.read_bytes())
    inside = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef) or is_for_types(block)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert not getattr(node, "level", 0), f"{file}: relative import"
            yield from ((name, id(node) not in inside) for name in names(node))


def ours(file: Path) -> list[str]:
    found = (name.split(".") for name, _ in imports(file))
    return [".".join(parts) for parts in found if parts[0] == PACKAGE.name]


def used_rooms(file: Path) -> set[str]:
    rooms = {[*name.split("."), "__init__"][1] for name in ours(file)}
    return {room if room in RANK else "__init__" for room in rooms}


each_file = pytest.mark.parametrize("file", FILES, ids=module_of)


def test_every_room_has_its_place_in_the_order() -> None:
    assert {room_of(file) for file in FILES} <= set(RANK)


@each_file
def test_a_file_imports_only_from_rooms_before_it(file: Path) -> None:
    rank = RANK[room_of(file)]
    assert {room for room in used_rooms(file) if RANK[room] > rank} == set()


@each_file
def test_only_the_command_line_knows_the_generator(file: Path) -> None:
    if room_of(file) not in ONLY_THE_COMMAND_LINE_GENERATES:
        assert "generator" not in used_rooms(file)


@each_file
def test_domain_rooms_never_import_dagster(file: Path) -> None:
    if RANK[room_of(file)] < FIRST_DAGSTER_RANK:
        dagster = [name for name, _ in imports(file) if name.startswith("dagster")]
        assert dagster == []


@each_file
def test_heavy_modules_are_imported_when_they_are_needed(file: Path) -> None:
    heavy = [name for name, loaded in imports(file) if loaded and name.split(".")[0] in HEAVY]
    assert heavy == []


@each_file
def test_a_file_can_be_read_at_one_sitting(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MOST_LINES


def test_no_two_files_import_each_other() -> None:
    modules = {module_of(file) for file in FILES}
    graph = {
        module_of(file): {
            name if name in modules else name.rpartition(".")[0] for name in ours(file)
        }
        - {module_of(file)}
        for file in FILES
    }
    TopologicalSorter(graph).prepare()

"""Topics on the command line: found in the lake, reviewed, and put into the user's taxonomy."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from conversation_analytics.categorization.taxonomy import Section, load_taxonomy
from conversation_analytics_tests.builders import Pipeline
from conversation_analytics_tests.categorization.discovery.corpus import exported, rows
from conversation_analytics_tests.cli.conftest import CommandLine

# Dagster uses its own deprecated attribute when it starts resources that need others.
pytestmark = pytest.mark.filterwarnings(
    "ignore:InitResourceContext.dagster_run is deprecated:DeprecationWarning"
)

DAYS = (date(2024, 1, 2), date(2024, 1, 3))
TAXONOMY = """\
topics:
  # what the shop knows
  - name: orders
    keywords: [parcel]
intents: []
"""
PATCH = "topics:\n  - name: battery\n    keywords: [battery]\n"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake of four things that are talked about, one of them a topic."""
    folder = tmp_path_factory.mktemp("labelled")
    file = folder / "taxonomy.yaml"
    file.write_text(TAXONOMY)
    pipeline = Pipeline(folder, categories=True, taxonomy_file=file)
    pipeline.export(*exported(rows(each=16), *DAYS))
    assert pipeline.run(*DAYS).errors == []
    return folder


@pytest.fixture
def shop(ca: CommandLine, labelled: Path) -> CommandLine:
    """A copy of that lake, and a taxonomy of one's own."""
    shutil.copytree(labelled, ca.folder / "data")
    return with_taxonomy(ca)


def with_taxonomy(ca: CommandLine) -> CommandLine:
    (ca.folder / "mine.yaml").write_text(TAXONOMY)
    ca.set(TAXONOMY_FILE="mine.yaml")
    return ca


def topics_of(file: Path) -> Section:
    return load_taxonomy(file).sections["topic"]


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file can be made larger than that."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_topics_are_found_reviewed_accepted_and_then_fit(shop: CommandLine) -> None:
    found = shop.json("topics", "discover", "--patch", "found.yaml")

    assert (found["conversations"], found["hidden"]) == (48, 0)
    assert [one["size"] for one in found["topics"]] == [16, 16, 16]
    names = [one["name"] for one in found["topics"]]
    assert {"battery", "invoice", "password"} <= set(" / ".join(names).split(" / "))
    assert (shop.folder / "found.yaml").read_text() == found["patch"]

    accepted = shop("topics", "accept", "found.yaml")

    assert accepted.exit_code == 0, accepted.output
    assert f"mine.yaml has new topics: {', '.join(names)}" in accepted.stderr
    assert "backfill --stale" in accepted.stderr
    assert (shop.folder / "mine.yaml").read_text().startswith(TAXONOMY.partition("intents")[0])
    assert topics_of(shop.folder / "mine.yaml").names == ("orders", *names)

    assert shop("backfill", "--stale").exit_code == 0
    left = shop.json("topics", "discover")
    assert (left["conversations"], left["topics"], left["patch"]) == (0, [], "topics: []\n")
    assert [one["fate"] for one in left["ended"]] == ["died"] * 3


def test_a_table_shows_topics_with_what_became_of_them(shop: CommandLine) -> None:
    first = shop("topics", "discover")
    assert first.exit_code == 0, first.output
    assert "48 conversations without a topic" in first.stdout
    assert first.stdout.count("born") == 3
    assert "topics:\n  - name: " in first.stdout
    assert "0 conversations are like no others" in first.stderr

    again = shop("topics", "discover")
    assert again.stdout.count("continued") == 3
    assert "do not go on" not in again.stdout


def test_a_discovery_of_some_days_says_so_and_is_not_kept(shop: CommandLine) -> None:
    assert shop("topics", "discover").exit_code == 0
    left = (shop.folder / "data/lake/_topics/state.json").read_bytes()

    for options in (["--from", "2024-01-03"], ["--to", "2024-01-02"]):
        result = shop("topics", "discover", *options)
        assert "24 conversations without a topic" in result.stdout
        assert "of some days only, so not kept" in result.stderr
        assert "do not go on" not in result.stdout
        assert shop.json("topics", "discover", *options)["ended"] == []

    assert (shop.folder / "data/lake/_topics/state.json").read_bytes() == left


def test_topics_of_few_users_are_counted_and_neither_shown_nor_proposed(shop: CommandLine) -> None:
    shop.set(MIN_USERS_PER_CELL=17)

    result = shop("topics", "discover", "--patch", "found.yaml")

    assert result.exit_code == 0, result.output
    assert "3 more of too few users, 48 conversations" in result.stderr
    assert "there is nothing to propose: found.yaml is not written" in result.stderr
    assert not (shop.folder / "found.yaml").exists()
    assert "battery" not in result.output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--from", "yesterday"], "--from is 'yesterday': give a day such as 2024-01-31"),
        (["--to", "2024-02-30"], "--to is '2024-02-30': give a day such as 2024-01-31"),
        (["--from", "2024-01-03", "--to", "2024-01-02"], "--from 2024-01-03 is after --to"),
        (["--from", "2030-01-01"], "the lake has them from 2024-01-02 to 2024-01-03"),
        (["--patch", "mine.yaml"], "--patch is mine.yaml: it is there already"),
        (["--patch", "no/such.yaml"], "there is no folder no"),
    ],
)
def test_what_cannot_be_discovered_is_said_before_anything_is_done(
    shop: CommandLine, options: list[str], told: str
) -> None:
    result = shop("topics", "discover", *options)

    assert result.exit_code == 2
    assert told in result.stderr
    assert not (shop.folder / "data/lake/_topics").exists()
    assert (shop.folder / "mine.yaml").read_text() == TAXONOMY


def test_a_lake_without_categories_names_what_makes_them(ca: CommandLine) -> None:
    result = ca("topics", "discover")
    assert result.exit_code == 2
    assert "no day has categories yet: conversation-analytics backfill" in result.stderr


@pytest.mark.parametrize("command", [["discover"], ["accept", "found.yaml"]])
def test_a_taxonomy_that_is_not_there_is_named(shop: CommandLine, command: list[str]) -> None:
    (shop.folder / "mine.yaml").unlink()

    result = shop("topics", *command)

    assert result.exit_code == 2
    assert "mine.yaml cannot be read" in result.stderr
    assert not (shop.folder / "data/lake/_topics").exists()


def test_accepting_needs_a_taxonomy_of_ones_own(ca: CommandLine) -> None:
    result = ca("topics", "accept", "found.yaml")
    assert result.exit_code == 2
    assert "TAXONOMY_FILE is not set: copy " in result.stderr
    assert "default_taxonomy.yaml" in result.stderr


def test_a_proposal_is_accepted_once(ca: CommandLine) -> None:
    with_taxonomy(ca)
    (ca.folder / "found.yaml").write_text(PATCH)
    assert ca("topics", "accept", "found.yaml").exit_code == 0
    once = (ca.folder / "mine.yaml").read_text()

    again = ca("topics", "accept", "found.yaml")

    assert again.exit_code == 2
    assert "mine.yaml has battery already: take these topics out of the patch" in again.stderr
    assert (ca.folder / "mine.yaml").read_text() == once


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        (None, "found.yaml cannot be read"),
        (b"\xff\xfe", "found.yaml cannot be read"),
        (b"topics: [", "the patch is not YAML"),
        (b"intents: []", "the patch must be a mapping with a list of topics alone"),
        (b"topics: [{name: orders, keywords: [box]}]", "mine.yaml has orders already"),
        (b"topics: [{name: battery}]", "'battery' has neither keywords, patterns nor examples"),
    ],
)
def test_a_patch_that_cannot_be_accepted_changes_nothing(
    ca: CommandLine, patch: bytes | None, told: str
) -> None:
    with_taxonomy(ca)
    if patch is not None:
        (ca.folder / "found.yaml").write_bytes(patch)

    result = ca("topics", "accept", "found.yaml")

    assert result.exit_code == 2
    assert told in result.stderr
    assert (ca.folder / "mine.yaml").read_text() == TAXONOMY


def test_a_patch_without_topics_says_that_nothing_is_new(ca: CommandLine) -> None:
    with_taxonomy(ca)
    (ca.folder / "found.yaml").write_text("topics: []\n")

    result = ca("topics", "accept", "found.yaml")

    assert result.exit_code == 0
    assert "found.yaml has no topics: mine.yaml stays as it is" in result.stderr


def test_a_taxonomy_that_cannot_be_written_stays_as_it_is(ca: CommandLine) -> None:
    with_taxonomy(ca)
    (ca.folder / "found.yaml").write_text(PATCH)

    with full_disk(len(TAXONOMY)):
        result = ca("topics", "accept", "found.yaml")

    assert result.exit_code == 2
    assert "mine.yaml cannot be written, and stays as it is" in result.stderr
    assert (ca.folder / "mine.yaml").read_text() == TAXONOMY
    assert {one.name for one in ca.folder.iterdir()} == {"mine.yaml", "found.yaml"}


def test_a_taxonomy_keeps_its_place_its_rights_and_its_line_ends(ca: CommandLine) -> None:
    real = ca.folder / "config" / "real.yaml"
    real.parent.mkdir()
    real.write_bytes(b"\xef\xbb\xbf" + TAXONOMY.replace("\n", "\r\n").encode())
    real.chmod(0o640)
    (ca.folder / "link.yaml").symlink_to(real)
    (ca.folder / "found.yaml").write_text(PATCH)
    ca.set(TAXONOMY_FILE="link.yaml")

    assert ca("topics", "accept", "found.yaml").exit_code == 0

    assert (ca.folder / "link.yaml").readlink() == real
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes().count(b"\r\n") == real.read_bytes().count(b"\n")
    assert topics_of(real).names == ("orders", "battery")

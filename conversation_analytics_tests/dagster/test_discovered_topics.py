"""Discovered topics in Dagster: shown with a picture, followed from run to run, nobody exposed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import dagster as dg
import pytest

from conversation_analytics.build import build_defs
from conversation_analytics.settings import load_settings
from conversation_analytics_tests.builders import Pipeline
from conversation_analytics_tests.categorization.discovery.corpus import exported, rows
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS, Home, open_home

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

ASSET = dg.AssetKey("discovered_topics")
DAY = date(2024, 1, 2)
TAXONOMY = "topics: [{{name: known, keywords: [{keywords}]}}]"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Four things that are talked about: one of them a topic, one by three users only."""
    some = rows(each=16)
    for n, row in enumerate(some):
        if row["conversation_id"].startswith("invoice"):
            row["user_id"] = f"user-{n % 3}"
    label(tmp_path, "parcel")
    pipeline = Pipeline(tmp_path, categories=True, taxonomy_file=tmp_path / "taxonomy.yaml")
    pipeline.export(*exported(some, DAY))
    assert pipeline.run(DAY).errors == []
    with open_home(
        tmp_path,
        monkeypatch,
        TAXONOMY_FILE=str(tmp_path / "taxonomy.yaml"),
        MIN_USERS_PER_CELL="4",
    ) as opened:
        yield opened


def label(folder: Path, keywords: str) -> None:
    (folder / "taxonomy.yaml").write_text(TAXONOMY.format(keywords=keywords))


def run(home: Home) -> dg.ExecuteInProcessResult:
    job = build_defs(load_settings(None)).resolve_job_def("topics")
    return job.execute_in_process(instance=home.instance, raise_on_error=False)


def discovered(home: Home) -> dict[str, Any]:
    """What the asset is shown with after a run."""
    assert run(home).success
    event = home.instance.get_latest_materialization_event(ASSET)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: one.value for name, one in event.asset_materialization.metadata.items()}


def cells(table: str) -> list[list[str]]:
    """The rows of a Markdown table."""
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]


def test_topics_are_shown_with_counts_a_picture_and_a_patch(home: Home) -> None:
    shown = discovered(home)

    assert (shown["conversations_without_topic"], shown["conversations_like_no_others"]) == (48, 0)
    assert (shown["topics"], shown["topics_of_too_few_users"]) == (2, 1)
    found = cells(shown["found"])
    names = [name for _, name, *_ in found]
    assert {"battery", "password"} < set(" / ".join(names).split(" / "))
    assert [counts for _, _, *counts in found] == [["16", "16", "en"]] * 2
    assert [what for _, what in cells(shown["events"])] == ["born", "born"]
    assert all(f"- name: {name}" in shown["patch"] for name in names)
    before, _, picture = shown["plot"].partition("base64,")
    assert before == "![Topics](data:image/svg+xml;"
    drawn = ElementTree.fromstring(b64decode(picture.removesuffix(")")))
    words = " ".join(element.text for element in drawn.iter() if element.text)
    assert all(name in words for name in [*names, "1 topics of too few users"])


def test_nothing_is_told_of_what_few_users_talk_about(home: Home) -> None:
    shown = discovered(home)
    shown["plot"] = b64decode(shown["plot"].partition("base64,")[2].removesuffix(")"))
    assert "invoice" not in str(shown)


def test_topics_keep_their_identity_until_the_taxonomy_has_them(home: Home, tmp_path: Path) -> None:
    first = discovered(home)

    second = discovered(home)

    assert second["found"] == first["found"]
    assert second["events"] == "*no rows*"
    ids = {name: id_ for id_, name, *_ in cells(first["found"])}
    (battery,) = [id_ for name, id_ in ids.items() if "battery" in name]

    label(tmp_path, "parcel, battery")
    assert home.run(2, select=["categories", "category_summaries"]).success
    third = discovered(home)

    assert cells(third["events"]) == [[battery, "died"]]
    assert [id_ for id_, *_ in cells(third["found"])] == [
        id_ for id_ in ids.values() if id_ != battery
    ]


def test_a_lake_without_conversations_has_no_topics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_home(tmp_path, monkeypatch) as home:
        shown = discovered(home)
    assert (shown["conversations_without_topic"], shown["topics"]) == (0, 0)
    assert shown["found"] == shown["events"] == "*no rows*"


def test_a_lake_of_other_settings_keeps_what_its_topics_are_known_by(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    discovered(home)
    before = home.lake.store.get("_topics/state.json")
    monkeypatch.setenv("PARQUET_PARTITION_BY", "date")

    result = run(home)

    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "PARQUET_PARTITION_BY is date" in str(failure.step_failure_data.error)
    assert home.lake.store.get("_topics/state.json") == before

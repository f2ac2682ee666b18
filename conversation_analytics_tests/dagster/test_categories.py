"""Categories in Dagster: stale after another taxonomy until they are made again, with a plot."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import pytest

from conversation_analytics.build import build_defs
from conversation_analytics_tests.dagster.runs import DAGSTER_WARNS, Home, open_home
from conversation_analytics_tests.dagster.small_source import SmallSource, key

pytestmark = pytest.mark.filterwarnings(DAGSTER_WARNS)

TABLES = ("categories", "category_summaries")
TAXONOMY = "topics: [{{name: orders, keywords: [{keyword}]}}]"


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """Two days that were labelled by a taxonomy."""
    taxonomy = tmp_path / "taxonomy.yaml"
    taxonomy.write_text(TAXONOMY.format(keyword="parcel"))
    with open_home(tmp_path, monkeypatch, TAXONOMY_FILE=str(taxonomy)) as home:
        SmallSource.with_days(home.source_dir, 1, 2)
        run = home.run(1, 2)
        assert run.success, run.failures
        yield home


def observe(home: Home) -> dict[str, dg.MetadataValue]:
    """Let Dagster look at the taxonomy; gives what it shows of it."""
    definitions = build_defs(home.settings)
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=home.instance, asset_selection=[dg.AssetKey("taxonomy")]
    )
    (event,) = result.get_asset_observation_events()
    return dict(event.asset_observation_data.asset_observation.metadata)


def test_the_taxonomy_shows_its_labels_and_models(labelled: Home) -> None:
    shown = observe(labelled)

    assert shown["topics"].value == ["orders"]
    assert shown["intents"].value == []
    assert {"en", "th"} <= set(shown["languages_with_sentiment"].value)


def test_days_are_stale_after_a_change_of_the_taxonomy_until_they_are_made_again(
    labelled: Home, tmp_path: Path
) -> None:
    assert labelled.stale() == set()
    (tmp_path / "taxonomy.yaml").write_text(TAXONOMY.format(keyword="box"))
    observe(labelled)
    assert labelled.stale() == {(table, key(n)) for table in TABLES for n in (1, 2)}

    assert labelled.run(2, select=[*TABLES, "translations"]).success

    assert labelled.stale() == {(table, key(1)) for table in TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_a_day_shows_what_it_is_about_as_a_picture(labelled: Home, table: str) -> None:
    shown = labelled.metadata(table, key(1))

    before, _, picture = shown["plot"].partition("base64,")
    assert before == "![Categories](data:image/svg+xml;"
    drawn = ElementTree.fromstring(b64decode(picture.removesuffix(")")))
    words = {element.text for element in drawn.iter() if element.text}
    assert {"topics", "intent", "sentiment", "language"} <= words
    assert shown["labels"]["language_labelled"] > 0

"""What Dagster shows of a table and of a day of it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg

from conversation_analytics.schemas import CATEGORY_SUMMARIES, TableSchema
from conversation_analytics.storage.days import DayReport
from conversation_analytics.storage.lake import Lake
from conversation_analytics.storage.layout import (
    CATEGORIES_UNIT,
    REPORT_FILE,
    TRANSLATIONS_UNIT,
    UNITS,
)
from conversation_analytics.storage.manifest import Manifest

if TYPE_CHECKING:
    from conversation_analytics.dify.budget import Spending

_CELL_CHARACTERS = 60
# What the counts of a unit's manifests are of.
_COUNTED = {CATEGORIES_UNIT.name: "labels", TRANSLATIONS_UNIT.name: "translations"}


@cache
def column_schema(schema: TableSchema) -> dg.TableSchema:
    """A table's columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type),
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable,
                    unique=schema.key == (column.name,),
                    other=column.constraints,
                ),
            )
            for column in schema.columns
        ]
    )


def day_metadata(lake: Lake, schema: TableSchema, report: DayReport) -> dict[str, Any]:
    """What to show of a committed day of a lake table."""
    manifest = report.manifest
    if manifest is None:
        return {}
    entry = manifest.tables[schema.name]
    metadata: dict[str, Any] = {
        "dagster/row_count": entry.rows,
        "dagster/column_schema": column_schema(schema),
        "content_hash": entry.content_hash,
        "epoch": manifest.epoch,
        "bytes": sum(file.size for file in entry.files),
        "files": dg.MetadataValue.json([f"{lake.store.url}/{file.key}" for file in entry.files]),
        "outcome": report.outcome,
        "request": manifest.request,
    }
    if manifest.change_mark:
        metadata["change_mark"] = manifest.change_mark.isoformat()
    if manifest.counts:
        name = _COUNTED.get(report.unit, "source_rows")
        metadata[name] = dg.MetadataValue.json(manifest.counts)
    if manifest.activity_days:
        metadata["activity_days"] = dg.MetadataValue.json([str(d) for d in manifest.activity_days])
    if manifest.displaced:  # days that conversations left for this one, or came to from it
        metadata["moved_with"] = dg.MetadataValue.json([str(day) for day in manifest.displaced])
    if report.outcome == "committed":
        metadata["seconds"] = round(report.seconds, 3)
        rows = report.preview[schema.name]
    else:
        rows = _first_rows(lake, schema, report)
    metadata["preview"] = dg.MetadataValue.md(markdown_table(rows))
    metadata |= _of_unit(lake, report, manifest)
    if manifest.note:
        metadata["note"] = manifest.note
    return metadata


def _of_unit(lake: Lake, report: DayReport, manifest: Manifest) -> dict[str, Any]:
    """What to show of some units besides."""
    if report.unit == CATEGORIES_UNIT.name:
        return {"plot": _plot(lake, report), **_by_llm(manifest.counts)}
    if report.unit == TRANSLATIONS_UNIT.name:
        return _translated(manifest)
    if REPORT_FILE in manifest.documents:
        return _reported(lake, report, manifest)
    return {}


def _reported(lake: Lake, report: DayReport, manifest: Manifest) -> dict[str, Any]:
    """What a report says, in short, and where its page is."""
    from conversation_analytics.reports.plot import day_plot

    found = lake.read_document(UNITS[report.unit], report.day, REPORT_FILE)
    if found is None:
        return {}
    document = json.loads(found[1])
    summary = "\n".join(f"- {sentence}" for sentence in document["summary"])
    metadata: dict[str, Any] = {
        "report_version": manifest.revision,
        "summary": dg.MetadataValue.md(summary),
        "plot": dg.MetadataValue.md(picture(f"Report of {document['key']}", day_plot(document))),
        "documents": dg.MetadataValue.json(
            [f"{lake.store.url}/{one.key}" for one in manifest.documents.values()]
        ),
    }
    if document["restated"]:
        changes = document["restated"]["changes"]
        whole = [one for one in changes if not one["dimension"]]
        shown = [{key: one[key] for key in ("metric", "before", "after")} for one in whole]
        metadata["restated"] = dg.MetadataValue.md(markdown_table(shown))
    return metadata


def _translated(manifest: Manifest) -> dict[str, Any]:
    """What a day's translations come to."""
    from conversation_analytics.translation.summary import disagreement, language_rows

    shares = disagreement(manifest.by_language)
    return {
        "languages": dg.MetadataValue.md(markdown_table(language_rows(manifest.by_language))),
        **{f"{task}_disagreement": share for task, share in shares.items()},
    }


def _by_llm(counts: Mapping[str, int]) -> dict[str, Any]:
    """What an LLM was asked about a day's categories, and what it answered."""
    from conversation_analytics.categorization.llm.figures import llm_figures

    figures = llm_figures(counts)
    return {"llm": dg.MetadataValue.json(figures)} if figures else {}


def spending_metadata(spending: Spending) -> dict[str, Any]:
    """What a run has paid Dify so far."""
    shown = asdict(spending)
    cost = {f"cost_{currency}": float(amount) for currency, amount in shown.pop("cost").items()}
    return {**shown, **cost}


def _plot(lake: Lake, report: DayReport) -> dg.MetadataValue[Any]:
    """A day's categories as a picture that is part of the text."""
    from conversation_analytics.categorization.day_plot import day_plot

    schema = CATEGORY_SUMMARIES
    found = lake.read_day(CATEGORIES_UNIT, report.day, {schema.name: schema.names})
    svg = day_plot(found[1][schema.name] if found else schema.empty())
    return dg.MetadataValue.md(picture("Categories", svg))


def picture(title: str, svg: str) -> str:
    """An SVG picture as Markdown that needs no other file."""
    return f"![{title}](data:image/svg+xml;base64,{b64encode(svg.encode()).decode()})"


def _first_rows(lake: Lake, schema: TableSchema, report: DayReport) -> list[dict[str, Any]]:
    """The first rows of a day that was committed before."""
    found = lake.read_day(UNITS[report.unit], report.day, {schema.name: list(schema.by_name)})
    rows: list[dict[str, Any]] = found[1][schema.name].slice(0, 5).to_pylist() if found else []
    return rows


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; empty columns are left out."""
    if not rows:
        return "*no rows*"
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(row[name]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if len(text) > _CELL_CHARACTERS:
        text = text[: _CELL_CHARACTERS - 1] + "…"
    return text.replace("\n", " ").replace("|", "\\|")

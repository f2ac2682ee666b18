"""`conversation-analytics demo`: made-up conversations, processed and summed up."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conversation_analytics.cli.backfill import show_outcome
from conversation_analytics.cli.generate import generate_export
from conversation_analytics.cli.output import read_settings, say, show, show_table
from conversation_analytics.errors import SettingsError

_MOST_SHOWN = 12

if TYPE_CHECKING:
    from conversation_analytics.settings import Settings
    from conversation_analytics.storage.lake import Lake


def demo(
    messages: Annotated[int, typer.Option(help="Number of messages.")] = 20_000,
    days: Annotated[int, typer.Option(help="Days on which conversations start.")] = 90,
) -> None:
    """Generate conversations into SOURCE_DIR, process all days, show what came out."""
    from conversation_analytics.generator import GeneratorOptions

    settings = read_settings()
    if settings.source_kind != "files":
        raise SettingsError(
            "the demo makes its own source, but the settings name NocoDB: run it where no .env "
            "sets NOCODB_BASE_URL, or set SOURCE=files"
        )
    options = GeneratorOptions(
        out=settings.source_dir,
        messages=messages,
        days=days,
        profile="dify",
        dirty=True,
        start=settings.partitions_start_date,
    )
    made = generate_export(options)
    say(f"generated {made.messages.read:,} rows for {made.first_day} to {made.last_day}")

    from conversation_analytics.cli.backfilling import Backfill
    from conversation_analytics.cli.reporting import backfill_with_reports

    with Backfill(settings).prepared() as prepared:
        # A demo repeated with less data is meant to have less.
        outcomes = backfill_with_reports(prepared, None, None, None, force=True, reports=True)
    for outcome in outcomes:
        show_outcome(outcome)
    if all(outcome.success for outcome in outcomes):
        _show_summary(settings, prepared.lake)
    raise typer.Exit(max(outcome.exit_code for outcome in outcomes))


def _show_summary(settings: Settings, lake: Lake) -> None:
    url = lake.store.url
    conversations = f"{url}/{lake.layout.glob('conversations')}"
    messages = f"{url}/{lake.layout.glob('messages')}"
    summaries = f"{url}/{lake.layout.glob('category_summaries')}"
    if not settings.s3_enabled:  # DuckDB needs an extension and credentials for S3
        _show_figures(conversations, messages)
        _show_categories(summaries)
        _show_translations(f"{url}/{lake.layout.glob('translations')}", messages)
    show("")
    show(f"Parquet is in {url}. Ask it anything, for instance:")
    query = f"FROM '{conversations}' SELECT language, count(*) GROUP BY ALL ORDER BY 2 DESC"
    show(f'  {sys.executable} -c "import duckdb; duckdb.sql(\\"{query}\\").show()"')
    show("Open Dagster's UI on the same runs with: make dev")
    _show_last_week(lake)


def _show_last_week(lake: Lake) -> None:
    """The report of the last week that has all its days, or of the last one."""
    from conversation_analytics.cli.report import show_report
    from conversation_analytics.reports.published import published, read_report

    weeks = published(lake, "weekly")
    whole = [one for one in weeks if not one.shortcomings] or weeks
    document = read_report(lake, whole[-1].period)
    if document is None:
        return
    show("")
    show_report(document)
    show("")
    show(f"The same as a page: {lake.store.url}/{whole[-1].page}")
    show("And as a dashboard, at http://127.0.0.1:8000/dashboard, with: make serve")


def _show_categories(summaries: str) -> None:
    import duckdb

    from conversation_analytics.categorization.decisions import UNKNOWN

    labels = {
        "topic": f"unnest(if(len(topics) = 0, ['{UNKNOWN}'], topics))",
        "intent": f"coalesce(intent, '{UNKNOWN}')",
    }
    with duckdb.connect() as db:
        for what, column in labels.items():
            found = (
                db.read_parquet(summaries)
                .project(f"{column} AS label, sentiment_score, negative_share")
                .aggregate("label, count(*), avg(sentiment_score), avg(negative_share)")
                .order("2 DESC, 1")
                .limit(_MOST_SHOWN)
                .fetchall()
            )
            rows: list[list[Any]] = [
                [
                    label,
                    count,
                    None if score is None else f"{score:+.2f}",
                    None if negative is None else 100 * negative,
                ]
                for label, count, score, negative in found
            ]
            columns = [what, "conversations", "sentiment, -1 to 1", "negative messages %"]
            show_table(f"What it is about: {what}", columns, rows)


def _show_translations(translations: str, messages: str) -> None:
    """How many texts of each language are translated, and some of them; nothing without any."""
    import duckdb

    with duckdb.connect() as db:
        db.read_parquet(translations).create_view("translations")
        db.read_parquet(messages).create_view("messages")
        found = db.execute(
            "SELECT source_language, count_if(status = 'succeeded'), count_if(status = 'pending'), "
            "count_if(status = 'failed') FROM translations GROUP BY ALL ORDER BY 2 DESC, 1"
        ).fetchall()
        if not found:
            return
        columns = ["language", "translated", "waiting", "failed"]
        show_table("Translations", columns, [list(row) for row in found])
        some = db.execute(
            "SELECT source_language, min(content), arg_min(text, content) FROM translations "
            "JOIN messages USING (conversation_id, message_id) "
            "WHERE status = 'succeeded' AND length(content) BETWEEN 20 AND 80 "
            "GROUP BY ALL ORDER BY 1"
        ).fetchall()
        show_table("For instance", ["", "said", "translated"], [list(row) for row in some])


def _show_figures(conversations: str, messages: str) -> None:
    import duckdb

    with duckdb.connect() as db:
        db.read_parquet(conversations).create_view("conversations")
        db.read_parquet(messages).create_view("messages")

        def column(query: str) -> list[tuple[Any, ...]]:
            return db.execute(query).fetchall()

        (facts,) = column(
            "SELECT count(*), (SELECT count(*) FROM messages), count(DISTINCT user_id), "
            "count_if(escalated) FROM conversations"
        )
        names = ("conversations", "messages", "users", "escalations")
        rows: list[list[Any]] = [[name, value] for name, value in zip(names, facts, strict=True)]
        costs = column(
            "SELECT currency, sum(cost) FROM conversations WHERE cost IS NOT NULL "
            "GROUP BY ALL ORDER BY currency"
        )
        rows += [[f"cost, {currency or 'no currency'}", float(cost)] for currency, cost in costs]
        show_table("What came out", ["", "in all"], rows)
        languages = column(
            "SELECT coalesce(language, 'not declared'), count(*) FROM conversations "
            "GROUP BY ALL ORDER BY 2 DESC"
        )
        show_table(
            "Languages declared", ["language", "conversations"], [list(r) for r in languages]
        )

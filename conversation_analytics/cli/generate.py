"""`conversation-analytics generate`: make an export of realistic conversations."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from conversation_analytics.cli.output import day_option, errors, show, show_json
from conversation_analytics.errors import SettingsError

if TYPE_CHECKING:
    from conversation_analytics.generator import GeneratorOptions, GeneratorSummary

MARKER = ".generated"
_OURS = (
    "conversations.jsonl",
    "messages.jsonl",
    "expected_quarantine.jsonl",
    "expected_counts.json",
)


def generate(
    out: Annotated[Path, typer.Option(help="Folder to write the export into.")],
    messages: Annotated[int, typer.Option(help="Number of messages.")] = 20_000,
    days: Annotated[int, typer.Option(help="Days on which conversations start.")] = 90,
    seed: Annotated[int, typer.Option(help="Same seed and options, same bytes.")] = 0,
    profile: Annotated[Literal["plain", "dify"], typer.Option(help="Shape of the rows.")] = "plain",
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "2024-01-01",
    dirty: Annotated[
        bool, typer.Option("--dirty", help="Mix in unusable rows, and write down which.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Write an export of made-up conversations in many languages."""
    from conversation_analytics.generator import GeneratorOptions

    options = GeneratorOptions(
        out=out,
        messages=messages,
        days=days,
        seed=seed,
        profile=profile,
        dirty=dirty,
        start=day_option("--start", start) or date(2024, 1, 1),
    )
    summary = generate_export(options)
    if as_json:
        from dataclasses import asdict

        show_json(asdict(summary))
        return
    show(
        f"{summary.out}: {summary.conversations.read:,} conversations and "
        f"{summary.messages.read:,} message rows, {summary.first_day} to {summary.last_day}"
    )
    for table, counts in (("conversations", summary.conversations), ("messages", summary.messages)):
        if counts.read != counts.represented:
            show(
                f"  {table}: {counts.represented:,} usable, {counts.quarantined:,} to be "
                f"quarantined, {counts.soft_deleted:,} soft-deleted, "
                f"{counts.identical_duplicates:,} identical duplicates"
            )
    show("  languages: " + ", ".join(f"{k} {v:,}" for k, v in summary.languages.items()))


def generate_export(options: GeneratorOptions) -> GeneratorSummary:
    """Write an export with a progress bar, replacing an earlier one but nothing else.

    Raises:
        SettingsError: the folder holds something that was not generated.
        StoreUnavailable: a file cannot be written.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from conversation_analytics.generator import generate as write_export

    _take_folder(options.out)
    columns = (
        TextColumn("generating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task("rows", total=options.rows)

        def tell(written: int) -> None:
            progress.update(task, completed=written, total=max(options.rows, written))

        return write_export(options, tell)


def _take_folder(out: Path) -> None:
    """Mark a folder as ours, unless it holds anything else.

    Raises:
        SettingsError: it does, or cannot be used.
    """
    try:
        there = sorted(path.name for path in out.iterdir()) if out.exists() else []
        names = [name for name in there if not name.endswith(".partial")]
        foreign = [name for name in names if name not in _OURS and name != MARKER]
        if names and (foreign or MARKER not in names):
            found = ", ".join((foreign or names)[:5])
            raise SettingsError(
                f"--out is {out}: the folder holds files that were not generated there ({found}); "
                "nothing was changed. Choose an empty or a new folder."
            )
        out.mkdir(parents=True, exist_ok=True)
        (out / MARKER).touch()
    except OSError as error:
        raise SettingsError(
            f"--out is {out}: not a folder that can be written ({error.strerror}). Choose another."
        ) from error

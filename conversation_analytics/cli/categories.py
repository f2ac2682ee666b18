"""`conversation-analytics categories`: what other taxonomies, models or corrections change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conversation_analytics.cli.output import (
    CommandGroup,
    ExitCode,
    Json,
    day_option,
    read_settings,
    say,
    show_json,
    show_table,
)
from conversation_analytics.errors import SettingsError

if TYPE_CHECKING:
    from conversation_analytics.categorization.changes import Changes, Labels

categories_app = typer.Typer(
    cls=CommandGroup, help="Compare labels, and use people's.", no_args_is_help=True
)

_SHOWN = 10


@categories_app.callback()
def _categories() -> None:
    pass


@categories_app.command()
def diff(
    before: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Taxonomy before: a version or a file. Default: the labels that the lake holds.",
        ),
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="Taxonomy after. Default: the settings' taxonomy, models and "
            "corrections, as `backfill --stale` would label.",
        ),
    ] = None,
    first: Annotated[str | None, typer.Option("--first-day", help="Default: the first.")] = None,
    last: Annotated[str | None, typer.Option("--last-day", help="Default: the last.")] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Conversations to compare, about; always the same. Default: all."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which conversations get other labels, and why, without changing anything."""
    from conversation_analytics.cli.comparing import compared

    days = day_option("--first-day", first), day_option("--last-day", last)
    found = compared(read_settings(), before, after, days, most=sample)
    if as_json:
        show_json(_plain(found))
    else:
        _show(found)
    raise typer.Exit(ExitCode.DIFFERENCE if found.changed else ExitCode.OK)


@categories_app.command()
def corrected(
    out: Annotated[Path, typer.Option(help="File of JSON lines to write.")],
) -> None:
    """Write the texts that people labelled, to measure by (`evaluate`) and to learn from.

    In the taxonomy `examples_file` names a file to learn intents and topics from.
    """
    import orjson

    from conversation_analytics.categorization.corrected_texts import corrected_texts
    from conversation_analytics.categorization.days import labeller_for
    from conversation_analytics.cli.known_lake import known_lake

    settings = read_settings()
    if settings.human_labels_file is None:
        raise SettingsError("HUMAN_LABELS_FILE is not set: there are no labels of people")
    corrections = labeller_for(settings).corrections
    rows = list(corrected_texts(known_lake(settings), corrections))
    try:
        out.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    except OSError as error:
        raise SettingsError(f"--out: {out} cannot be written: {error}") from error
    given = sum(len(row["labels"]) for row in rows)
    targets = len(corrections.labels)
    say(f"{out}: {len(rows):,} texts with {given:,} of the {targets:,} labels that people gave")
    if given < targets:
        say("The lake has no texts for the others.")


def _show(found: Changes) -> None:
    if found.compared < found.conversations:
        say(f"compared {found.compared:,} of {found.conversations:,} conversations")
    show_table(
        "Conversations with other labels",
        ["task", "conversations", "of those compared"],
        [
            [task, count, f"{count / max(found.compared, 1):.1%}"]
            for task, count in found.changed.most_common()
        ],
    )
    for task, steps in found.steps.items():
        rows = []
        for (before, after), count in steps.most_common(_SHOWN):
            change = found.examples[task, before, after][0]
            why = _why(change.after)
            rows.append([before, after, count, change.conversation_id, why])
        title = f"{task}: the {_SHOWN} most frequent changes" if len(steps) > _SHOWN else task
        show_table(title, ["from", "to", "conversations", "such as", "because"], rows)


def _why(said: Labels | None) -> str:
    """What led to the labels, in short."""
    if said is None:
        return ""
    details = ", ".join(f"{name} {value}" for name, value in said.why.items())
    return f"{said.method} {said.confidence:.2f}" + (f": {details}" if details else "")


def _plain(found: Changes) -> dict[str, Any]:
    return {
        "conversations": found.conversations,
        "compared": found.compared,
        "changed": dict(found.changed),
        "steps": [
            {
                "task": task,
                "from": before,
                "to": after,
                "conversations": count,
                "examples": found.examples[task, before, after],
            }
            for task, steps in found.steps.items()
            for (before, after), count in steps.most_common()
        ],
    }

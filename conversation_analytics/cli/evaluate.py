"""`conversation-analytics evaluate`: how good labels are, measured by labelled texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from conversation_analytics.cli.evaluating import (
    Options,
    Task,
    decided,
    model_version,
    rows_of,
    written_in,
)
from conversation_analytics.cli.output import Json, say, show_json, show_table
from conversation_analytics.errors import SettingsError

if TYPE_CHECKING:
    from conversation_analytics.categorization.confusion import Confusion
    from conversation_analytics.categorization.evaluation import Evaluation, Figures

Item = TypeVar("Item")

_SAID_EVERY = 5_000  # texts
_SHOWN_CONFUSIONS = 10
_COLUMNS = {
    "accuracy": "accuracy %",
    "macro_f1": "macro-F1 %",
    "macro_recall": "macro-recall %",
    "ece": "ECE %",
    "coverage": "coverage %",
    "precision": "precision %",
    "accuracy_given": "given and right %",
    "out_of_scope_recall": "out-of-scope recall %",
}


def evaluate(
    data: Annotated[Path, typer.Option(help="Labelled texts: JSON lines or CSV, .gz or not.")],
    task: Annotated[Task, typer.Option(help="What the labels say.")],
    train: Annotated[
        Path | None, typer.Option(help="Labelled texts to learn intents or topics from.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="Learn from the data: so many parts, each held out once.")
    ] = None,
    taxonomy: Annotated[
        Path | None, typer.Option(help="Taxonomy; else TAXONOMY_FILE, else the one that ships.")
    ] = None,
    shots: Annotated[int | None, typer.Option(help="Learn from so many texts a label.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="What tells what a text is about; default: TEXT_ENCODER.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only texts of this source.")] = None,
    split: Annotated[str | None, typer.Option(help="Only measure texts of this split.")] = None,
    confusion: Annotated[
        Path | None,
        typer.Option(
            help="Write here how often labels are confused: reports correct shares by it."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure labels by texts whose labels are known.

    Of intents and topics, a taxonomy is measured, or with --train or --folds what is learnt from
    labelled texts. Texts labelled `oos`, `out_of_scope` or `unknown` should be given no label.
    """
    from conversation_analytics.categorization.confusion import confusion_of
    from conversation_analytics.categorization.evaluation import evaluate as compare

    options = Options(data, task, train, folds, taxonomy, shots, encoder, source, split, confusion)
    options.check()
    rows = rows_of(options, data, split)
    languages = written_in(rows, task)
    said = list(_counted(decided(options, rows, languages), len(rows)))
    true = [row.labels[task] for row in rows]
    evaluation = compare(true, said, languages)
    if confusion is not None:
        _write(confusion, confusion_of(task, true, said, model_version(options, rows), data.name))
    if as_json:
        show_json(_as_dict(evaluation))
    else:
        _show(f"{data.name}: {task}", evaluation)


def _write(file: Path, confusion: Confusion) -> None:
    try:
        confusion.save(file)
    except OSError as error:
        raise SettingsError(f"--confusion {file} cannot be written: {error}") from error


def _counted(decisions: Iterable[Item], total: int) -> Iterator[Item]:
    """The decisions, with a line on standard error every now and then."""
    for number, decision in enumerate(decisions, start=1):
        yield decision
        if number % _SAID_EVERY == 0:
            say(f"{number:,} of {total:,} texts")


def _as_dict(evaluation: Evaluation) -> dict[str, Any]:
    from dataclasses import asdict

    found = asdict(evaluation)
    names = ("true", "said", "texts")
    found["confusion"] = [dict(zip(names, one, strict=True)) for one in evaluation.confusion]
    return found


def _show(title: str, evaluation: Evaluation) -> None:
    groups = {"all": evaluation.overall}
    if len(evaluation.languages) > 1:
        groups |= evaluation.languages
    columns = ["language", "texts", *_COLUMNS.values(), "out of scope"]
    show_table(title, columns, [_row(name, figures) for name, figures in groups.items()])
    if evaluation.reasons:
        rows: list[list[Any]] = [list(one) for one in evaluation.reasons.items()]
        show_table("Given no label", ["reason", "texts"], rows)
    if evaluation.confusion:
        shown = [list(one) for one in evaluation.confusion[:_SHOWN_CONFUSIONS]]
        show_table("Mistakes", ["label", "said", "texts"], shown)


def _row(name: str, figures: Figures) -> list[Any]:
    values = [getattr(figures, field) for field in _COLUMNS]
    shares = [None if value is None else 100 * value for value in values]
    return [name, figures.texts, *shares, figures.out_of_scope]

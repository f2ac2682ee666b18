"""What `evaluate` measures: the texts, what they are written in, and what is decided of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from conversation_analytics.cli.output import read_settings, say
from conversation_analytics.errors import LabelledDataInvalid, SettingsError

if TYPE_CHECKING:
    from conversation_analytics.categorization.decisions import Decision
    from conversation_analytics.categorization.encoders import TextEncoder
    from conversation_analytics.categorization.labelled import Labelled
    from conversation_analytics.categorization.predictors import Learner, Predictor
    from conversation_analytics.categorization.taxonomy import Section, TaxonomyTask
    from conversation_analytics.categorization.taxonomy_labels import TaxonomyLabeller

Task = Literal["language", "sentiment", "intent", "topic"]

_LEARNT: tuple[Task, ...] = ("intent", "topic")


@dataclass(frozen=True)
class Options:
    """What to learn from, and what to measure."""

    data: Path
    task: Task
    train: Path | None
    folds: int | None
    taxonomy: Path | None
    shots: int | None
    encoder: str | None
    source: str | None
    split: str | None
    confusion: Path | None

    def check(self) -> None:
        """Raise a `SettingsError` if the options do not go together."""
        learns = self.train is not None or self.folds is not None
        if self.task not in _LEARNT and (learns or self.taxonomy is not None):
            raise SettingsError(
                f"--train, --folds and --taxonomy are for intents and topics, not for {self.task}"
            )
        if self.train is not None and self.folds is not None:
            raise SettingsError("--train and --folds both say what to learn from: give one of them")
        if self.confusion is not None and learns:
            raise SettingsError(
                "--confusion is of what labels conversations: leave out --train and --folds"
            )
        if self.folds is not None and self.folds < 2:
            raise SettingsError(f"--folds is {self.folds}: give 2 or more")
        if self.shots is not None and (self.shots < 1 or not learns):
            raise SettingsError(
                f"--shots is {self.shots}: give 1 or more, and --train or --folds to take them from"
            )


def rows_of(options: Options, file: Path, split: str | None) -> list[Labelled]:
    """A file's rows that have a label, of the source and the split asked for.

    Raises:
        LabelledDataInvalid: there are none, or the file cannot be read.
    """
    from conversation_analytics.categorization.labelled import read_labelled

    rows = read_labelled(file, options.task)
    wanted = {"source": options.source, "split": split}
    for field, value in wanted.items():
        rows = [row for row in rows if value is None or getattr(row, field) == value]
        if not rows:
            raise LabelledDataInvalid(f"{file}: no row with a label has the {field} {value!r}")
    return rows


def written_in(rows: list[Labelled], task: Task) -> list[str]:
    """What each text is said to be in, else what it seems to be in."""
    from conversation_analytics.categorization.language import languages_of

    if task == "language":
        return [row.labels[task] for row in rows]
    told = languages_of([row.text for row in rows])
    return [row.language or found.code for row, found in zip(rows, told, strict=True)]


def decided(options: Options, rows: list[Labelled], languages: list[str]) -> Iterable[Decision]:
    """What is decided of each row.

    Raises:
        ConversationAnalyticsError: what decides cannot be used; says why.
    """
    from conversation_analytics.categorization.predictors import decide, decide_unseen

    if options.folds is None:
        return decide(_predictor(options, rows), rows, languages)
    task = cast("TaxonomyTask", options.task)
    found = decide_unseen(_learner(options), rows, languages, task, options.folds)
    return (decision for _, decision in sorted(found, key=lambda one: one[0]))


def _predictor(options: Options, rows: list[Labelled]) -> Predictor:
    """What decides, where it does not learn from the texts that it is measured by."""
    from conversation_analytics.categorization.predictors import (
        by_language,
        by_sentiment,
        by_taxonomy,
        without,
    )

    if options.task == "language":
        return by_language
    if options.task == "sentiment":
        from conversation_analytics.categorization.sentiment import sentiment_model

        return by_sentiment(sentiment_model())
    if options.train is not None:
        say(f"Learning from {options.train.name}")
        learnt = rows_of(options, options.train, None)
        same = options.train.resolve() == options.data.resolve()
        return _learner(options)(without(learnt, rows) if same else learnt)
    return by_taxonomy(_labeller(options, rows))


def model_version(options: Options, rows: list[Labelled]) -> str:
    """The version of what decides, as categories carry it."""
    if options.task == "language":
        from conversation_analytics.categorization.language import LANGUAGE_VERSION

        return LANGUAGE_VERSION
    if options.task == "sentiment":
        from conversation_analytics.categorization.sentiment import sentiment_model

        return sentiment_model().version
    return _labeller(options, rows).version


def _labeller(options: Options, rows: list[Labelled]) -> TaxonomyLabeller:
    """What labels by a taxonomy, trained once in a process."""
    from conversation_analytics.categorization.taxonomy import DEFAULT_FILE
    from conversation_analytics.categorization.taxonomy_labels import taxonomy_labeller

    file = options.taxonomy or read_settings().taxonomy_file or DEFAULT_FILE
    section = _section(options, file)
    if not {row.labels[options.task] for row in rows} & set(section.names):
        raise LabelledDataInvalid(
            f"{options.data}: none of its labels is in the taxonomy {file}, whose labels are "
            f"{', '.join(section.names)}"
        )
    return taxonomy_labeller(section, _encoder(options))


def _learner(options: Options) -> Learner:
    from conversation_analytics.categorization.predictors import learner

    section = None if options.taxonomy is None else _section(options, options.taxonomy)
    task = cast("TaxonomyTask", options.task)
    return learner(task, _encoder(options), section, options.shots)


def _section(options: Options, file: Path) -> Section:
    from conversation_analytics.categorization.taxonomy import load_taxonomy

    task = cast("TaxonomyTask", options.task)
    section = load_taxonomy(file).sections.get(task)
    if section is None:
        raise SettingsError(f"{file} has no {task}s")
    return section


def _encoder(options: Options) -> TextEncoder:
    from conversation_analytics.categorization.encoders import encoder_for

    settings = read_settings()
    return encoder_for(options.encoder or settings.text_encoder, settings.enable_gpu)

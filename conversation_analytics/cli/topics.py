"""`conversation-analytics topics`: what conversations are about that no topic fits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conversation_analytics.cli.output import (
    CommandGroup,
    Json,
    day_option,
    read_settings,
    say,
    show,
    show_json,
    show_table,
)
from conversation_analytics.errors import SettingsError

if TYPE_CHECKING:
    from conversation_analytics.categorization.discovery.discover import Discovery
    from conversation_analytics.categorization.discovery.lineage import Ended

topics_app = typer.Typer(
    cls=CommandGroup, help="Find topics, and put them into your taxonomy.", no_args_is_help=True
)

_TERMS = 6


@topics_app.command()
def discover(
    first: Annotated[str | None, typer.Option("--from", help="First day; default: all.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last day, included.")] = None,
    patch: Annotated[
        Path | None,
        typer.Option(help="New file to write the proposed topics to, for you to review."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Cluster the conversations that no topic fits, and name what is found.

    Topics are followed from one discovery of all days to the next; one of some days is not kept.
    Topics of fewer users than MIN_USERS_PER_CELL are counted, but not shown.
    """
    from conversation_analytics.cli.discovering import discovered

    settings = read_settings()
    begin, end = day_option("--from", first), day_option("--to", last)
    if patch is not None:
        _refuse_unless_new(patch)
    found, proposed = discovered(settings, begin, end)
    # Of what other days are about, a discovery of some days tells nothing.
    ended = () if begin or end else found.lineage.ended
    if as_json:
        show_json(_plain(found, ended, proposed))
    else:
        _show(found, ended)
    if begin or end:
        say("of some days only, so not kept: the ids of topics that are new may change")
    if patch is not None:
        _write(patch, proposed, topics=len(found.topics))
    elif found.topics and not as_json:
        show("A patch for your taxonomy; --patch FILE writes it to a file:")
        show(proposed)


@topics_app.command()
def accept(
    patch: Annotated[Path, typer.Argument(help="The file that `topics discover --patch` wrote.")],
) -> None:
    """Put reviewed topics into the file that TAXONOMY_FILE names, behind those there are."""
    from conversation_analytics.cli.discovering import accepted

    file, topics = accepted(read_settings(), patch)
    if not topics:
        say(f"{patch} has no topics: {file} stays as it is")
        return
    say(f"{file} has new topics: {', '.join(topics)}")
    say("label the conversations again: conversation-analytics backfill --stale")


def _refuse_unless_new(patch: Path) -> None:
    """Raise a `SettingsError` before the work is done, not after it."""
    if patch.exists():
        raise SettingsError(
            f"--patch is {patch}: it is there already, and somebody may have reviewed it. Give "
            "another name, or remove it"
        )
    if not patch.parent.is_dir():
        raise SettingsError(f"--patch is {patch}: there is no folder {patch.parent}")


def _write(patch: Path, proposed: str, *, topics: int) -> None:
    if not topics:
        say(f"there is nothing to propose: {patch} is not written")
        return
    try:
        patch.write_text(proposed, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--patch is {patch}: it cannot be written ({error})") from error
    say(f"wrote {patch}: review it, then: conversation-analytics topics accept {patch}")


def _show(found: Discovery, ended: Sequence[Ended]) -> None:
    began = {one.topic: one.words for one in found.lineage.began}
    show_table(
        f"{found.conversations:,} conversations without a topic",
        ["id", "topic", "conversations", "users", "language", "since the last", "said in it"],
        [
            [
                topic.id,
                topic.name,
                topic.size,
                topic.users,
                topic.language,
                began[topic.id],
                ", ".join(term.text for term in topic.terms[:_TERMS]),
            ]
            for topic in found.topics
        ],
    )
    if gone := [[one.topic, one.words] for one in ended if one.fate != "continued"]:
        show_table("Topics of the last discovery that do not go on", ["id", "what became"], gone)
    if found.hidden:
        say(f"{found.hidden} more of too few users, {found.hidden_conversations:,} conversations")
    say(f"{found.unclustered:,} conversations are like no others")


def _plain(found: Discovery, ended: Sequence[Ended], proposed: str) -> dict[str, Any]:
    return {
        "conversations": found.conversations,
        "topics": found.topics,
        "hidden": found.hidden,
        "hidden_conversations": found.hidden_conversations,
        "unclustered": found.unclustered,
        "ended": ended,
        "began": found.lineage.began,
        "patch": proposed,
    }

"""`conversation-analytics categorize`: what is said of a text, and why."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from conversation_analytics.cli.output import Json, read_settings, show_json, show_table


def categorize(
    text: Annotated[str, typer.Argument(help="The text; - reads it from standard input.")],
    as_json: Json = False,
) -> None:
    """Label a text as a user's message would be, and explain each label."""
    from conversation_analytics.categorization.days import labeller_for
    from conversation_analytics.categorization.explanation import explained

    if text == "-":
        text = sys.stdin.read()
    labels = explained(labeller_for(read_settings()), text)
    if as_json:
        show_json(labels)
        return
    rows = [
        [task, one["label"], 100 * one["confidence"], one["method"], _because(one)]
        for task, some in labels.items()
        for one in some
    ]
    show_table("", ["task", "label", "confidence %", "decided by", "because"], rows)


def _because(label: dict[str, Any]) -> str:
    """What speaks for a label, in short."""
    why = label["why"]
    if label["reason"]:
        likeliest = f", likeliest is {why['candidate']}" if "candidate" in why else ""
        return f"{label['reason']}{likeliest}"
    if keywords := why.get("keywords", {}).get(label["label"]):
        return f"keywords {', '.join(keywords)}"
    return ", ".join(f"{one['text']} {one['weight']:+.2f}" for one in why.get("features", [])[:5])

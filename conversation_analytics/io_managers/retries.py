"""When Dagster runs a step again by itself: source or store could not be reached.

Everything else fails at once, because it would only fail again: settings, schemas, checks, too
many deletions. The step that is run again does the days that are not done yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from conversation_analytics.errors import TRANSIENT
from conversation_analytics.settings import Settings

_LONGEST_PAUSE_SECONDS = 300

Context = dg.AssetExecutionContext | dg.OpExecutionContext


def step_retries(settings: Settings) -> dg.RetryPolicy:
    """How patient steps are: as patient as requests, which have been sent again before that."""
    return dg.RetryPolicy(
        max_retries=settings.max_retries,
        delay=settings.retry_delay,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.FULL,
    )


@contextmanager
def retried_if_unavailable(context: Context, policy: dg.RetryPolicy) -> Iterator[None]:
    """Have the step run again if source or store cannot be reached in the context.

    Raises:
        dagster.RetryRequested: it is to run again; else what happened is raised as it is.
    """
    try:
        yield
    except TRANSIENT as error:
        raise to_be_retried(context, policy, error) from error


def to_be_retried(context: Context, policy: dg.RetryPolicy, error: Exception) -> Exception:
    """What to raise so that the step runs again: a request, or the error after the last try."""
    if context.retry_number >= policy.max_retries:
        return error
    pause = min(policy.calculate_delay(context.retry_number + 1), _LONGEST_PAUSE_SECONDS)
    context.log.warning("%s: trying again in %.1f s", error, pause)
    return dg.RetryRequested(max_retries=policy.max_retries, seconds_to_wait=pause)

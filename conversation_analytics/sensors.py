"""Sensors: what Dagster does by itself when something happened."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from conversation_analytics.errors import ConversationAnalyticsError
from conversation_analytics.logs import secrets_of, without_secrets
from conversation_analytics.notifications import FailedRun, Notifier
from conversation_analytics.partitions import day_key
from conversation_analytics.resources.lake import LakeResource
from conversation_analytics.resources.sources import NocoDBResource, SourceResource
from conversation_analytics.run_requests import ASKED_TAG, RunRequests, days_of
from conversation_analytics.settings import Settings

_TICK_SECONDS = 8
_WILL_RETRY_TAG = "dagster/will_retry"


def changes_sensor(
    settings: Settings, daily: "dg.UnresolvedAssetJobDefinition", sweep: dg.JobDefinition
) -> dg.SensorDefinition:
    """The sensor that follows the source.

    A tick looks at what changed, for eight seconds at most and on from there at the next tick,
    and asks for a run for each range of days that are behind. Where changes cannot tell, it asks
    for a sweep.
    """

    @dg.sensor(
        name="nocodb_changes_sensor",
        jobs=[daily, sweep],
        minimum_interval_seconds=settings.sync_interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=changes_sensor.__doc__,
    )
    def nocodb_changes_sensor(
        context: dg.SensorEvaluationContext, source: SourceResource, lake: LakeResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        from conversation_analytics.storage.failpoints import RUN_REQUEST, failpoint
        from conversation_analytics.storage.freshness import mongo_records
        from conversation_analytics.sync.cursor import CursorStore
        from conversation_analytics.sync.look import look_at_changes
        from conversation_analytics.sync.pending import pending_days

        with _told_in_one_line():
            opened_lake = lake.open()
            with _impatient(source).session() as opened:
                look = look_at_changes(settings, opened_lake, opened, seconds=_TICK_SECONDS)
            cursor = CursorStore(opened_lake.store).read()
            pending = pending_days(opened_lake, mongo_records(settings))
        context.update_cursor(cursor.model_dump_json() if cursor else "")
        requests = RunRequests(context.instance)
        if look.sweep:
            requests.sweep(f"{look.sweep}@{cursor.epoch if cursor else 0}")
        if pending:
            requests.days(pending, anchor=settings.calendar.day_of(datetime.now(UTC)))
        for request in requests.found:
            failpoint(RUN_REQUEST)
            yield request
        if not requests.found:
            seen = ", ".join(f"{count} rows for {what}" for what, count in look.rows.items())
            waiting = f"; {len(pending)} days behind wait for their time" if pending else ""
            yield dg.SkipReason(f"fetched {seen or 'nothing'}{waiting}")

    return nocodb_changes_sensor


def failure_sensor(settings: Settings, notifiers: Sequence[Notifier]) -> dg.SensorDefinition:
    """The sensor that tells people of runs that failed."""
    secrets = secrets_of(settings)

    @dg.run_failure_sensor(
        name="run_failure_sensor",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=failure_sensor.__doc__,
    )
    def run_failure_sensor(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        days = days_of(run)
        failed = FailedRun(
            job=run.job_name,
            run_id=run.run_id,
            first_day=day_key(days[0]) if days else None,
            last_day=day_key(days[-1]) if days else None,
            error=without_secrets(_first_error(context), secrets),
            will_be_retried=ASKED_TAG in run.tags or run.tags.get(_WILL_RETRY_TAG) == "true",
        )
        for notifier in notifiers:
            notifier.notify(failed)

    return run_failure_sensor


def _impatient(source: SourceResource) -> SourceResource:
    """The source with one more try only: the next tick comes soon, and Dagster waits a minute."""
    if isinstance(source, NocoDBResource):
        return source.model_copy(update={"max_retries": min(source.max_retries, 1)})
    return source


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Errors that speak for themselves, without the code they came from."""
    try:
        yield
    except ConversationAnalyticsError as error:
        raise dg.Failure(f"{type(error).__name__}: {error}") from None


def _first_error(context: dg.RunFailureSensorContext) -> str:
    """The cause of the first failure in a run, in one line."""
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        own = data.user_failure_data
        if own and own.metadata:
            day, why = min(own.metadata.items())
            return f"{day}: {why.value}"
        error = data.error
        while error and error.cause:
            error = error.cause
        if error:
            return error.message.strip().partition("\n")[0]
    return (context.failure_event.message or "it ended without a word").partition("\n")[0]

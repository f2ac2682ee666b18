"""Running workflows of Dify over its Service API.

    client.py       runs a workflow; reads, stops, uploads
    connection.py   requests, and which may be sent again
    limits.py       how often calls are started
    answers.py      what comes back, and how long it may take
    cutoff.py       ends connections whose answer does not end
    events.py       what a stream tells
    runs.py         what is known of a run, and its result
    refusals.py     Dify's error codes as errors that say what to do
    files.py        files as inputs

    questions.py    what is asked of a workflow, and what became of it
    asking.py       has questions answered without paying twice: `PaidAsker`
    calls.py        one call, recorded step by step
    ledger.py       the record of all calls, in the lake
    claims.py       who may ask a question
    mongo.py        what MongoDB does for the ledger
    mongo_calls.py  its copy of the calls
    records.py      what the ledger holds
    standing.py     where a question stands by it
    batches.py      which questions are asked together
    budget.py       limits of a run, and what it has spent
    rates.py        what calls cost on average
    estimate.py     what asking would cost

Dify has no idempotency key, so a call is sent again only while it is sure that none was started;
after that its run is read back by its id, however the answer was lost.
"""

from conversation_analytics.dify.client import DifyClient
from conversation_analytics.dify.events import Event
from conversation_analytics.dify.files import LocalFile, RemoteFile, UploadedFile
from conversation_analytics.dify.runs import WorkflowRun

__all__ = ["DifyClient", "Event", "LocalFile", "RemoteFile", "UploadedFile", "WorkflowRun"]

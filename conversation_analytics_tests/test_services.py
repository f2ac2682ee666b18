"""Each service of the harness does the one thing other tests rely on it for."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pymongo import MongoClient

from conversation_analytics_tests.services.browser import open_browser
from conversation_analytics_tests.services.nocodb_server import NocoDB
from conversation_analytics_tests.services.postgres_server import Postgres
from conversation_analytics_tests.services.process import Process, ServiceError
from conversation_analytics_tests.services.s3_servers import S3Server

services = pytest.mark.services


@services
def test_an_aborted_mongo_transaction_leaves_nothing(mongo_uri: str, mongo_database: str) -> None:
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_uri)
    with client, client.start_session() as session:
        days = client[mongo_database]["days"]
        with session.start_transaction():
            days.insert_one({"_id": "kept"}, session=session)
        session.start_transaction()
        days.insert_one({"_id": "dropped"}, session=session)
        session.abort_transaction()
        assert [day["_id"] for day in days.find()] == ["kept"]


@services
def test_rows_of_a_nocodb_table_come_back_as_written(nocodb: NocoDB) -> None:
    base = nocodb.create_base(f"own {uuid.uuid4().hex[:6]}")
    table = nocodb.create_table(base, "messages", {"message_id": "SingleLineText", "n": "Number"})
    ids = nocodb.insert(table, [{"message_id": f"ข้อความ-{n}", "n": n} for n in range(250)])
    nocodb.update(table, [{"Id": ids[1], "n": 1000}])
    nocodb.delete(table, ids[2:])
    rows = nocodb.records(table, limit=1000, sort="Id")
    assert [(row["message_id"], row["n"]) for row in rows] == [("ข้อความ-0", 0), ("ข้อความ-1", 1000)]
    assert nocodb.tables(base) == {"messages": table}


@services
def test_nocodb_shows_the_rows_of_dify_tables_in_postgres(
    nocodb: NocoDB, postgres: Postgres, tmp_path: Path
) -> None:
    conversation = {
        "id": str(uuid.uuid4()),
        "name": "สวัสดี",
        "inputs": {"username": "somchai", "language": "th"},
        "created_at": "2024-01-01T10:00:00.123456+00:00",
        "is_deleted": False,
    }
    message = {
        "id": str(uuid.uuid4()),
        "conversation_id": conversation["id"],
        "query": "a question",
        "message": [{"role": "user", "text": "a question"}],
        "answer": "tabs\tand\nlines",
        "total_price": "0.0001230",
        "created_at": "2024-01-01T10:00:01+00:00",
    }
    for name, row in (("conversations", conversation), ("messages", message)):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    postgres.create_dify_tables()
    assert postgres.load_dify_export(tmp_path) == {"conversations": 1, "messages": 1}

    tables = nocodb.connect_postgres(nocodb.create_base(f"dify {postgres.database}"), postgres)

    [shown] = nocodb.records(tables["conversations"])
    assert shown["inputs"] == conversation["inputs"]
    assert shown["created_at"] == "2024-01-01 10:00:00+00:00"
    [shown] = nocodb.records(tables["messages"], where=f"(conversation_id,in,{conversation['id']})")
    assert (shown["answer"], shown["message"]) == (message["answer"], message["message"])


@services
@pytest.mark.parametrize("server", ["rclone_s3", "moto_s3"])
def test_an_object_put_to_s3_comes_back(server: str, request: pytest.FixtureRequest) -> None:
    s3: S3Server = request.getfixturevalue(server)
    bucket, client = s3.new_bucket(), s3.client()
    client.put_object(Bucket=bucket, Key="a/b.parquet", Body=b"rows")
    assert client.get_object(Bucket=bucket, Key="a/b.parquet")["Body"].read() == b"rows"
    client.close()


@services
def test_moto_refuses_a_second_conditional_create(moto_s3: S3Server) -> None:
    bucket, client = moto_s3.new_bucket(), moto_s3.client()
    client.put_object(Bucket=bucket, Key="claim", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="claim", Body=b"second", IfNoneMatch="*")
    assert client.get_object(Bucket=bucket, Key="claim")["Body"].read() == b"first"
    client.close()


@services
def test_the_browser_runs_the_script_of_a_page() -> None:
    page = "data:text/html,<title>before</title><script>document.title='after'</script>"
    with open_browser() as browser:
        browser.get(page)
        assert browser.title == "after"


def test_a_service_that_fails_to_start_shows_its_log(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no space left')"]
    process = Process("broken", command, log_path=tmp_path / "log")
    with pytest.raises(ServiceError, match=r"broken ended with code 1 .*\n.*no space left"):
        process.wait_until_ready(lambda: False, seconds=20)
    process.stop()


def test_a_service_ends_when_the_test_run_is_killed(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from typing import Any
from conversation_analytics_tests.services.process import Process
service = Process("sleeper", ["sleep", "600"], log_path=Path({str(tmp_path / "log")!r}))
name = Path(f"/proc/{{service.pid}}/comm")
service.wait_until_ready(lambda: name.read_text() == "sleep\\n", seconds=20)
print(service.pid, flush=True)
input()
"""
    run = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with run:
        assert run.stdout is not None
        service = Path("/proc") / run.stdout.readline().strip() / "stat"
        assert service.exists()
        run.kill()
    _wait_until_gone(service)


def _wait_until_gone(stat: Path) -> None:
    """Wait until the process has ended; one nobody has collected yet (state Z) counts as ended."""
    for _ in range(200):
        try:
            state = stat.read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.05)
    pytest.fail(f"{stat} is still there")

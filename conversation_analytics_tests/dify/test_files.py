"""Files of every kind reach a workflow, and runs can be stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from conversation_analytics.dify import DifyClient, LocalFile, RemoteFile, UploadedFile
from conversation_analytics.dify.files import FileType, type_of
from conversation_analytics.errors import DifyCallRefused, DifyUnavailable
from conversation_analytics_tests.dify import faults
from conversation_analytics_tests.dify.clients import INPUTS, client_of
from conversation_analytics_tests.services.dify_contract import App, DifyContract

FILE_TYPES: tuple[FileType, ...] = get_args(FileType)


def given(client: DifyClient, **inputs: Any) -> dict[str, Any]:
    """The inputs as they reach the workflow, which gives them back."""
    return client.run_workflow({**INPUTS, **inputs}, "user").outputs


@pytest.fixture
def dify() -> DifyContract:
    return DifyContract(App(lambda inputs: inputs))


@pytest.mark.parametrize(
    ("name", "file_type"),
    [
        ("a.PDF", "document"),
        ("notes.old.md", "document"),
        ("photo.jpeg", "image"),
        ("voice.m4a", "audio"),
        ("film.webm", "video"),
        ("data.parquet", "custom"),
        ("README", "custom"),
        (".pdf", "custom"),
    ],
)
def test_what_a_file_is_follows_from_its_name(name: str, file_type: FileType) -> None:
    assert type_of(name) == file_type


@pytest.mark.parametrize("file_type", FILE_TYPES)
def test_a_remote_file_of_each_type_is_fetched_by_dify(
    dify: DifyContract, file_type: FileType
) -> None:
    url = "https://example.org/file?signature=s"
    found = given(client_of(dify), file=RemoteFile(url, file_type))["file"]
    assert found == {"type": file_type, "transfer_method": "remote_url", "url": url}
    assert dify.files == {}


def test_the_type_of_a_remote_file_follows_from_the_path_of_its_url(dify: DifyContract) -> None:
    file = RemoteFile("https://example.org/a/photo.png?name=x.pdf")
    assert given(client_of(dify), file=file)["file"]["type"] == "image"
    assert "example.org" not in repr(file), "it may be signed"


@pytest.mark.parametrize("file_type", FILE_TYPES)
def test_a_local_file_of_each_type_is_uploaded_first(
    dify: DifyContract, tmp_path: Path, file_type: FileType
) -> None:
    content = bytes(range(256)) * 10 + b"\r\n--boundary\r\n"
    path = tmp_path / "ไฟล์ 1.bin"
    path.write_bytes(content)
    found = given(client_of(dify), file=LocalFile(path, file_type))["file"]
    [(file_id, stored)] = dify.files.items()
    assert found == {
        "type": file_type,
        "transfer_method": "local_file",
        "upload_file_id": file_id,
    }
    assert stored[1] == content


def test_lists_of_files_and_files_beside_the_inputs_are_taken(
    dify: DifyContract, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    client = client_of(dify)
    files = [RemoteFile("https://example.org/a.txt"), LocalFile(path), UploadedFile("f", "image")]
    found = given(client, files=files, plain=[1, "two", {"three": 3}])
    assert [one["transfer_method"] for one in found["files"]] == [
        "remote_url",
        "local_file",
        "local_file",
    ]
    assert {one["type"] for one in found["files"][:2]} == {"document"}
    assert found["plain"] == [1, "two", {"three": 3}]
    client.run_workflow(INPUTS, "user", files=[LocalFile(path)])
    assert len(dify.files) == 2


def test_a_file_that_is_uploaded_once_serves_many_calls(dify: DifyContract, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    client = client_of(dify)
    file = client.upload(LocalFile(path), "user")
    assert given(client, file=file) == given(client, file=file)
    assert len(dify.files) == 1


@pytest.mark.parametrize(
    ("name", "size", "code"),
    [("a.exe", 1, "unsupported_file_type"), ("a.txt", 1_000_001, "file_too_large")],
)
def test_a_file_that_dify_does_not_take_starts_no_run(
    dify: DifyContract, tmp_path: Path, name: str, size: int, code: str
) -> None:
    path = tmp_path / name
    path.write_bytes(b"x" * size)
    with pytest.raises(DifyCallRefused) as raised:
        given(client_of(dify), file=LocalFile(path))
    assert (raised.value.code, dify.starts) == (code, 0)


def test_a_file_that_is_not_there_starts_no_run(dify: DifyContract, tmp_path: Path) -> None:
    with pytest.raises(DifyCallRefused, match=r"missing\.txt cannot be read"):
        given(client_of(dify), file=LocalFile(tmp_path / "missing.txt"))
    assert dify.calls == []


def test_an_upload_that_was_lost_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    dify = DifyContract(App(lambda inputs: inputs))
    no_id = faults.instead(201, "{}")
    dify.upload_faults.extend([faults.lost(faults.RESET), faults.instead(502), no_id])
    given(client_of(dify), file=LocalFile(path))
    assert (len(dify.files), dify.starts) == (4, 1)


def test_a_running_run_can_be_stopped() -> None:
    dify = DifyContract(App(seconds=60), ping_seconds=0.01)
    client = client_of(dify)
    told = client.run_workflow(
        INPUTS,
        "user",
        on_started=lambda run_id, task_id: client.stop(task_id or "", "user"),
    )
    assert (told.status, told.outputs, dify.starts) == ("stopped", {}, 1)


def test_stopping_what_cannot_be_reached_is_an_error() -> None:
    client = client_of("http://127.0.0.1:9/v1")
    with pytest.raises(DifyUnavailable, match="cannot be reached"):
        client.stop("task/1", "user")

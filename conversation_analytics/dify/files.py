"""Files as inputs of a workflow.

A value of ``inputs``, or an element of a list there, may be one of the classes below.

Source: https://docs.dify.ai/en/api-reference/workflow-runs/run-workflow
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import urlsplit

FileType = Literal["document", "image", "audio", "video", "custom"]

_ENDINGS: dict[FileType, str] = {
    "document": "txt md markdown mdx pdf html xlsx xls vtt properties doc docx csv eml msg pptx "
    "ppt xml epub",
    "image": "jpg jpeg png gif webp svg",
    "audio": "mp3 m4a wav amr mpga",
    "video": "mp4 mov mpeg webm",
}
_TYPES: dict[str, FileType] = {
    ending: file_type for file_type, endings in _ENDINGS.items() for ending in endings.split()
}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that Dify fetches itself.

    Attributes:
        url: where from; may be signed, so it is not shown.
        type: what it is; told by the ending of the URL's path if not given.
    """

    url: str = field(repr=False)
    type: FileType | None = None

    def as_input(self) -> dict[str, str]:
        """The file as Dify takes it."""
        file_type = self.type or type_of(PurePosixPath(urlsplit(self.url).path).name)
        return {"type": file_type, "transfer_method": "remote_url", "url": self.url}


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that Dify has; only for calls of the user who uploaded it.

    Attributes:
        file_id: Dify's id of it.
        type: what it is.
    """

    file_id: str
    type: FileType

    def as_input(self) -> dict[str, str]:
        """The file as Dify takes it."""
        return {
            "type": self.type,
            "transfer_method": "local_file",
            "upload_file_id": self.file_id,
        }


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine, to be uploaded when the workflow is run.

    Attributes:
        path: where it is.
        type: what it is; told by its ending if not given.
    """

    path: Path
    type: FileType | None = None


FileInput = RemoteFile | UploadedFile | LocalFile


def type_of(name: str) -> FileType:
    """What a file is by the ending of its name; ``custom`` if Dify knows no such ending."""
    return _TYPES.get(PurePosixPath(name).suffix.lower().removeprefix("."), "custom")


def with_files(
    values: Mapping[str, Any], upload: Callable[[LocalFile], UploadedFile]
) -> dict[str, Any]:
    """Inputs with their files as Dify takes them.

    Args:
        values: inputs by name.
        upload: uploads a file.
    """
    return {
        name: [_plain(one, upload) for one in value]
        if isinstance(value, list | tuple)
        else _plain(value, upload)
        for name, value in values.items()
    }


def _plain(value: Any, upload: Callable[[LocalFile], UploadedFile]) -> Any:
    if isinstance(value, LocalFile):
        value = upload(value)
    return value.as_input() if isinstance(value, RemoteFile | UploadedFile) else value

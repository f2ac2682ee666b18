"""Files of labelled texts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from conversation_analytics.categorization.labelled import Labelled, read_labelled
from conversation_analytics.errors import LabelledDataInvalid

LINE = (
    '{"text": "hi", "sentiment": "positive", "language": "en", "source": "set", "split": "dev", '
    '"labels": {"intent": "greet", "topic": null}}\n'
)


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return file


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_label_is_found_by_its_task(tmp_path: Path, name: str) -> None:
    file = written(tmp_path, name, LINE + '{"text": "no label"}\n\n')
    (row,) = read_labelled(file, "sentiment")
    assert row == Labelled("hi", {"sentiment": "positive"}, "en", "set", "dev")
    assert read_labelled(file, "intent")[0].labels == {"intent": "greet"}
    assert read_labelled(file, "language")[0].labels == {"language": "en"}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_table_with_text_and_label_will_do(tmp_path: Path, name: str) -> None:
    file = written(tmp_path, name, '\ufefftext,label\n"one, two\nthree",a\nfour,\n')
    assert read_labelled(file, "topic") == [Labelled("one, two\nthree", {"topic": "a"})]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", LINE + "{", "line 2 is not JSON"),
        ("a.jsonl", "[1]", "line 1 is no JSON object"),
        ("a.jsonl", '{"txt": "a"}', "row 1 has no text in the column `text`"),
        ("a.jsonl", '{"text": "a"}', "no row has a label for topic"),
        ("a.csv", "a,b\n1,2", "row 1 has no text"),
        ("a.xlsx", "", "must be one of .jsonl"),
    ],
)
def test_a_file_that_is_no_such_file_is_told(
    tmp_path: Path, name: str, text: str, told: str
) -> None:
    with pytest.raises(LabelledDataInvalid) as error:
        read_labelled(written(tmp_path, name, text), "topic")
    assert told in str(error.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(LINE.encode() * 100)[:40])
    for file in (tmp_path / "none.jsonl", cut):
        with pytest.raises(LabelledDataInvalid, match=file.name):
            read_labelled(file, "topic")

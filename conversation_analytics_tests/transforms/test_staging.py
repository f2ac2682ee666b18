"""Payloads on disk, and days by numbers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversation_analytics.transforms.spool import Spool


@given(st.lists(st.lists(st.text(), max_size=4), max_size=4), st.integers(0, 100))
def test_texts_are_read_back_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]], turn: int
) -> None:
    places, sizes, texts = [], [], []
    with closing(Spool(tmp_path_factory.mktemp("spool") / "texts")) as spool:
        for batch in batches:
            part_of_a_longer_one = pa.array(["skipped", *batch], pa.large_string())[1:]
            at, size = spool.append(part_of_a_longer_one)
            places += at.to_pylist()
            sizes += size.to_pylist()
            texts += batch
        order = sorted(range(len(texts)), key=lambda n: n * turn % 7)

        found = spool.read(
            pa.chunked_array([[places[n] for n in order]], pa.int64()),
            pa.chunked_array([[sizes[n] for n in order]], pa.int64()),
        )

    assert found.to_pylist() == [texts[n] for n in order]


def test_a_spool_without_texts_gives_none(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "texts")) as spool:
        spool.append(pa.array([], pa.large_string()))
        nothing = pa.chunked_array([], pa.int64())
        assert spool.read(nothing, nothing).to_pylist() == []

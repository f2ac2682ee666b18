"""The taxonomies that a lake was labelled by, so that versions can be compared later."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from conversation_analytics.categorization.taxonomy import Taxonomy, read_taxonomy
from conversation_analytics.errors import TaxonomyInvalid
from conversation_analytics.storage.layout import TAXONOMIES_FOLDER
from conversation_analytics.storage.store import ObjectStore

_FILE: Final = ".yaml"


def keep(store: ObjectStore, taxonomy: Taxonomy) -> None:
    """Keep the text of a taxonomy under its version and that of each of its sections.

    Raises:
        StoreUnavailable: the store cannot be written.
    """
    versions = {taxonomy.version, *(one.version for one in taxonomy.sections.values())}
    known = set(store.list(TAXONOMIES_FOLDER))
    for key in sorted(f"{TAXONOMIES_FOLDER}{version}{_FILE}" for version in versions):
        if key not in known:
            store.put(key, taxonomy.text.encode())


def kept(store: ObjectStore, version: str) -> Taxonomy:
    """The taxonomy of a version, or of a version of one of its sections.

    Raises:
        TaxonomyInvalid: the lake was never labelled by it; names those there are.
        StoreUnavailable: the store cannot be read.
    """
    key = f"{TAXONOMIES_FOLDER}{version}{_FILE}"
    data = store.get(key)
    if data is None:
        there = [one.removeprefix(TAXONOMIES_FOLDER) for one in store.list(TAXONOMIES_FOLDER)]
        versions = ", ".join(one.removesuffix(_FILE) for one in there) or "none"
        raise TaxonomyInvalid(
            f"{version!r} is neither a file nor a version that this lake was labelled by; these "
            f"are: {versions}"
        )
    return read_taxonomy(data.decode(), Path(f"{version}{_FILE}"))

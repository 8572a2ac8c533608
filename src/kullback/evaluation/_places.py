"""Where KL sits: by place in the window, by how sure the base was, by kind of token, by document; the worst."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kullback.evaluation._measured import Measured
from kullback.result.model_comparison import Group, Position

_PLACES = 8
_DECILES = 10
_DOCUMENTS = 10


def groups(
    found: Measured, places: NDArray[np.int64], documents: NDArray[np.intp] | None, texts: Sequence[str] | None
) -> tuple[Group, ...]:
    """Means of KL over groups of positions; empty where KL is not known or not finite."""
    kl = found.kl
    if not np.isfinite(kl).all():
        return ()
    out: list[Group] = []
    if int(places.max()) > int(places.min()):
        out += _cut("position", places.astype(np.float64), kl, _PLACES, whole=True)
    if np.isfinite(found.entropy).all():
        out += _cut("base entropy", found.entropy, kl, _DECILES, whole=False)
    if texts is not None:
        kinds = np.array([token_kind(t) for t in texts])
        out += [_group("token", name, kinds == name, kl) for name in sorted(set(kinds.tolist()))]
    if documents is not None:
        sums = np.bincount(documents, weights=kl)
        worst_first = np.argsort(-sums, kind="stable")[:_DOCUMENTS]
        out += [_group("document", str(d), documents == d, kl) for d in worst_first.tolist()]
    return tuple(out)


def _cut(kind: str, x: NDArray[np.float64], kl: NDArray[np.float64], parts: int, *, whole: bool) -> list[Group]:
    edges = np.unique(np.quantile(x, np.linspace(0, 1, parts + 1)))
    if edges.size < 2:
        return []
    part = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, edges.size - 2)
    shown = [f"{e:.0f}" if whole else f"{e:.2f}" for e in edges]
    return [
        _group(kind, f"{shown[j]}–{shown[j + 1]}", part == j, kl) for j in range(edges.size - 1) if (part == j).any()
    ]


def _group(kind: str, name: str, rows: NDArray[np.bool_], kl: NDArray[np.float64]) -> Group:
    total = float(kl.sum())
    inside = kl[rows]
    share = float(inside.sum()) / total if total > 0 else 0.0
    return Group(kind, name, int(inside.size), inside.size / kl.size, float(inside.mean()), share)


def token_kind(text: str) -> str:
    """What a token is: digits, punctuation, whitespace, start or inside of a word, a byte, a special sign."""
    bare = text.lstrip("Ġ▁ ")
    if text.startswith("<") and text.endswith(">") and len(text) > 2:
        return "byte" if text.startswith("<0x") else "special"
    if not bare.strip("ĊĉčĠ▁ \t\r\n"):
        return "whitespace"
    if bare.isdigit():
        return "digits"
    if not any(ch.isalnum() for ch in bare):
        return "punctuation"
    return "word start" if bare != text else "word inside"


def worst(
    found: Measured,
    places: NDArray[np.int64],
    documents: NDArray[np.intp] | None,
    targets: NDArray[np.int64] | None,
    texts: Sequence[str] | None,
    most: int,
) -> tuple[Position, ...]:
    """The positions with the largest KL, largest first; with the words before each, if they are known."""
    if np.isnan(found.kl).all():
        return ()
    order = np.argsort(-found.kl, kind="stable")[:most].tolist()
    out = []
    for i in order:
        document = None if documents is None else int(documents[i])
        before = range(max(0, i - 12), i + 1)
        same = [j for j in before if documents is None or documents[j] == documents[i]]
        context = (
            ""
            if texts is None
            else "".join(texts[j].replace("Ġ", " ").replace("▁", " ").replace("Ċ", "\n") for j in same)
        )
        out.append(
            Position(
                index=i,
                document=document,
                position=int(places[i]),
                target=None if targets is None else int(targets[i]),
                kl=float(found.kl[i]),
                top_base=_token(found.top[i, 0]),
                top_other=_token(found.top[i, 1]),
                probability_base=None if found.nll_base is None else math.exp(-float(found.nll_base[i])),
                probability_other=None if found.nll_other is None else math.exp(-float(found.nll_other[i])),
                context=context,
            )
        )
    return tuple(out)


def _token(number: int) -> int | None:
    return int(number) if number >= 0 else None

"""Trace files, `*.ktrace.safetensors`: one model on one text, small enough to keep.

Metadata: format=kullback-trace/1, level (score, sparse, full), vocabulary, model, vocabulary_hash, text_hash, window,
rule, k, draws, seed. Tensors over the N scored positions: target i32, document i32, position i32, bytes i32, nll f32,
entropy f32, log_tail f32; sparse: top_id i32 (N, k), top_log_p f32, tail_id i32 (N, m), tail_log_p f32 (draws from the
rest); follower of a base: base_log_p f32 (N, k), base_tail_log_p f32 (N, m), base_log_tail f32, on the tokens that the
base stored; full: code u16 (N, V), low f32, scale f32, log p = low + scale·code over the whole range.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation._models import Model, read_safetensors
from kullback.evaluation._sparse import Sparse

FORMAT = "kullback-trace/1"
# What must agree between two traces for their positions to be the same positions.
SAME = ("vocabulary", "vocabulary_hash", "text_hash", "window", "rule")


def trace_model(path: Path, header: Mapping[str, str], arrays: Mapping[str, tuple[NDArray[Any], str]]) -> Model:
    """A trace as a `Model`."""
    if header["format"] != FORMAT:
        raise InvalidInput(f"{path} is {header['format']}; this version reads {FORMAT}")
    a = {key: value for key, (value, _) in arrays.items()}
    try:
        n = int(a["nll"].shape[0])
        level, V = header["level"], int(header["vocabulary"])
        targets, documents = a["target"].astype(np.int64), a["document"].astype(np.intp)
        positions, size = a["position"].astype(np.int64), a["bytes"].astype(np.int64)
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"{path}: the trace lacks {error}") from None
    read = None
    sparse = None
    draws = None
    if level == "full":
        code, low, scale = a["code"], a["low"].astype(np.float64), a["scale"].astype(np.float64)

        def read(start: int, stop: int) -> NDArray[Any]:
            rows = slice(start, stop)
            return np.asarray(low[rows, None] + scale[rows, None] * code[rows].astype(np.float64))

    elif level == "sparse":
        sparse = Sparse(
            a["top_id"].astype(np.int64), a["top_log_p"].astype(np.float64), a["log_tail"].astype(np.float64)
        )
        if a["tail_id"].shape[1]:
            draws = (a["tail_id"].astype(np.int64), a["tail_log_p"].astype(np.float64))
    return Model(
        str(path),
        n,
        V,
        read=read,
        sparse=sparse,
        targets=targets,
        documents=documents,
        positions=positions,
        bytes=size,
        nll=a["nll"].astype(np.float64),
        draws=draws,
        identity={key: header.get(key, "") for key in SAME} | {"base": header.get("base", "")},
    )


def following(path: Path, base: Model) -> tuple[Sparse, NDArray[np.float64]] | None:
    """What a follower's trace says about the tokens that its base stored: on the top ones, and on the draws."""
    header, arrays = read_safetensors(path)
    if "base_log_p" not in arrays or base.sparse is None:
        return None
    a = {key: value.astype(np.float64) for key, (value, _) in arrays.items() if key.startswith("base_")}
    if header.get("base") != Path(base.name).name or a["base_log_p"].shape != base.sparse.ids.shape:
        return None
    return Sparse(base.sparse.ids, a["base_log_p"], a["base_log_tail"]), a["base_tail_log_p"]

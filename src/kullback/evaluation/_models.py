"""What is known of a language model on a text: all logits, llama.cpp's codes, the top tokens, or only the scores.

Everything becomes a `Model`: positions in an order, what came next (`targets`), and a way to read blocks of logits, or
the tokens that were stored.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidForm, InvalidInput
from kullback.evaluation._kld import Kld, open_kld
from kullback.evaluation._sparse import Sparse
from kullback.forms import Logits, LogProbs, Probs

_TARGETS = ("targets", "target", "labels", "tokens")
_DOCUMENTS = ("documents", "document", "doc")


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model's record. `read(start, stop)` gives logits (rows, V) or None; `sparse` the stored tokens or None.

    `draws` are tokens drawn from the rest, (n, m) ids and log-probabilities; `at_draws` what this model gives to the
    base's draws, when it was recorded following the base.
    """

    name: str
    n: int
    vocabulary: int
    read: Callable[[int, int], NDArray[Any]] | None = None
    sparse: Sparse | None = None
    kld: Kld | None = None
    targets: NDArray[np.int64] | None = None
    documents: NDArray[np.intp] | None = None
    positions: NDArray[np.int64] | None = None
    bytes: NDArray[np.int64] | None = None
    nll: NDArray[np.float64] | None = None
    draws: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None
    at_draws: NDArray[np.float64] | None = None
    tokens: list[str] | None = None
    roundoff: float = 0.0
    identity: Mapping[str, str] = field(default_factory=dict)


def open_model(given: Any, name: str) -> Model:
    """An array or tensor (n, V) or (documents, n, V), `kb.Logits` of one, or a file."""
    if isinstance(given, (str, Path)):
        return _file(Path(given))
    if isinstance(given, Model):
        return given
    if isinstance(given, (Probs, LogProbs, Logits)):
        inner, take_log = given.values, isinstance(given, Probs)
    else:
        inner, take_log = given, False
    values = _array(inner)
    if take_log:
        with np.errstate(divide="ignore"):
            values = np.log(values.astype(np.float64))
    return _dense(name, values)


def _array(given: Any) -> NDArray[Any]:
    if hasattr(given, "detach"):
        tensor = given.detach().cpu()
        if str(tensor.dtype) == "torch.bfloat16":
            return _widened(tensor.contiguous().view(dtype=_torch_int16()).numpy().view(np.uint16))
        return np.asarray(tensor.numpy())
    return np.asarray(given)


def _torch_int16() -> Any:
    import torch

    return torch.int16


def _widened(codes: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16, given by its bits, is the upper half of a float32."""
    return (codes.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _dense(name: str, values: NDArray[Any], extra: Mapping[str, Any] | None = None, *, bfloat: bool = False) -> Model:
    if values.dtype.kind not in "f" and not bfloat:
        raise InvalidForm(
            f"{name} holds {values.dtype}; expected logits, floating-point numbers (positions, vocabulary)"
        )
    extra = dict(extra or {})
    if values.ndim == 3:
        extra.setdefault("documents", np.repeat(np.arange(values.shape[0]), values.shape[1]))
        values = values.reshape(-1, values.shape[2])
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] < 2:
        raise InvalidForm(
            f"{name} has shape {values.shape}; expected (positions, vocabulary), or (documents, positions, V)"
        )
    n, V = values.shape

    def read(start: int, stop: int) -> NDArray[Any]:
        block = np.asarray(values[start:stop])
        return _widened(block) if bfloat else block

    eps = 2.0**-8 if bfloat else float(np.finfo(values.dtype).eps)
    targets = _of_length(extra, _TARGETS, n)
    documents = _of_length(extra, _DOCUMENTS, n)
    return Model(
        name,
        n,
        V,
        read=read,
        targets=targets,
        documents=documents,
        bytes=_of_length(extra, ("bytes",), n),
        roundoff=eps,
    )


def _of_length(extra: Mapping[str, Any], names: tuple[str, ...], n: int) -> Any:
    for key in names:
        if key in extra:
            values = np.asarray(extra[key]).reshape(-1)
            if values.size != n:
                raise InvalidInput(f"{key} has {values.size} entries for {n} positions")
            return values.astype(np.int64)
    return None


def _file(path: Path) -> Model:
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}")
    name, ending = str(path), path.suffix.lower()
    if ending in (".npy", ".npz"):
        arrays = _numpy(path)
        return _dense(name, _one(arrays, name), arrays)
    if ending == ".safetensors":
        return _safetensors(path)
    if ending in (".jsonl", ".json", ".ndjson"):
        from kullback.evaluation._logprobs import read_log_probs

        return read_log_probs(path)
    with path.open("rb") as handle:
        is_kld = handle.read(8) == b"_logits_"
    if ending == ".kld" or is_kld:
        return _kld(path)
    raise InvalidInput(
        f"{path}: unknown kind of file. Known are .npy, .npz and .safetensors of logits, *.ktrace.safetensors, "
        f"llama.cpp's "
        ".kld, and .jsonl of log-probabilities as vLLM and OpenAI report them"
    )


def _numpy(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz, or the one of a .npy, mapped."""
    try:
        if path.suffix.lower() == ".npy":
            return {"logits": np.load(path, mmap_mode="r", allow_pickle=False)}
        with np.load(path, allow_pickle=False) as held:
            return {key: held[key] for key in held.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(f"{path} cannot be read as NumPy's arrays of numbers: {error}") from None


def _one(arrays: Mapping[str, Any], name: str) -> NDArray[Any]:
    if "logits" in arrays:
        return np.asarray(arrays["logits"])
    found = [key for key, value in arrays.items() if value.ndim >= 2 and value.dtype.kind == "f"]
    if len(found) != 1:
        raise InvalidInput(f"{name} holds {sorted(arrays)}; expected an array called 'logits'")
    return np.asarray(arrays[found[0]])


def _safetensors(path: Path) -> Model:
    header, arrays = read_safetensors(path)
    if str(header.get("format", "")).startswith("kullback-trace/"):
        from kullback.evaluation._trace import trace_model

        return trace_model(path, header, arrays)
    known = {key: value for key, (value, _) in arrays.items()}
    found = [key for key, value in known.items() if value.ndim >= 2]
    key = "logits" if "logits" in known else found[0] if len(found) == 1 else None
    if key is None:
        raise InvalidInput(f"{path} holds {sorted(known)}; expected a tensor called 'logits'")
    return _dense(str(path), known[key], known, bfloat=arrays[key][1] == "BF16")


_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, tuple[NDArray[Any], str]]]:
    """Metadata and memory-mapped tensors with their dtype's name: the library's own NumPy door knows no bfloat16."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if not 2 <= length <= min(size - 8, 100_000_000):
            raise InvalidInput(f"{path} is no safetensors file, or was cut short")
        try:
            header = json.loads(handle.read(length))
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise InvalidInput(f"{path}: the safetensors header is damaged") from None
    metadata = header.pop("__metadata__", {})
    out = {}
    for key, entry in header.items():
        try:
            dtype, shape, (start, stop) = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise InvalidInput(f"{path}: tensor {key!r} has a dtype or a layout that is not read") from None
        if 8 + length + stop > size or stop - start != int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize:
            raise InvalidInput(f"{path}: tensor {key!r} reaches beyond the end of the file; it was cut short")
        if stop == start:
            out[key] = (np.empty(shape, dtype=dtype), entry["dtype"])
        else:
            mapped = np.memmap(path, dtype=dtype, mode="r", offset=8 + length + start, shape=shape or (1,))
            out[key] = (mapped, entry["dtype"])
    return metadata, out


def _kld(path: Path) -> Model:
    kld = open_kld(path)
    chunk = np.repeat(np.arange(kld.chunks), kld.per_chunk)
    return Model(
        str(path),
        chunk.size,
        kld.vocabulary,
        read=kld.read,
        kld=kld,
        targets=kld.targets(),
        documents=chunk.astype(np.intp),
        positions=np.tile(np.arange(kld.first, kld.n_ctx - 1), kld.chunks),
        identity={"tokens": str(hash(kld.tokens.tobytes()))},
    )

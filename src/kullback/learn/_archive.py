"""The container of a saved estimator: an `.npz` whose header promises the rest, so nothing large is read on trust.

The JSON header states dtype, shape and digest of each array. Before an array is read, three sizes must agree: that of
the promise, that of the zip directory and that of the array's own `.npy` header; and their sum must stay below a bound.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from kullback.errors import InvalidInput

# Text and numbers; no Python objects, no records.
_KINDS = "biufcU"
_HEADER_MAX = 1 << 26

Arrays = dict[str, np.ndarray[Any, Any]]


def refuse(path: Path, why: str) -> InvalidInput:
    """The one error of a file that is not loaded."""
    return InvalidInput(f"{path}: not loaded, because {why}. Save the estimator again from where it was fitted.")


def pack(header: dict[str, Any], arrays: Arrays) -> bytes:
    """Header and arrays as the bytes of a file."""
    promises = {
        name: {"dtype": array.dtype.str, "shape": list(array.shape), "sha256": _digest(array)}
        for name, array in arrays.items()
    }
    text = json.dumps(header | {"arrays": promises}, ensure_ascii=False, sort_keys=True).encode()
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        header=np.frombuffer(text, dtype=np.uint8),
        header_digest=np.frombuffer(hashlib.sha256(text).digest(), dtype=np.uint8),
        **{f"array_{name}": array for name, array in arrays.items()},
    )
    return buffer.getvalue()


def unpack(path: Path, max_bytes: int) -> tuple[dict[str, Any], Arrays]:
    """Header and arrays of a file, each size compared with its promise before anything of that size is read."""
    try:
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            return _members(path, archive, max_bytes)
    except (FileNotFoundError, InvalidInput):
        raise
    except _UNREADABLE as error:
        raise refuse(path, f"it cannot be read as .npz ({error})") from None


# What zipfile, zlib and numpy raise on broken archives: encryption and unknown compression are the last two.
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
)


def _members(path: Path, archive: zipfile.ZipFile, max_bytes: int) -> tuple[dict[str, Any], Arrays]:
    members = {info.filename: info for info in archive.infolist()}
    if len(members) != len(archive.infolist()):
        raise refuse(path, "a name stands twice in its directory")
    size = sum(info.file_size for info in members.values())
    if size > max_bytes:
        raise refuse(
            path,
            f"its {path.stat().st_size:,} bytes would expand to {size:,}, more than max_bytes = {max_bytes:,}; if you "
            f"trust it, load(path, max_bytes={size})",
        )
    if not {"header.npy", "header_digest.npy"} <= set(members):
        raise refuse(path, "it has no header")
    if members["header.npy"].file_size > _HEADER_MAX:
        raise refuse(path, f"its header would expand to {members['header.npy'].file_size:,} bytes")
    text = _array(path, archive, members["header.npy"], "|u1", None).tobytes()
    digest = _array(path, archive, members["header_digest.npy"], "|u1", (32,)).tobytes()
    if hashlib.sha256(text).digest() != digest:
        raise refuse(path, "its header does not match its digest")
    try:
        header = json.loads(text)
        promises = {str(k): (str(v["dtype"]), tuple(v["shape"]), v["sha256"]) for k, v in header["arrays"].items()}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise refuse(path, f"its header is not as written by save ({error})") from None
    if set(members) != {"header.npy", "header_digest.npy", *(f"array_{name}.npy" for name in promises)}:
        raise refuse(path, "arrays are missing or were added")
    arrays = {}
    for name, (dtype, shape, sha256) in promises.items():
        arrays[name] = _array(path, archive, members[f"array_{name}.npy"], dtype, shape)
        if _digest(arrays[name]) != sha256:
            raise refuse(path, f"the array {name!r} does not match its digest")
    return header, arrays


def _array(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, dtype: str, shape: tuple[int, ...] | None
) -> np.ndarray[Any, Any]:
    """One array, read only if promise, directory and its own header tell the same size. No shape: any one axis."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        found, _, own = read(member)
        size = member.tell() + math.prod(found) * own.itemsize
    if own.kind not in _KINDS:
        raise refuse(path, f"{info.filename} is an array of {own}; only text and numbers are read")
    if own.str != dtype or (found != shape if shape is not None else len(found) != 1):
        raise refuse(path, f"{info.filename} is {own.str} of shape {found}, expected {dtype} of shape {shape}")
    if size != info.file_size:
        raise refuse(path, f"{info.filename} holds {info.file_size:,} bytes, its own header tells {size:,}")
    with archive.open(info) as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def _digest(array: np.ndarray[Any, Any]) -> str:
    array = np.ascontiguousarray(array)
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()

"""Writing a trace window by window, in little memory; a run that was killed goes on where it stopped.

Every window's part is written whole into a folder beside the target; when all are there they are joined into one file,
which appears at once. A header in the folder tells whether the parts belong to the same run.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation._models import Model
from kullback.evaluation._sparse import Sparse, gathered, top_k
from kullback.evaluation._trace import FORMAT

LEVELS = ("score", "sparse", "full")
_ROWS = 64  # positions measured at a time: the rest of a window waits as hidden states, not as logits


class Recorder:
    """A trace that is being written. `done` are the windows that an earlier run has finished."""

    def __init__(
        self,
        target: Path,
        header: Mapping[str, str],
        *,
        level: str = "sparse",
        k: int = 64,
        draws: int = 8,
        seed: int = 0,
        following: Model | None = None,
    ) -> None:
        if level not in LEVELS:
            raise InvalidInput(f"level {level!r} is not known; there are {', '.join(LEVELS)}")
        if following is not None and following.sparse is None:
            raise InvalidInput(f"{following.name} stores no top tokens to follow; record it with level sparse")
        self.target, self.level, self.k, self.draws, self.seed = target, level, k, draws, seed
        self.following = following
        self.header = {**header, "format": FORMAT, "level": level, "k": str(k), "draws": str(draws), "seed": str(seed)}
        if following is not None:
            self.header["base"] = Path(following.name).name
        self.folder = target.with_name(f".{target.name}.parts")
        self.folder.mkdir(exist_ok=True)
        self._same_run()
        self.done = {int(p.stem) for p in self.folder.glob("*.npz")}

    def _same_run(self) -> None:
        path = self.folder / "header.json"
        if path.exists():
            if json.loads(path.read_text(encoding="utf-8")) == self.header:
                return
            # Parts of another model or text: they would make a trace of two things.
            shutil.rmtree(self.folder)
            self.folder.mkdir()
        path.write_text(json.dumps(self.header), encoding="utf-8")

    def add(
        self,
        window: int,
        blocks: Any,
        *,
        target: NDArray[np.int64],
        document: NDArray[np.int64],
        position: NDArray[np.int64],
        size: NDArray[np.int64],
        first: int,
    ) -> None:
        """Measure the scored positions of one window; `blocks` yields logits (rows, V) in their order.

        `first` is the place of the window's first scored position in the whole trace.
        """
        parts: list[dict[str, NDArray[Any]]] = []
        at = 0
        for logits in blocks:
            rows = slice(at, at + logits.shape[0])
            parts.append(self._measured(np.asarray(logits, dtype=np.float64), target[rows], first + at, window))
            at = rows.stop
        if at != target.size:
            raise InvalidInput(f"window {window}: {at} rows of logits for {target.size} scored positions")
        joined = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
        joined |= {"target": target, "document": document, "position": position, "bytes": size}
        whole = self.folder / f"{window}.npz"
        part = self.folder / f"{window}.writing"
        with part.open("wb") as handle:
            narrow: dict[str, Any] = {key: _narrow(key, value) for key, value in joined.items()}
            np.savez(handle, **narrow)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(whole)
        self.done.add(window)

    def _measured(
        self, x: NDArray[np.float64], y: NDArray[np.int64], first: int, window: int
    ) -> dict[str, NDArray[Any]]:
        top = x.max(axis=1, keepdims=True)
        if not np.isfinite(top).all():
            raise InvalidInput(f"window {window}: the model gives NaN or infinite logits")
        log_p = x - (top + np.log(np.sum(np.exp(x - top), axis=1, keepdims=True)))
        p = np.exp(log_p)
        out = {
            "nll": -log_p[np.arange(y.size), y],
            "entropy": -np.sum(np.where(p > 0, p * log_p, 0.0), axis=1),
        }
        if self.level == "full":
            low = np.where(np.isfinite(log_p), log_p, np.inf).min(axis=1)
            scale = np.maximum((log_p.max(axis=1) - low) / 65535.0, 1e-12)
            code = np.rint((np.maximum(log_p, low[:, None]) - low[:, None]) / scale[:, None])
            out |= {"low": low, "scale": scale, "code": code}
        if self.level == "sparse":
            stored = top_k(log_p, self.k)
            ids, at_ids = self._drawn(p, stored, window, first)
            out |= {"top_id": stored.ids, "top_log_p": stored.log_p, "log_tail": stored.log_tail}
            out |= {
                "tail_id": ids,
                "tail_log_p": np.take_along_axis(log_p, ids, axis=1) if at_ids else np.empty(ids.shape),
            }
        if self.following is not None:
            base, rows = self.following, slice(first, first + y.size)
            assert base.sparse is not None
            if rows.stop > base.n or (base.targets is not None and (base.targets[rows] != y).any()):
                raise InvalidInput(f"window {window}: the text or the windows differ from those of {base.name}")
            seen = gathered(Sparse(base.sparse.ids[rows], base.sparse.log_p[rows], base.sparse.log_tail[rows]), log_p)
            out |= {"base_log_p": seen.log_p, "base_log_tail": seen.log_tail}
            ids = base.draws[0][rows] if base.draws is not None else np.empty((y.size, 0), dtype=np.int64)
            out["base_tail_log_p"] = np.take_along_axis(log_p, ids, axis=1)
        return out

    def _drawn(self, p: NDArray[np.float64], stored: Sparse, window: int, first: int) -> tuple[NDArray[np.int64], bool]:
        """Tokens drawn from the rest, with their own seed for each block, so that a resumed run draws the same."""
        if not self.draws:
            return np.empty((p.shape[0], 0), dtype=np.int64), False
        rest = p.copy()
        np.put_along_axis(rest, stored.ids, 0.0, axis=1)
        up_to = np.cumsum(rest, axis=1)
        u = np.random.default_rng([self.seed, window, first]).random((p.shape[0], self.draws)) * up_to[:, -1:]
        ids = np.stack([np.searchsorted(c, row, side="right") for c, row in zip(up_to, u, strict=True)])
        return np.minimum(ids, p.shape[1] - 1), True

    def finish(self, windows: int) -> None:
        """Join the parts into the target, which appears whole, and remove them."""
        missing = [w for w in range(windows) if w not in self.done]
        if missing:
            raise InvalidInput(f"{len(missing)} of {windows} windows are missing, the first is {missing[0]}")
        from safetensors.numpy import save_file

        held: dict[str, list[NDArray[Any]]] = {}
        for w in range(windows):
            with np.load(self.folder / f"{w}.npz", allow_pickle=False) as part:
                for key in part.files:
                    held.setdefault(key, []).append(part[key])
        tensors = {key: np.ascontiguousarray(np.concatenate(values)) for key, values in held.items()}
        beside = self.folder / "whole.safetensors"
        save_file(tensors, beside, metadata={key: str(value) for key, value in self.header.items()})
        beside.replace(self.target)
        shutil.rmtree(self.folder)


_INTEGERS = ("target", "document", "position", "bytes", "top_id", "tail_id")


def _narrow(key: str, value: NDArray[Any]) -> NDArray[Any]:
    """Log-probabilities to seven digits, token numbers in four bytes, codes in two."""
    if key == "code":
        return value.astype(np.uint16)
    return value.astype(np.int32 if key in _INTEGERS else np.float32)


def blocks_of(rows: int, size: int = _ROWS) -> list[slice]:
    """The rows of a window in blocks."""
    return [slice(a, min(a + size, rows)) for a in range(0, rows, size)]

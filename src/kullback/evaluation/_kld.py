"""llama.cpp's `.kld` files: log-probabilities of a whole vocabulary in 16 bits per token, cut off e¹⁶ below the top.

Layout (tools/perplexity): `_logits_`, int32 n_ctx, n_vocab, n_chunk, int32 tokens[n_ctx·n_chunk], then for each scored
position float32 scale, float32 min, and a uint16 u per token (their count rounded up to even): log p = scale·u + min.
Tokens e¹⁶ below the top are all stored as u = 0: what they are is not known, only that together they hold what the
others leave. Scored are the targets n_ctx/2+1 … n_ctx−1 of every chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput

_MAGIC = b"_logits_"


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Scored positions: codes u (rows, V), scale and low (rows,)."""

    codes: NDArray[np.uint16]
    scale: NDArray[np.float32]
    low: NDArray[np.float32]

    def decoded(self) -> NDArray[np.float32]:
        """Log-probabilities as llama.cpp decodes them, in float32."""
        return np.asarray(self.scale[:, None] * self.codes.astype(np.float32) + self.low[:, None])

    def log_masses(self) -> NDArray[np.float64]:
        """Log-probabilities in float64, −∞ for the tokens that were cut off."""
        return np.where(self.codes > 0, self.decoded().astype(np.float64), -np.inf)

    def of(self, tokens: NDArray[np.int64]) -> tuple[NDArray[np.float64], int]:
        """Decoded log-probability of one token per row, and how many of these were cut off."""
        u = self.codes[np.arange(tokens.size), tokens]
        return (self.scale * u.astype(np.float32) + self.low).astype(np.float64), int(np.sum(u == 0))


@dataclass(frozen=True, slots=True, eq=False)
class Kld:
    """An open `.kld` file, memory-mapped."""

    path: Path
    n_ctx: int
    vocabulary: int
    chunks: int
    tokens: NDArray[np.int32]
    rows: NDArray[np.uint16]

    @property
    def first(self) -> int:
        """Position in a chunk of the first scored prediction (it predicts the token after it)."""
        return self.n_ctx // 2

    @property
    def per_chunk(self) -> int:
        """Scored positions of a chunk."""
        return self.n_ctx - 1 - self.n_ctx // 2

    def targets(self) -> NDArray[np.int64]:
        """The token that came next, for each scored position."""
        table = self.tokens.reshape(self.chunks, self.n_ctx)
        return table[:, self.first + 1 :].astype(np.int64).reshape(-1)

    def block(self, start: int, stop: int) -> Block:
        """Some of the scored positions, read once."""
        rows = np.array(self.rows[start:stop])
        head = rows[:, :4].copy().view(np.float32)
        return Block(rows[:, 4 : 4 + self.vocabulary], head[:, 0], head[:, 1])

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Log-masses (rows, V): what is stored exactly, −∞ for the tokens that were cut off."""
        return self.block(start, stop).log_masses()


def open_kld(path: Path) -> Kld:
    """Read the header and map the rest; a file that was cut short is refused."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        if handle.read(8) != _MAGIC:
            raise InvalidInput(f"{path} does not begin as llama.cpp's log-probability files do (_logits_)")
        header = handle.read(12)
    head = np.frombuffer(header, dtype="<i4") if len(header) == 12 else np.zeros(3, dtype="<i4")
    if min(head) <= 0:
        raise InvalidInput(f"{path}: its header is damaged")
    n_ctx, vocabulary, chunks = (int(v) for v in head)
    width = 2 * ((vocabulary + 1) // 2) + 4
    per_chunk = n_ctx - 1 - n_ctx // 2
    start = 20 + 4 * n_ctx * chunks
    expected = start + 2 * width * per_chunk * chunks
    if size < start or (size - start) % (2 * width) or size > expected:
        raise InvalidInput(
            f"{path}: {size:,} bytes, expected {expected:,} for its header; the file was cut short or changed"
        )
    rows = (size - start) // (2 * width)
    whole = rows // per_chunk
    if whole == 0:
        raise InvalidInput(f"{path}: no chunk is complete; the file was cut short")
    tokens = np.fromfile(path, dtype="<i4", count=n_ctx * chunks, offset=20)[: n_ctx * whole]
    mapped = np.memmap(path, dtype="<u2", mode="r", offset=start, shape=(rows, width))
    return Kld(path, n_ctx, vocabulary, whole, tokens, mapped[: whole * per_chunk])


def write_kld(path: Path, logits: NDArray[Any], tokens: NDArray[Any], n_ctx: int) -> None:
    """Write logits (chunks · scored positions, V) as llama.cpp does: for tests, and to hand them to its own tool."""
    chunks, V = tokens.size // n_ctx, logits.shape[1]
    width = 2 * ((V + 1) // 2) + 4
    with path.open("wb") as handle:
        handle.write(_MAGIC + np.array([n_ctx, V, chunks], dtype="<i4").tobytes())
        handle.write(tokens.astype("<i4").tobytes())
        for row in logits.astype(np.float32):
            top = row.max()
            log_sum = np.float32(np.log(np.sum(np.exp(row - top), dtype=np.float64)))
            low = np.maximum(row.min(), top - np.float32(16))
            scale = (top - low) / np.float32(65535)
            out = np.zeros(width, dtype="<u2")
            out[:4] = np.array([scale, low - top - log_sum], dtype="<f4").view("<u2")
            inverse = np.float32(1) / scale if scale > 0 else np.float32(0)
            out[4 : 4 + V] = np.where(row > low, inverse * (row - low) + np.float32(0.5), 0).astype(np.uint16)
            handle.write(out.tobytes())

"""Log-probabilities as servers report them: vLLM's `prompt_logprobs` and OpenAI's `logprobs`, one JSON object per line.

Each line is one document, a prompt or a completion:

- vLLM: `prompt_logprobs`, a list of null or {"id": {"logprob": −1.2, "rank": 1, "decoded_token": "a"}, …}, and
  `prompt_token_ids`, to know which token came; without them the first entry is it, as vLLM writes them.
- OpenAI: `logprobs.content` (or `choices[0].logprobs.content`), a list of {"token", "logprob", "top_logprobs": […]}.

Only what is reported is used: no probability of an unreported token is guessed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kullback.errors import InvalidInput
from kullback.evaluation._models import Model
from kullback.evaluation._sparse import Sparse, tail_of


def read_log_probs(path: Path) -> Model:
    """A `Model` of the reported tokens; tokens known only by their text are numbered by it, the same in every file."""
    rows: list[dict[int, float]] = []
    targets, documents, nll, texts = [], [], [], []
    document = -1
    with path.open(encoding="utf-8") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.strip():
                continue
            document += 1
            try:
                found = list(_positions(json.loads(line)))
            except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise InvalidInput(
                    f"{path}, line {number}: no log-probabilities as vLLM (prompt_logprobs) or OpenAI "
                    f"(logprobs.content) "
                    f"report them ({type(error).__name__}: {error})"
                ) from None
            for target, text, known in found:
                if any(not v <= 1e-6 for v in known.values()):
                    raise InvalidInput(f"{path}, line {number}: a log-probability is above 0 or not a number")
                rows.append(known)
                targets.append(target)
                texts.append(text)
                documents.append(document)
                nll.append(-known[target])
    if not rows:
        raise InvalidInput(f"{path} holds no log-probabilities")
    k = max(map(len, rows))
    ids, log_p = np.full((len(rows), k), -1, dtype=np.int64), np.full((len(rows), k), -np.inf)
    for i, known in enumerate(rows):
        ids[i, : len(known)] = list(known)
        log_p[i, : len(known)] = list(known.values())
    return Model(
        str(path),
        len(rows),
        0,
        sparse=Sparse(ids, log_p, tail_of(log_p)),
        targets=np.array(targets, dtype=np.int64),
        documents=np.array(documents, dtype=np.intp),
        nll=np.array(nll),
        bytes=np.array([len(t.encode()) for t in texts]) if all(texts) else None,
        tokens=texts if all(texts) else None,
    )


def _positions(line: dict[str, Any]):  # type: ignore[no-untyped-def]
    if "prompt_logprobs" in line:
        given = line.get("prompt_token_ids")
        for i, entry in enumerate(line["prompt_logprobs"]):
            if entry is None:  # the first token has nothing before it
                continue
            known = {int(key): float(v["logprob"] if isinstance(v, dict) else v) for key, v in entry.items()}
            target = int(given[i]) if given is not None else int(next(iter(entry)))
            value = entry[str(target)]
            yield target, str(value.get("decoded_token") or "") if isinstance(value, dict) else "", known
        return
    inner = line["choices"][0]["logprobs"] if "choices" in line else line["logprobs"]
    for item in inner["content"]:
        listed = [item, *item.get("top_logprobs", [])]
        known = {_number(entry): float(entry["logprob"]) for entry in listed}
        yield _number(item), str(item["token"]), known


def _number(entry: dict[str, Any]) -> int:
    """A number for a token that is known by its bytes, not by its place in a vocabulary."""
    import hashlib

    raw = bytes(entry["bytes"]) if entry.get("bytes") else str(entry["token"]).encode()
    return int.from_bytes(hashlib.blake2b(raw, digest_size=7).digest(), "big")

"""`trace`: run a causal language model from a local folder or GGUF file over a text, and keep what comparing needs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kullback.errors import InvalidInput, need
from kullback.evaluation._models import open_model
from kullback.evaluation._record import Recorder, blocks_of
from kullback.evaluation._windows import Window, read_documents, windows


def trace(
    model: str | Path,
    text: str | Path,
    target: str | Path,
    /,
    *,
    level: str = "sparse",
    k: int = 64,
    draws: int = 8,
    window: int = 512,
    stride: int = 256,
    following: str | Path | None = None,
    device: str = "cpu",
    dtype: str = "float32",
    random_state: int = 0,
    progress: Callable[[int, int, str], None] | None = None,
) -> Path:
    """Write the trace of a causal model on a text. Nothing is downloaded; a run that was killed goes on where it
    stopped.

    Parameters
    ----------
    model
        A folder in Hugging Face's format (weights and tokenizer), or a .gguf file, which transformers reads.
    text
        UTF-8 text, one document; or JSON lines with a field `text`, one document per line.
    target
        The file to write, by custom named *.ktrace.safetensors.
    level
        "score": cross-entropy and entropy; "sparse": also the k most probable tokens and `draws` from the rest, enough
        for an unbiased KL; "full": all log-probabilities in 16 bits.
    window, stride
        Tokens that the model sees at once, and how far the next window starts. Documents are clusters later; for a
        single document the windows are.
    following
        A sparse trace of the base model on the same text: its tokens are scored here too, so that KL is unbiased.

    Raises
    ------
    MissingExtra
        Without transformers and torch (`pip install 'kullback[language]'`).
    InvalidInput
        A model that is not there, a text that is not UTF-8, a base of another text.
    """
    source, out = Path(model), Path(target)
    if not source.exists():
        raise InvalidInput(f"there is no model {source}; nothing is downloaded, give a local folder or .gguf file")
    if not out.parent.is_dir():
        raise InvalidInput(f"{out} cannot be written: there is no folder {out.parent}")
    documents, text_hash = read_documents(Path(text))
    base = open_model(following, "base") if following is not None else None
    tokenizer, network = _load(source, device, dtype)
    encoded = [_encoded(tokenizer, d) for d in documents]
    plan = windows([len(ids) for ids, _ in encoded], window, stride)
    if not plan:
        raise InvalidInput(f"{text}: no document has two tokens")
    vocabulary = int(network.get_output_embeddings().weight.shape[0])
    header = {
        "vocabulary": str(vocabulary),
        "vocabulary_hash": hashlib.sha256(repr(sorted(tokenizer.get_vocab().items())).encode()).hexdigest(),
        "text_hash": text_hash,
        "window": f"{window}/{stride}",
        "rule": "every token after a document's first, once",
        "model": source.name,
        "model_hash": _model_hash(source),
        "dtype": dtype,
    }
    recorder = Recorder(out, header, level=level, k=k, draws=draws, seed=random_state, following=base)
    first = 0
    for number, w in enumerate(plan):
        count = w.stop - w.scored
        if number not in recorder.done:
            ids, size = encoded[w.document]
            scored = slice(w.scored, w.stop)
            recorder.add(
                number,
                _logits(network, ids[w.first : w.stop], w, device),
                target=np.array(ids[scored], dtype=np.int64),
                document=np.full(count, w.document if len(documents) > 1 else number, dtype=np.int64),
                position=np.arange(w.scored, w.stop) - w.first,
                size=np.array(size[scored], dtype=np.int64),
                first=first,
            )
        first += count
        if progress is not None:
            progress(number + 1, len(plan), "")
    recorder.finish(len(plan))
    return out


def _load(source: Path, device: str, dtype: str) -> tuple[Any, Any]:
    transformers, torch = need("transformers", "language"), need("torch", "language")
    # Whatever a configuration file asks for: no network, no code of the model's own.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if not hasattr(torch, dtype):
        raise InvalidInput(f"dtype {dtype!r} is not known; use float32, bfloat16 or float16")
    transformers.utils.logging.disable_progress_bar()  # ours is enough
    where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    folder = source
    if source.is_file():
        need("gguf", "language")
        where["gguf_file"], folder = source.name, source.parent
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **where)
        network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), **where)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(
            f"{source} cannot be loaded as a causal language model: {str(error).splitlines()[0]}"
        ) from None
    return tokenizer, network.to(device).eval()


def _encoded(tokenizer: Any, document: str) -> tuple[list[int], list[int]]:
    """Token numbers and the bytes of text that each stands for, after a beginning-of-text token if there is one."""
    try:
        found = tokenizer(document, return_offsets_mapping=True, add_special_tokens=False)
        size = [len(document[a:b].encode()) for a, b in found["offset_mapping"]]
    except NotImplementedError:  # a tokenizer without offsets: the bytes of the whole document, evenly
        found = tokenizer(document, add_special_tokens=False)
        whole, n = len(document.encode()), len(found["input_ids"])
        size = [whole * (i + 1) // n - whole * i // n for i in range(n)]
    ids = list(found["input_ids"])
    if tokenizer.bos_token_id is not None:
        return [int(tokenizer.bos_token_id), *ids], [0, *size]
    return ids, size


def _logits(network: Any, ids: list[int], w: Window, device: str) -> Iterator[np.ndarray[Any, Any]]:
    """Logits of the scored positions, some rows at a time: the whole window's would be window · V numbers."""
    torch = need("torch", "language")
    with torch.inference_mode():
        hidden = network.base_model(torch.tensor([ids], device=device)).last_hidden_state[0]
        hidden = hidden[w.scored - w.first - 1 : w.stop - w.first - 1]
        head = network.get_output_embeddings()
        for rows in blocks_of(hidden.shape[0]):
            yield head(hidden[rows]).float().cpu().numpy()


def _model_hash(source: Path) -> str:
    """A hash of the weights' names, sizes and first and last bytes: enough to tell files apart without reading them."""
    digest = hashlib.sha256()
    files = [source] if source.is_file() else sorted(p for p in source.iterdir() if p.is_file())
    for file in files:
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}:".encode())
        with file.open("rb") as handle:
            digest.update(handle.read(65_536))
            handle.seek(max(0, size - 65_536))
            digest.update(handle.read())
    return digest.hexdigest()

"""Traces: what is written is what was measured, a killed run goes on, and followers make KL unbiased."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from kullback.cli.app import app
from kullback.errors import InvalidInput
from kullback.evaluation import diff_models, trace
from kullback.evaluation._models import open_model, read_safetensors
from kullback.evaluation._record import Recorder
from kullback.evaluation._windows import read_documents, windows

HEADER = {"vocabulary": "60", "vocabulary_hash": "v", "text_hash": "t", "window": "8/4", "rule": "r"}


def record(path, logits, y, *, stop=None, header=None, **options):
    """A trace of windows of 20 positions; `stop` leaves it unfinished."""
    recorder = Recorder(path, header or HEADER, **options)
    count = len(y) // 20
    for w in range(count if stop is None else stop):
        if w in recorder.done:
            continue
        rows = slice(20 * w, 20 * w + 20)
        recorder.add(
            w,
            np.array_split(logits[rows], 3),
            target=y[rows],
            document=np.full(20, w),
            position=np.arange(20),
            size=np.full(20, 4),
            first=20 * w,
        )
    if stop is None:
        recorder.finish(count)
    return path


def contents(path):
    """Everything in a trace; the order in which the library writes its entries is not part of it."""
    header, arrays = read_safetensors(path)
    return header, {key: value.tobytes() for key, (value, _) in arrays.items()}


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    a = 3 * rng.standard_normal((400, 60))
    return a, a + 0.4 * rng.standard_normal(a.shape), (a + rng.gumbel(size=a.shape)).argmax(axis=1)


def test_levels_against_the_logits(pair, tmp_path):
    a, b, y = pair
    exact = diff_models(a, b, targets=y, documents=np.arange(400) // 20)
    for level in ("full", "sparse", "score"):
        record(tmp_path / f"a.{level}.safetensors", a, y, level=level, k=10)
        record(tmp_path / f"b.{level}.safetensors", b, y, level=level, k=10)
    full = diff_models(tmp_path / "a.full.safetensors", tmp_path / "b.full.safetensors")
    assert full.kl.value == pytest.approx(exact.kl.value, rel=1e-4)
    assert full.documents == 20
    own = diff_models(tmp_path / "a.sparse.safetensors", tmp_path / "b.sparse.safetensors")
    assert own.certified[0] <= own.kl.value <= exact.kl.value
    score = diff_models(tmp_path / "a.score.safetensors", tmp_path / "b.score.safetensors")
    assert np.isnan(score.kl.value)
    for r in (full, own, score):
        assert r.delta_cross_entropy.value == pytest.approx(exact.delta_cross_entropy.value, abs=2e-4)
        assert r.bits_per_byte is not None


def test_a_follower_makes_kl_unbiased(pair, tmp_path):
    a, b, y = pair
    exact = diff_models(a, b)
    base = record(tmp_path / "base.safetensors", a, y, k=10, draws=8)
    other = record(tmp_path / "other.safetensors", b, y, k=10, draws=8, following=open_model(base, "base"))
    for q in (other, b):
        r = diff_models(base, q)
        assert "unbiased" in r.kl.method
        assert r.kl.value == pytest.approx(exact.kl.value, abs=4 * 0.002)
        assert r.certified[0] < exact.kl.value


def test_a_killed_run_goes_on_and_ends_the_same(pair, tmp_path):
    a, _, y = pair
    whole = contents(record(tmp_path / "whole.safetensors", a, y))
    record(tmp_path / "part.safetensors", a, y, stop=7)
    assert not (tmp_path / "part.safetensors").exists()
    (tmp_path / ".part.safetensors.parts" / "7.writing").write_bytes(b"half")
    record(tmp_path / "part.safetensors", np.where(np.arange(400)[:, None] < 140, np.nan, a), y)
    assert contents(tmp_path / "part.safetensors") == whole
    assert not (tmp_path / ".part.safetensors.parts").exists()


def test_parts_of_another_run_are_not_mixed_in(pair, tmp_path):
    a, b, y = pair
    record(tmp_path / "x.safetensors", a, y, stop=5)
    record(tmp_path / "x.safetensors", b, y, header={**HEADER, "model_hash": "other"})
    clean = record(tmp_path / "y.safetensors", b, y, header={**HEADER, "model_hash": "other"})
    assert contents(tmp_path / "x.safetensors") == contents(clean)


def test_different_texts_are_refused(pair, tmp_path):
    a, _, y = pair
    base = record(tmp_path / "a.safetensors", a, y)
    record(tmp_path / "b.safetensors", a, y, header={**HEADER, "text_hash": "u"})
    with pytest.raises(InvalidInput, match="text_hash"):
        diff_models(base, tmp_path / "b.safetensors")
    with pytest.raises(InvalidInput, match="text or the windows differ"):
        record(tmp_path / "c.safetensors", a, y[::-1].copy(), following=open_model(base, "base"))


def test_every_token_is_scored_once():
    plan = windows([1, 2, 700, 5], 64, 16)
    seen = [(w.document, t) for w in plan for t in range(w.scored, w.stop)]
    assert len(seen) == len(set(seen)) == 1 + 699 + 4
    assert all(w.stop - w.first <= 64 for w in plan)
    assert all(w.scored - w.first >= 48 or w.first == 0 for w in plan)


def test_documents_of_a_file(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n\n{"text": "two"}\n')
    assert read_documents(tmp_path / "a.jsonl")[0] == ["one", "two"]
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    for name in ("b.txt", "none.txt"):
        with pytest.raises(InvalidInput):
            read_documents(tmp_path / name)


def test_the_command_downloads_nothing(tmp_path):
    (tmp_path / "t.txt").write_text("text")
    arguments = [
        "trace",
        str(tmp_path / "no-model"),
        "--text",
        str(tmp_path / "t.txt"),
        "-o",
        str(tmp_path / "o.safetensors"),
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert not (tmp_path / "o.safetensors").exists()
    with pytest.raises(InvalidInput, match="nothing is downloaded"):
        trace(tmp_path / "no-model", tmp_path / "t.txt", tmp_path / "o.safetensors")


@pytest.mark.slow
def test_a_small_model_of_hugging_face(tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    vocabulary = {chr(c): c - 32 for c in range(32, 127)} | {"<s>": 95}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<s>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>").save_pretrained(tmp_path / "m")
    config = transformers.GPT2Config(vocab_size=96, n_embd=16, n_layer=1, n_head=2, n_positions=64)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "m")
    (tmp_path / "t.jsonl").write_text(
        "".join(json.dumps({"text": f"document {i} of several"}) + "\n" for i in range(6))
    )
    base = trace(tmp_path / "m", tmp_path / "t.jsonl", tmp_path / "a.ktrace.safetensors", k=8, window=16, stride=8)
    r = diff_models(
        base,
        trace(
            tmp_path / "m",
            tmp_path / "t.jsonl",
            tmp_path / "b.ktrace.safetensors",
            following=base,
            k=8,
            window=16,
            stride=8,
        ),
    )
    assert r.kl.value == 0.0
    assert r.documents == 6

"""Two language models: exact at the edges, certified where little is known, the same from every kind of file."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from typer.testing import CliRunner

import kullback as kb
from kullback.cli.app import app
from kullback.errors import InvalidForm, InvalidInput
from kullback.evaluation import diff_models
from kullback.evaluation._bounds import (
    core,
    entropy_between,
    js_upper,
    kl_between,
    kl_lower,
    kl_upper,
    sampled_kl,
    total_variation_upper,
)
from kullback.evaluation._coded import coded_pairs, coded_pairs_formula
from kullback.evaluation._kld import open_kld, write_kld
from kullback.evaluation._llama import llama_rows, llama_rows_formula
from kullback.evaluation._pairs import pairs, pairs_formula
from kullback.evaluation._sparse import aligned, gathered, top_k


def logits(n, V, *, change=0.5, seed=0, scale=3.0):
    rng = np.random.default_rng(seed)
    a = scale * rng.standard_normal((n, V))
    return a, a + change * rng.standard_normal((n, V))


def drawn(a, seed=1):
    return (a + np.random.default_rng(seed).gumbel(size=a.shape)).argmax(axis=1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.integers(2, 40),
    st.sampled_from([0.0, 1e-9, 1e-4, 0.3, 5.0, 300.0]),
    st.sampled_from([0.0, 1.0, 30.0]),
    st.integers(0, 10_000),
)
def test_the_loop_is_the_formula(n, V, change, scale, seed):
    a, b = logits(n, V, change=change, seed=seed, scale=scale)
    fast, plain = pairs(a, b), pairs_formula(a, b)
    for name in ("kl", "kl_reverse", "js", "total_variation"):
        x, y = getattr(fast, name), getattr(plain, name)
        assert (x >= 0).all()
        # what rounding the logits themselves makes: eps·|logit| in u, and so in TV; twice that power in the others
        noise = 1e-15 * (scale + change + 1) * (1.0 if name == "total_variation" else 1e-2)
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=noise)
    np.testing.assert_allclose(fast.entropy, plain.entropy, rtol=1e-9, atol=1e-12 * (1 + scale))
    np.testing.assert_array_equal(fast.top, plain.top)


def test_divergences_are_those_of_the_library():
    a, b = logits(30, 50)
    p, q = kb.Logits(a), kb.Logits(b)
    found = pairs(a, b)
    np.testing.assert_allclose(found.kl, kb.kl_divergence(p, q), rtol=1e-12)
    np.testing.assert_allclose(found.js, kb.js_divergence(p, q), rtol=1e-11)
    np.testing.assert_allclose(found.total_variation, kb.total_variation(p, q), rtol=1e-11)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_identical_logits_give_exactly_zero(dtype):
    # In bfloat16, differences of log-softmaxes gave +0.025 and less than 0 for identical logits.
    a = logits(20, 1000, scale=8.0)[0].astype(dtype)
    r = diff_models(a, a.copy())
    assert r.kl.value == r.kl_reverse.value == r.js.value == r.total_variation.value == 0.0
    assert r.same_top.value == 1.0


def test_torch_and_its_bfloat16():
    torch = pytest.importorskip("torch")
    a, b = logits(10, 60)
    ta, tb = (torch.from_numpy(x).to(torch.bfloat16) for x in (a, b))
    assert diff_models(ta, ta).kl.value == 0.0
    exact = diff_models(ta.double().numpy(), tb.double().numpy())
    assert diff_models(ta, tb).kl.value == pytest.approx(exact.kl.value, rel=1e-12)


def test_ruled_out_tokens():
    a, b = logits(4, 10)
    a[0, 3] = b[0, 3] = -np.inf  # masked in both: costs nothing
    b[1, 2] = -np.inf  # ruled out by Q alone: infinite
    a[2, 1] = -np.inf  # by P alone: finite
    found = pairs(a, b)
    expected = [kb.kl_divergence(kb.Logits(x), kb.Logits(y)) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found.kl, expected, rtol=1e-12)
    assert found.kl_reverse[2] == math.inf
    assert np.isfinite(found.js).all()
    r = diff_models(a, b)
    assert r.kl.value == math.inf
    assert any("infinite at 1 positions, first 1" in note for note in r.notes)
    json.loads(r.to_json())


def test_change_in_cross_entropy_is_kl_plus_alignment():
    a, b = logits(3000, 30)
    y = drawn(a)
    r = diff_models(a, b, targets=y, documents=np.arange(3000) // 50)
    nll = [-log_softmax(x, axis=1)[np.arange(3000), y].mean() for x in (a, b)]
    assert r.cross_entropy_base.value == pytest.approx(nll[0], rel=1e-12)
    assert r.delta_cross_entropy.value == pytest.approx(nll[1] - nll[0], abs=1e-12)
    assert r.kl.value + r.alignment.value == pytest.approx(r.delta_cross_entropy.value, abs=1e-14)
    # The text was drawn from P itself: nothing aligns with it.
    assert r.alignment.low < 0 < r.alignment.high
    assert sum(g.share_of_kl for g in r.by_position if g.kind == "base entropy") == pytest.approx(1.0)
    assert r.worst[0].kl == pytest.approx(r.quantiles["max"])


def test_dependence_widens_the_interval():
    a, b = logits(600, 20)
    rows = np.repeat(np.arange(600), 5)
    r = diff_models(a[rows], b[rows])
    assert r.kl.standard_error > 1.7 * r.iid_errors["kl"]
    clustered = diff_models(a[rows], b[rows], documents=rows)
    assert clustered.kl.standard_error == pytest.approx(math.sqrt(5) * clustered.iid_errors["kl"], rel=0.01)


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 60), st.sampled_from([0.01, 0.5, 3.0]), st.integers(0, 1000), st.data())
def test_no_bound_is_ever_violated(V, change, seed, data):
    k = data.draw(st.integers(1, V - 1))
    a, b = logits(20, V, change=change, seed=seed)
    full = pairs_formula(a, b)
    log_q = log_softmax(b, axis=1)
    log_p = log_softmax(a, axis=1)
    P, slack = top_k(a, k), 1e-10
    Q = gathered(P, b)
    p_tail, q_tail = np.exp(P.log_tail), np.exp(Q.log_tail)
    inner = core(P.log_p, Q.log_p)
    low = kl_lower(inner, p_tail, q_tail)
    coarse = pairs(*aligned(P, Q)[:2])
    np.testing.assert_allclose(coarse.kl, low, rtol=1e-9, atol=1e-12)  # T1
    assert (low <= full.kl + slack).all()
    assert (kl_upper(inner, p_tail, np.exp(P.log_p.min(axis=1)), log_q.min(axis=1)) >= full.kl - slack).all()  # T2
    tail = np.argsort(-a, axis=1)[:, k:]
    tail_p = np.take_along_axis(log_p, tail, axis=1) - P.log_tail[:, None]
    entropy = -np.sum(np.exp(tail_p) * tail_p, axis=1)
    left, right = kl_between(inner, p_tail, entropy, np.take_along_axis(log_q, tail, axis=1))  # T3
    assert (left <= full.kl + 1e-7).all()
    assert (right >= full.kl - 1e-7).all()
    own = pairs(*aligned(P, top_k(b, k))[:2])  # T4: each its own top tokens
    assert (own.kl <= full.kl + slack).all()
    assert (coarse.js <= full.js + slack).all()  # T5
    assert (js_upper(coarse.js, p_tail, q_tail) >= full.js - slack).all()
    assert (coarse.total_variation <= full.total_variation + slack).all()
    assert (total_variation_upper(coarse.total_variation, p_tail, q_tail) >= full.total_variation - slack).all()
    least, most = entropy_between(P.log_p, p_tail, V - k)  # T6
    assert (least <= full.entropy + slack).all()
    assert (most >= full.entropy - slack).all()


def test_sampled_tails_are_unbiased():
    # T7, against the truth, with a standard error of its own; and the control variate earns its place.
    a, b = logits(4000, 80, change=0.2)
    P = top_k(a, 5)
    Q = gathered(P, b)
    log_p, log_q = log_softmax(a, axis=1), log_softmax(b, axis=1)
    rest = log_p.copy()
    np.put_along_axis(rest, P.ids, -np.inf, axis=1)
    rng = np.random.default_rng(0)
    ids = np.stack([(rest + rng.gumbel(size=rest.shape)).argmax(axis=1) for _ in range(8)], axis=1)
    ratio = np.take_along_axis(log_q, ids, axis=1) - np.take_along_axis(log_p, ids, axis=1)
    p_tail, q_tail = np.exp(P.log_tail), np.exp(Q.log_tail)
    inner = core(P.log_p, Q.log_p)
    truth = pairs_formula(a, b).kl
    estimate = sampled_kl(inner, p_tail, q_tail, ratio)
    naive = inner - p_tail * ratio.mean(axis=1)
    error = (estimate - truth).std() / math.sqrt(4000)
    assert abs(np.mean(estimate - truth)) < 3 * error
    assert (estimate - truth).std() < 0.7 * (naive - truth).std()


def test_files_hold_the_same_numbers(tmp_path):
    a, b = (x.astype(np.float32) for x in logits(60, 40))
    y, d = drawn(a), np.arange(60) // 10
    direct = diff_models(a, b, targets=y, documents=d)
    np.save(tmp_path / "a.npy", a)
    np.savez(tmp_path / "b.npz", logits=b, targets=y, documents=d)
    found = diff_models(tmp_path / "a.npy", tmp_path / "b.npz")
    assert found.kl == direct.kl
    assert found.alignment == direct.alignment
    from safetensors.numpy import save_file

    save_file({"logits": a, "targets": y}, tmp_path / "a.safetensors")
    assert diff_models(tmp_path / "a.safetensors", tmp_path / "b.npz").kl == direct.kl
    three = diff_models(a.reshape(6, 10, 40), b.reshape(6, 10, 40))
    assert three.documents == 6
    assert three.kl.value == pytest.approx(direct.kl.value, rel=1e-14)


def test_bfloat16_in_a_file(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    a, b = (torch.from_numpy(x).to(torch.bfloat16) for x in logits(12, 30))
    save_file({"logits": a}, tmp_path / "a.safetensors")
    assert diff_models(tmp_path / "a.safetensors", b).kl == diff_models(a, b).kl


@pytest.fixture
def kld(tmp_path):
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 301, 32 * 12)
    a, b = logits(15 * 12, 301, change=0.3, scale=4.0)
    write_kld(tmp_path / "a.kld", a, tokens, 32)
    write_kld(tmp_path / "b.kld", b, tokens, 32)
    return a.astype(np.float32), b.astype(np.float32), tmp_path


def test_llama_files_against_the_logits(kld):
    a, b, folder = kld
    exact = diff_models(a, b)
    for other in (b, folder / "b.kld"):
        r = diff_models(folder / "a.kld", other)
        assert r.kl.value == pytest.approx(exact.kl.value, rel=2e-3)
        assert r.certified is not None
        assert r.documents == 12
    assert diff_models(folder / "a.kld", folder / "a.kld").kl.value == 0.0
    # 16 bits over at most 16 nats: half a step is 1.2e-4.
    file = open_kld(folder / "a.kld")
    block = file.block(0, file.rows.shape[0])
    known = block.codes > 0
    assert np.abs(block.decoded() - log_softmax(a, axis=1))[known].max() <= 1.3e-4
    assert (~known).any()


@pytest.mark.parametrize("scale", [0.5, 4.0, 20.0])  # nothing cut, some, nearly everything
def test_the_loop_over_codes_is_the_formula(tmp_path, scale):
    tokens = np.random.default_rng(0).integers(0, 101, 16 * 3)
    a, b = logits(21, 101, change=0.3 * scale, scale=scale)
    write_kld(tmp_path / "a.kld", a, tokens, 16)
    write_kld(tmp_path / "b.kld", b, tokens, 16)
    p, q = (open_kld(tmp_path / f"{name}.kld").block(0, 21) for name in "ab")
    assert ((p.codes == 0).mean() < 0.02) == (scale == 0.5)
    for x, y in ((p, q), (p, b), (a, q), (p, b.astype(np.float32)), (p, p)):
        fast, plain = coded_pairs(x, y), coded_pairs_formula(x, y)
        np.testing.assert_allclose(fast.rest, plain.rest, rtol=1e-9, atol=1e-15)
        for name in ("kl", "kl_reverse", "js", "total_variation", "entropy", "log_normaliser"):
            u, v = getattr(fast.pairs, name), getattr(plain.pairs, name)
            np.testing.assert_allclose(u, v, rtol=1e-9, atol=1e-14)
        np.testing.assert_array_equal(fast.pairs.top, plain.pairs.top)
        assert (fast.pairs.top < 101).all()
    assert not coded_pairs(p, p).pairs.kl.any()


def test_llama_statistics_follow_their_identities(kld):
    # Delta method and pairing, as in the published tables: ratio = exp(ln ratio), errors multiply.
    a, b, folder = kld
    text = diff_models(folder / "a.kld", b, llama_compat=True).llama
    rows = {line.split(":")[0].strip(): line.split(":", 1)[1].split() for line in text.splitlines() if ":" in line}
    q, base = float(rows["Mean PPL(Q)"][0]), float(rows["Mean PPL(base)"][0])
    ratio, error = float(rows["Mean PPL(Q)/PPL(base)"][0]), float(rows["Mean PPL(Q)/PPL(base)"][2])
    assert ratio == pytest.approx(q / base, rel=1e-5)
    assert math.log(ratio) == pytest.approx(float(rows["Mean ln(PPL(Q)/PPL(base))"][0]), abs=1e-5)
    assert error == pytest.approx(ratio * float(rows["Mean ln(PPL(Q)/PPL(base))"][2]), rel=1e-4)
    assert float(rows["Mean PPL(Q)-PPL(base)"][0]) == pytest.approx(q - base, rel=1e-3)
    share, spread = float(rows["Same top p"][0]), float(rows["Same top p"][2])
    n = (share / 100) * (1 - share / 100) / (spread / 100) ** 2 + 1
    assert n == pytest.approx(180, rel=0.02)
    with pytest.raises(InvalidInput, match=r"\.kld"):
        diff_models(a, b, targets=drawn(a), llama_compat=True)


def test_the_loop_over_the_tools_sums_is_the_formula(kld):
    _, b, folder = kld
    file = open_kld(folder / "a.kld")
    block, targets = file.block(0, 180), file.targets()
    fast, plain = llama_rows(block, b, targets), llama_rows_formula(block, b, targets)
    for x, y in zip(fast, plain, strict=True):
        # Terms are float32 and the same; their sum is taken in another order.
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-14)


def test_published_tables_hold_together():
    # Llama-3-8B, Wikitext-2, from the tool's README: the arithmetic that any reimplementation must share.
    base = 6.407115 - 0.175482
    assert base == pytest.approx(6.231633, abs=1e-6)
    assert 6.407115 / base == pytest.approx(1.028160, abs=1e-6)
    for share, spread, chunks in ((0.91901, 0.00072, 564), (0.94665, 0.00055, 655)):
        assert share * (1 - share) / spread**2 == pytest.approx(chunks * 255, rel=0.01)


@pytest.mark.parametrize("damage", ["magic", "short", "long", "header"])
def test_damaged_llama_files(kld, damage):
    _, _, folder = kld
    raw = (folder / "a.kld").read_bytes()
    changed = {"magic": b"x" + raw[1:], "short": raw[:-100], "long": raw + b"12", "header": raw[:15]}[damage]
    (folder / "c.kld").write_bytes(changed)
    with pytest.raises(InvalidInput):
        diff_models(folder / "c.kld", folder / "a.kld")


def test_damaged_arrays(tmp_path):
    a, _ = logits(20, 30)
    np.save(tmp_path / "whole.npy", a)
    raw = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(raw[:300])
    (tmp_path / "none.npy").write_bytes(b"")
    (tmp_path / "junk.npz").write_bytes(b"PK" + raw[:50])
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    for name in ("cut.npy", "none.npy", "junk.npz", "objects.npy"):
        with pytest.raises(InvalidInput, match=name):
            diff_models(tmp_path / name, a)


def vllm(path, a, y, k):
    """Lines as vLLM writes them: the k most probable tokens, and always the prompt's own."""
    log_p = log_softmax(a, axis=1)
    with path.open("w") as handle:
        for start in range(0, len(a), 10):
            entries, ids = [None], [0]
            for i in range(start, min(start + 10, len(a))):
                rank = np.argsort(-log_p[i], kind="stable")
                keep = list(dict.fromkeys([int(y[i]), *map(int, rank[:k])]))
                order = {int(t): r + 1 for r, t in enumerate(rank)}
                entries.append(
                    {str(t): {"logprob": log_p[i, t], "rank": order[t], "decoded_token": f"t{t}"} for t in keep}
                )
                ids.append(int(y[i]))
            line = {"prompt_logprobs": entries} | ({"prompt_token_ids": ids} if start % 20 == 0 else {})
            handle.write(json.dumps(line) + "\n")


def test_reported_log_probabilities_certify_and_never_renormalise(tmp_path):
    a, b = logits(200, 100)
    y = drawn(a)
    vllm(tmp_path / "a.jsonl", a, y, 20)
    vllm(tmp_path / "b.jsonl", b, y, 20)
    r = diff_models(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    exact = diff_models(a, b, targets=y)
    assert 0.3 * exact.kl.value < r.certified[0] <= exact.kl.value
    assert r.certified[1] == math.inf
    assert r.kl.high == math.inf
    assert r.js.low <= exact.js.value <= r.js.high
    assert r.total_variation.low <= exact.total_variation.value <= r.total_variation.high
    assert r.delta_cross_entropy.value == pytest.approx(exact.delta_cross_entropy.value, abs=1e-9)
    assert r.alignment is None
    dense = diff_models(tmp_path / "a.jsonl", b)
    assert r.kl.value <= dense.kl.value <= exact.kl.value
    same = diff_models(tmp_path / "a.jsonl", tmp_path / "a.jsonl")
    assert same.kl.value == 0.0


def test_openai_lines(tmp_path):
    def line(shift):
        content = [
            {
                "token": "a",
                "logprob": -0.5 - shift,
                "top_logprobs": [{"token": "a", "logprob": -0.5 - shift}, {"token": "b", "logprob": -1.5}],
            },
            {"token": "c", "logprob": -2.0, "top_logprobs": [{"token": "b", "logprob": -0.3 - shift}]},
        ]
        return json.dumps({"choices": [{"logprobs": {"content": content}}]}) + "\n"

    (tmp_path / "a.jsonl").write_text(line(0.0) * 5)
    (tmp_path / "b.jsonl").write_text(line(0.1) * 5)
    r = diff_models(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert r.positions == 10
    assert r.delta_cross_entropy.value == pytest.approx(0.05)
    assert r.bits_per_byte[2].value == pytest.approx(0.05 / math.log(2))
    assert r.kl.value > 0


@pytest.mark.parametrize("text", ["", "{}\n", "not json\n", '{"prompt_logprobs": [{"1": {"logprob": 0.5}}]}\n'])
def test_broken_lines(tmp_path, text):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(InvalidInput, match=r"a\.jsonl"):
        diff_models(tmp_path / "a.jsonl", tmp_path / "a.jsonl")


def test_wrong_input_is_named(tmp_path):
    a, b = logits(10, 20)
    y = drawn(a)
    with pytest.raises(InvalidInput, match="vocabulary"):
        diff_models(a, b[:, :19])
    with pytest.raises(InvalidInput, match="10 positions"):
        diff_models(a, b[:9])
    with pytest.raises(InvalidInput, match="9 entries for 10"):
        diff_models(a, b, targets=y[:9])
    with pytest.raises(InvalidInput, match="position 3"):
        diff_models(a, np.where(np.arange(10)[:, None] == 3, np.nan, b))
    with pytest.raises(InvalidInput, match="vocabulary has 20"):
        diff_models(a, b, targets=np.full(10, 25))
    with pytest.raises(InvalidForm, match="int64"):
        diff_models(np.ones((3, 4), dtype=np.int64), b)
    with pytest.raises(InvalidInput, match="no file"):
        diff_models(tmp_path / "none.npy", b)
    (tmp_path / "x.bin").write_bytes(b"123")
    with pytest.raises(InvalidInput, match="unknown kind"):
        diff_models(tmp_path / "x.bin", b)
    (tmp_path / "x.safetensors").write_bytes(b"\x50\0\0\0\0\0\0\0{}")
    with pytest.raises(InvalidInput, match="cut short"):
        diff_models(tmp_path / "x.safetensors", b)


def test_the_command(tmp_path):
    a, b = logits(50, 30)
    np.save(tmp_path / "a.npy", a)
    np.save(tmp_path / "b.npy", b)
    run = CliRunner().invoke
    files = [str(tmp_path / "a.npy"), str(tmp_path / "b.npy")]
    result = run(app, ["diff-models", *files, "--json", str(tmp_path / "r.json")])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "r.json").read_text())["schema"] == "kullback-model-comparison/1"
    assert run(app, ["diff-models", *files, "--fail-above", "kl=0.0001"]).exit_code == 1
    assert run(app, ["diff-models", *files, "--fail-above", "kl=100"]).exit_code == 0
    assert run(app, ["diff-models", *files, "--llama-compat"]).exit_code == 2
    assert run(app, ["diff-models", files[0], "nothing.npy"]).exit_code == 2

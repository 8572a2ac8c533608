"""One formula, every array library: the same number, the right gradient."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import kullback as kb
from measured import LABELS, measure_of

P = np.array([[0.2, 0.3, 0.5, 0.0], [0.25, 0.25, 0.25, 0.25]])
Q = np.array([[0.1, 0.3, 0.55, 0.05], [0.25 + 1e-9, 0.25, 0.25 - 1e-9, 0.25]])


def to(xp: Any, x: np.ndarray[Any, Any], dtype: str = "float64") -> Any:
    return xp.asarray(x.tolist(), dtype=getattr(xp, dtype))


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("form", [kb.Probs, kb.Logits, kb.Counts])
def test_same_number(xp: Any, name: str, form: Any) -> None:
    measure = measure_of(name)
    got = measure(form(to(xp, P)), form(to(xp, Q)))
    np.testing.assert_allclose(np.asarray(got), measure(form(P), form(Q)), rtol=1e-14)


def test_entropy_and_explain(xp: Any) -> None:
    np.testing.assert_allclose(np.asarray(kb.entropy(to(xp, P))), kb.entropy(P), rtol=1e-15)
    told = kb.explain(to(xp, P)[0, ...], to(xp, Q)[0, ...])
    assert told.value == pytest.approx(kb.kl_divergence(P[0], Q[0]), rel=1e-15)


@pytest.mark.parametrize("name", LABELS)
def test_float32_comes_back_as_float32(xp: Any, name: str) -> None:
    got = measure_of(name)(to(xp, P, "float32"), to(xp, Q, "float32"))
    assert got.dtype == xp.float32


def test_sixteen_bit_input_returns_float32() -> None:
    import jax.numpy as jnp
    import torch

    half = np.array([0.25, 0.75], dtype=np.float16)
    assert kb.entropy(half).dtype == np.float32
    for dtype in (torch.float16, torch.bfloat16):
        assert kb.entropy(torch.tensor([0.25, 0.75], dtype=dtype)).dtype == torch.float32
    assert kb.entropy(jnp.array([0.25, 0.75], dtype=jnp.bfloat16)).dtype == jnp.float32


def test_refusals_are_the_same_everywhere(xp: Any) -> None:
    with pytest.raises(kb.InvalidDistribution, match=r"p\[1\] = -0.5 is negative"):
        kb.entropy(to(xp, np.array([1.5, -0.5])))
    with pytest.raises(kb.InvalidDistribution, match=r"sums to 0\.9"):
        kb.entropy(to(xp, np.array([0.5, 0.4])))
    with pytest.raises(kb.InvalidDistribution, match="looks like counts"):
        kb.entropy(xp.asarray([1, 2]))


# Gradients -----------------------------------------------------------------------------------------------------------


def numeric_gradient(f: Any, x: np.ndarray[Any, Any], step: float = 1e-6) -> np.ndarray[Any, Any]:
    grad = np.zeros_like(x)
    for i in range(len(x)):
        e = np.zeros_like(x)
        e[i] = step
        grad[i] = (f(x + e) - f(x - e)) / (2 * step)
    return grad


@pytest.mark.parametrize(("name", "side", "form"), list(itertools.product(LABELS, (0, 1), (kb.Probs, kb.Logits))))
def test_torch_gradient_equals_finite_differences(name: str, side: int, form: Any) -> None:
    import torch

    measure = measure_of(name)
    inputs = [np.array([0.2, 0.3, 0.1, 0.4]), np.array([0.1, 0.35, 0.05, 0.5])]
    tensors = [torch.tensor(x, requires_grad=True) for x in inputs]
    measure(*map(form, tensors), validate=False).backward()

    def at(x: np.ndarray[Any, Any]) -> float:
        moved = list(inputs)
        moved[side] = x
        return float(measure(*map(form, moved), validate=False))

    got = tensors[side].grad
    assert got is not None
    np.testing.assert_allclose(got.numpy(), numeric_gradient(at, inputs[side]), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", LABELS)
def test_jax_jit_grad_vmap(name: str) -> None:
    import jax
    import jax.numpy as jnp

    measure = measure_of(name)
    p, q = jnp.asarray(P), jnp.asarray(Q)
    want = measure_of(name)(P, Q)
    np.testing.assert_allclose(jax.jit(measure)(p, q), want, rtol=1e-14)
    np.testing.assert_allclose(jax.vmap(measure)(p, q), want, rtol=1e-14)
    x, y = np.array([0.2, 0.3, 0.1, 0.4]), np.array([0.1, 0.35, 0.05, 0.5])
    got = jax.grad(lambda v: measure(jnp.asarray(x), v, validate=False))(jnp.asarray(y))
    want_gradient = numeric_gradient(lambda v: float(measure(x, v, validate=False)), y)
    np.testing.assert_allclose(got, want_gradient, rtol=1e-6, atol=1e-8)


FACES = {
    "p = 0": ([0.0, 0.4, 0.6], [0.2, 0.3, 0.5]),
    "both 0": ([0.0, 0.4, 0.6], [0.0, 0.3, 0.7]),
    "P = Q": ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
    "P = Q with 0": ([0.0, 0.5, 0.5], [0.0, 0.5, 0.5]),
}


@pytest.mark.parametrize("name", [n for n in LABELS if n != "jeffreys_divergence"])
@pytest.mark.parametrize("face", FACES)
def test_gradients_are_finite_at_the_edges(name: str, face: str) -> None:
    import jax
    import jax.numpy as jnp
    import torch

    measure = measure_of(name)
    p, q = FACES[face]
    with np.errstate(divide="ignore"):
        log_p, log_q = np.log(p), np.log(q)
    for form, x, y in ((kb.Probs, p, q), (kb.Logits, log_p, log_q)):
        tensors = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (x, y)]
        measure(*map(form, tensors)).backward()
        for t in tensors:
            assert t.grad is not None
            assert torch.isfinite(t.grad).all(), (name, face, form)
        grads = jax.grad(lambda a, b, form=form: measure(form(a), form(b)), argnums=(0, 1))(
            jnp.asarray(x), jnp.asarray(y)
        )
        assert all(bool(jnp.isfinite(g).all()) for g in grads), (name, face, form)


@pytest.mark.parametrize(
    ("name", "weight"), [("kl_divergence", 1.0), ("js_divergence", 0.25), ("chi2_divergence", 2.0)]
)
def test_second_derivative_at_equality_is_the_fisher_metric(name: str, weight: float) -> None:
    # f-divergences agree to second order: D(P‖P+ε) = f″(1)/2·Σ ε²/p: the Hessian in Q along the simplex is f″(1)/p.
    import torch

    p = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    directions = torch.tensor([[1.0, -1.0, 0.0], [0.0, 1.0, -1.0]], dtype=torch.float64)
    measure = measure_of(name)
    hessian = torch.autograd.functional.hessian(
        lambda e: measure(p, p + e @ directions), torch.zeros(2, dtype=torch.float64)
    )
    fisher = weight * directions @ torch.diag(1 / p) @ directions.T
    torch.testing.assert_close(hessian, fisher, rtol=1e-9, atol=1e-9)


@pytest.mark.slow  # compiling C++ takes half a minute
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own inductor imports warn
@pytest.mark.parametrize("form", [kb.Probs, kb.Logits, kb.Counts])
def test_compiled_code_keeps_the_digits(form: Any) -> None:
    import torch

    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(50))
    q = p * (1 + 1e-8 * rng.standard_normal(50))
    x, y = (np.log(p), np.log(q)) if form is kb.Logits else (p, q / q.sum())
    compiled = torch.compile(lambda a, b: kb.kl_divergence(form(a), form(b)), fullgraph=True)
    got = compiled(torch.tensor(x), torch.tensor(y))
    np.testing.assert_allclose(got.numpy(), kb.kl_divergence(form(x), form(y)), rtol=1e-13)


@pytest.mark.parametrize("name", ["kl_divergence", "cross_entropy"])
def test_torch_compile_fullgraph(name: str) -> None:
    import torch

    measure = measure_of(name)
    compiled = torch.compile(lambda a, b: measure(kb.Logits(a), kb.Logits(b)), fullgraph=True, backend="aot_eager")
    a, b = torch.log(torch.tensor(Q)), torch.log(torch.tensor(P) + 0.1)
    torch.testing.assert_close(compiled(a, b), measure(kb.Logits(a), kb.Logits(b)), rtol=1e-12, atol=0)


def test_jax_without_float64() -> None:
    # JAX's default: sums in float32, no warning, the answer still right to float32.
    code = """
import warnings; warnings.simplefilter("error")
import numpy as np, jax.numpy as jnp, kullback as kb
p, q = np.array([0.2, 0.3, 0.5]), np.array([0.2001, 0.2999, 0.5])
got = kb.kl_divergence(jnp.asarray(p), jnp.asarray(q))
want = kb.kl_divergence(p.astype("float32"), q.astype("float32"))
assert got.dtype == jnp.float32 and abs(float(got) - want) <= 2e-6 * want, (got, want)
try:
    kb.entropy(jnp.asarray([0.5, 0.4]))
except kb.InvalidDistribution as error:
    print(error)
print(kb.kl_divergence(kb.Counts(jnp.asarray([3, 1])), kb.Counts(jnp.asarray([30, 10]))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sums to 0.89" in done.stdout
    assert done.stdout.endswith("0.0\n")

"""One set of names for NumPy, Python numbers, torch and JAX: array functions and the special functions that they lack.

A family's formula takes such a namespace as `xp` and never asks which library is behind it.
"""

from __future__ import annotations

import functools
import importlib
import math
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from kullback.errors import InvalidForm, NoClosedForm

Array = Any
Namespace = Any


def namespace_of(*values: Any) -> Namespace:
    """The namespace that all values share: torch or JAX if any value is theirs, else NumPy, else plain numbers."""
    if not values:
        return _scalar()
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    kinds = set()
    for v in values:
        if isinstance(v, (float, int)):
            continue
        if torch is not None and isinstance(v, torch.Tensor):
            kinds.add("torch")
        elif jax is not None and isinstance(v, jax.Array):
            kinds.add("jax")
        elif isinstance(v, np.ndarray):
            kinds.add("scalar" if not v.ndim else "large" if v.size >= _LARGE else "numpy")
        elif not isinstance(v, np.number):
            msg = f"got a {type(v).__module__}.{type(v).__name__}; expected numbers, or NumPy, torch or JAX arrays."
            raise InvalidForm(msg)
    if {"torch", "jax"} <= kinds:
        msg = "got torch and JAX arrays together; expected one library. Convert one side."
        raise InvalidForm(msg)
    return next((_BUILD[kind]() for kind in ("torch", "jax", "large", "numpy") if kind in kinds), _scalar())


def is_concrete(x: Any) -> bool:
    """Whether the values of x can be looked at (not under jit, grad, vmap or compile)."""
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(x, jax.core.Tracer):
        return False
    torch = sys.modules.get("torch")
    return torch is None or not isinstance(x, torch.Tensor) or not _torch_traced(torch, x)


def _torch_traced(torch: Any, x: Any) -> bool:
    return bool(torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(x))


def to_host(x: Any) -> np.ndarray[Any, Any]:
    """X as a NumPy array of float64; refused where a derivative or a trace would be lost silently."""
    if hasattr(x, "detach"):
        if x.requires_grad and sys.modules["torch"].is_grad_enabled():
            msg = (
                "this route runs on NumPy and carries no gradient. Detach the parameters, or choose a pair with a "
                "closed form: kullback.families.table() shows which have one."
            )
            raise NoClosedForm(msg)
        x = x.detach().cpu()
    if not is_concrete(x):
        msg = "this route looks at values, so it cannot run under jit, grad or vmap. Call it outside."
        raise NoClosedForm(msg)
    return np.asarray(x, dtype=float)


def replaced(value: Array, chosen: Any, given: list[Array], f: Any, xp: Namespace) -> Array:
    """f(given) where chosen, else value; only the chosen members are computed where they can be seen."""
    if xp.name == "scalar":
        return f(given) if chosen else value
    if not is_concrete(chosen):
        return xp.where(chosen, f(given), value)
    if not bool(chosen.any()):
        return value
    if xp.name != "numpy" or bool(chosen.all()):
        return xp.where(chosen, f(given), value)
    value[chosen] = f([x[chosen] for x in given])
    return value


# ---- NumPy and plain numbers -----------------------------------------------------------------------------------------

_ELEMENTWISE = tuple(
    "exp expm1 log log1p sqrt abs sin cos sinh cosh tanh floor isfinite isnan maximum minimum logaddexp".split()  # noqa: SIM905  a list of names
)
_SCIPY = tuple(
    "gammaln digamma polygamma erf erfc erfcx log_ndtr i0e i1e gammainc gammaincc betainc exp1 zeta".split()  # noqa: SIM905
)


@functools.cache
def _numpy() -> Namespace:
    special = importlib.import_module("scipy.special")
    return SimpleNamespace(
        name="numpy",
        **{f: getattr(np, f) for f in [*_ELEMENTWISE, "where", "zeros_like", "ones_like", "broadcast_to", "arctan"]},
        **{f: getattr(special, f) for f in _SCIPY if f != "polygamma"},
        # SciPy's own computes digamma besides
        polygamma=lambda n, x: (-1.0) ** (n + 1) * math.factorial(n) * special.zeta(n + 1.0, x),
        double=lambda x: np.asarray(x, dtype=float),
        like=lambda x, dtype: np.asarray(x, dtype=dtype),
        sum=lambda x: np.sum(x, axis=-1),
        max=lambda x: np.max(x, axis=-1),
        host=lambda f, *xs: f(*(np.asarray(x, dtype=float) for x in xs)),
        cholesky=np.linalg.cholesky,
        solve=np.linalg.solve,
        concat=lambda xs: np.concatenate(xs, axis=-1),
        solve_lower=lambda L, B: np.linalg.solve(L, B),
        eigvalsh=np.linalg.eigvalsh,
        matmul=np.matmul,
        transpose=lambda x: np.swapaxes(x, -1, -2),
        diagonal=lambda x: np.diagonal(x, axis1=-2, axis2=-1),
        tril=np.tril,
        stack=lambda xs: np.stack(np.broadcast_arrays(*xs), axis=-1),
    )


@functools.cache
def extended() -> Namespace:
    """NumPy's functions in long double where that is longer; special functions, of parameters only, in double."""
    shared = vars(_numpy())

    def in_double(f: Any) -> Any:
        return lambda *xs: np.asarray(f(*(np.asarray(x, dtype=float) for x in xs)), dtype=np.longdouble)

    return SimpleNamespace(
        **{
            **shared,
            **{f: in_double(shared[f]) for f in _SCIPY if f != "polygamma"},
            "double": lambda x: np.asarray(x, dtype=np.longdouble),
            "host": lambda f, *xs: in_double(f)(*xs),
        }
    )


@functools.cache
def _scalar() -> Namespace:
    """NumPy's functions on np.float64, with a `where` that costs nothing: a scalar pair is answered in microseconds."""
    shared = vars(_numpy())
    return SimpleNamespace(
        **{
            **shared,
            "name": "scalar",
            "double": np.float64,
            "where": lambda condition, x, y: np.float64(x if condition else y),
            "zeros_like": lambda _: np.float64(0.0),
            "ones_like": lambda _: np.float64(1.0),
            "abs": abs,
            "broadcast_to": lambda x, shape: np.float64(x) if shape == () else np.broadcast_to(x, shape),
            "plain": importlib.import_module("kullback._special_scalar"),
            # where Python's own function has a value; it takes a fifth of the time of NumPy's
            "exp": lambda x: np.float64(math.exp(x)) if -700.0 < x < 700.0 else np.exp(x),
            "expm1": lambda x: np.float64(math.expm1(x)) if -700.0 < x < 700.0 else np.expm1(x),
            "log": lambda x: np.float64(math.log(x)) if 0.0 < x < math.inf else np.log(x),
            "log1p": lambda x: np.float64(math.log1p(x)) if -1.0 < x < math.inf else np.log1p(x),
            "sqrt": lambda x: np.float64(math.sqrt(x)) if 0.0 <= x < math.inf else np.sqrt(x),
            "gammaln": lambda x: np.float64(math.lgamma(x)) if 0.0 < x < 1e300 else shared["gammaln"](x),
            # x where it is no number, and y where that is none
            "maximum": lambda x, y: x if x >= y or x != x else y,
            "minimum": lambda x, y: x if x <= y or x != x else y,
        }
    )


# ---- torch -----------------------------------------------------------------------------------------------------------


@functools.cache
def _torch() -> Namespace:
    import torch

    special = torch.special

    def double(x: Any) -> Any:
        if not isinstance(x, torch.Tensor):
            return torch.as_tensor(x, dtype=torch.float64)  # as_tensor alone would round 0.3 to float32
        return x if x.dtype == torch.float64 or x.device.type == "mps" else x.to(torch.float64)

    def where(condition: Any, x: Any, y: Any) -> Any:
        # two Python numbers would give the default dtype, float32
        both = not isinstance(x, torch.Tensor) and not isinstance(y, torch.Tensor)
        return torch.where(condition, torch.as_tensor(x, dtype=torch.float64) if both else x, y)

    def pair(f: Any) -> Any:
        def call(x: Any, y: Any) -> Any:
            x, y = (v if isinstance(v, torch.Tensor) else torch.as_tensor(v, dtype=torch.float64) for v in (x, y))
            return f(x, y)

        return call

    def host(f: Any, *xs: Any) -> Any:
        return torch.as_tensor(f(*(to_host(x) for x in xs)), dtype=torch.float64)

    own = importlib.import_module("kullback.families.torch_special")
    return SimpleNamespace(
        name="torch",
        **{f: getattr(torch, f) for f in _ELEMENTWISE if f not in ("maximum", "minimum")},
        **{f: getattr(special, f) for f in _SCIPY[:9] if f != "polygamma"},
        # torch's own trigamma is right to 5e-10 only (2.13); n!·ζ(n+1, x) is right to rounding
        polygamma=lambda n, x: (-1.0) ** (n + 1) * math.factorial(n) * special.zeta(torch.full_like(x, n + 1.0), x),
        maximum=pair(torch.maximum),
        minimum=pair(torch.minimum),
        gammainc=pair(special.gammainc),
        gammaincc=pair(special.gammaincc),
        zeta=pair(special.zeta),
        betainc=own.betainc,
        exp1=own.exp1,
        arctan=torch.atan,
        where=where,
        zeros_like=torch.zeros_like,
        ones_like=torch.ones_like,
        broadcast_to=torch.broadcast_to,
        double=double,
        like=lambda x, dtype: x.to(dtype),
        sum=lambda x: torch.sum(x, dim=-1),
        max=lambda x: torch.amax(x, dim=-1),
        host=host,
        cholesky=torch.linalg.cholesky,
        solve=torch.linalg.solve,
        concat=lambda xs: torch.cat(_one_batch(torch, xs), dim=-1),
        solve_lower=lambda L, B: torch.linalg.solve_triangular(*_same_batch(torch, L, B), upper=False),
        eigvalsh=torch.linalg.eigvalsh,
        matmul=torch.matmul,
        transpose=lambda x: x.transpose(-1, -2),
        diagonal=lambda x: torch.diagonal(x, dim1=-2, dim2=-1),
        tril=torch.tril,
        stack=lambda xs: torch.stack(torch.broadcast_tensors(*xs), dim=-1),
    )


def _one_batch(torch: Any, xs: list[Any]) -> list[Any]:
    batch = torch.broadcast_shapes(*(x.shape[:-1] for x in xs))
    return [x.expand(*batch, x.shape[-1]) for x in xs]


def _same_batch(torch: Any, L: Any, B: Any) -> tuple[Any, Any]:
    batch = torch.broadcast_shapes(L.shape[:-2], B.shape[:-2])
    return L.expand(*batch, *L.shape[-2:]), B.expand(*batch, *B.shape[-2:])


# ---- JAX -------------------------------------------------------------------------------------------------------------


@functools.cache
def _jax() -> Namespace:
    import jax
    import jax.numpy as jnp
    import jax.scipy.special as special

    return SimpleNamespace(
        name="jax",
        **{f: getattr(jnp, f) for f in [*_ELEMENTWISE, "where", "zeros_like", "ones_like", "broadcast_to", "arctan"]},
        **{f: getattr(special, f) for f in _SCIPY if f != "erfcx"},
        erfcx=special.erfcx,
        # float64 where the session has it switched on, else JAX's own float32
        double=lambda x: jnp.asarray(x, dtype=jax.dtypes.canonicalize_dtype(float)),
        like=lambda x, dtype: x.astype(dtype),
        sum=lambda x: jnp.sum(x, axis=-1),
        max=lambda x: jnp.max(x, axis=-1),
        host=lambda f, *xs: jnp.asarray(f(*(to_host(x) for x in xs))),
        cholesky=jnp.linalg.cholesky,
        solve=jnp.linalg.solve,
        concat=lambda xs: jnp.concatenate(xs, axis=-1),
        solve_lower=lambda L, B: jax.scipy.linalg.solve_triangular(
            jnp.broadcast_to(L, jnp.broadcast_shapes(L.shape[:-2], B.shape[:-2]) + L.shape[-2:]),
            jnp.broadcast_to(B, jnp.broadcast_shapes(L.shape[:-2], B.shape[:-2]) + B.shape[-2:]),
            lower=True,
        ),
        eigvalsh=jnp.linalg.eigvalsh,
        matmul=jnp.matmul,
        transpose=lambda x: jnp.swapaxes(x, -1, -2),
        diagonal=lambda x: jnp.diagonal(x, axis1=-2, axis2=-1),
        tril=jnp.tril,
        stack=lambda xs: jnp.stack(jnp.broadcast_arrays(*xs), axis=-1),
    )


@functools.cache
def _large() -> Namespace:
    """NumPy's namespace with the primitives compiled: worth numba's import from some ten thousand members on."""
    compiled = importlib.import_module("kullback._special_numba")
    return SimpleNamespace(**{**vars(_numpy()), "plain": compiled})


_LARGE = 20_000
_BUILD = {"large": _large, "torch": _torch, "jax": _jax, "numpy": _numpy}

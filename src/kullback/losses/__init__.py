"""Losses for training with torch: cross-entropy and divergences on logits, and fused with the linear head above them.

`given` takes logits that are there; `linear`, `distillation` and `sparse` take features and a weight and never keep the
N×V logits. All are made of row statistics (`ops`, `linear_ops`), whose sums over the vocabulary exist under the same
names in plain torch (`blocks`), as compiled loops for the CPU (`_numba`) and as Triton kernels for CUDA (`_triton`).
`kinds` and `terms` hold the formulas, `reference` the oracle. `plans` and `head` walk through a linear head in blocks
of tokens, as many at a time as `workspace` allows; `at_once` is a loss on given logits in one step, for the CPU, and
`in_forward` one whose gradient the forward pass makes, for CUDA.
"""

from kullback.errors import need

need("torch", "torch")

from kullback.losses import parallel, torch_compat  # noqa: E402  torch is there
from kullback.losses.distillation import linear_divergence  # noqa: E402
from kullback.losses.estimate import kl_estimate  # noqa: E402
from kullback.losses.given import (  # noqa: E402
    cross_entropy,
    js_divergence,
    kl_divergence,
    reverse_kl_divergence,
    skew_js_divergence,
    skew_kl_divergence,
    total_variation,
)
from kullback.losses.linear import (  # noqa: E402
    LossStats,
    linear_cross_entropy,
    linear_cross_entropy_stats,
    linear_logprob,
    linear_logprob_entropy,
)
from kullback.losses.modules import (  # noqa: E402
    CrossEntropyLoss,
    DivergenceLoss,
    LinearCrossEntropyLoss,
    LinearDivergenceLoss,
)
from kullback.losses.sparse import linear_sparse_kl  # noqa: E402
from kullback.losses.variational import Elbo, categorical_kl, elbo, gaussian_kl  # noqa: E402

__all__ = [
    "CrossEntropyLoss",
    "DivergenceLoss",
    "Elbo",
    "LinearCrossEntropyLoss",
    "LinearDivergenceLoss",
    "LossStats",
    "categorical_kl",
    "cross_entropy",
    "elbo",
    "gaussian_kl",
    "js_divergence",
    "kl_divergence",
    "kl_estimate",
    "linear_cross_entropy",
    "linear_cross_entropy_stats",
    "linear_divergence",
    "linear_logprob",
    "linear_logprob_entropy",
    "linear_sparse_kl",
    "parallel",
    "reverse_kl_divergence",
    "skew_js_divergence",
    "skew_kl_divergence",
    "torch_compat",
    "total_variation",
]

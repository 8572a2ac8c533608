"""KL(P‖Q) of an embedding over all pairs, point by point, as a sum of non-negative terms."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from kullback.learn._affinities import Bandwidths, Geometry
from kullback.learn._embedding import Kernel

Floats = NDArray[np.float64]


def kl_per_point(shape: Geometry, found: Bandwidths, Y: Floats, weight: Floats, kernel: Kernel, rows: Any) -> Floats:
    """Σ_j P log(P/Q) − P + Q over all pairs, for P of these bandwidths; adds up to KL(P‖Q)."""
    from kullback.learn._numba import sne_divergence

    log_weight, sums = np.log(weight), _kernel_sums(Y, weight, kernel, rows)
    out = np.empty(len(Y))
    for a, D, DT in shape.blocks():
        rows(
            sne_divergence.divergence_rows,
            len(D),
            a,
            D,
            np.ascontiguousarray(DT),
            log_weight,
            found.beta,
            found.low,
            found.log_z,
            Y,
            kernel.gaussian,
            float(kernel.dof),
            float(np.log(sums.sum())),
            float(np.log(weight.sum())),
            out,
        )
    return out


def stored_kl_per_point(P: sp.csr_matrix, Y: Floats, weight: Floats, kernel: Kernel, rows: Any) -> Floats:
    """The same for a stored P; the normaliser of Q is still over all pairs."""
    from kullback.learn._numba import sne_divergence

    sums = _kernel_sums(Y, weight, kernel, rows)
    out, total = np.empty(len(Y)), float(sums.sum())
    rows(
        sne_divergence.sparse_divergence_rows,
        len(Y),
        P.indptr,
        P.indices,
        P.data,
        np.log(weight),
        Y,
        kernel.gaussian,
        float(kernel.dof),
        float(np.log(total)),
        sums / total,
        out,
    )
    return out


def _kernel_sums(Y: Floats, weight: Floats, kernel: Kernel, rows: Any) -> Floats:
    from kullback.learn._numba import sne_divergence

    out = np.empty(len(Y))
    rows(sne_divergence.kernel_sums, len(Y), Y, weight, kernel.gaussian, float(kernel.dof), out)
    return out

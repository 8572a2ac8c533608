"""Checks of scikit-learn that an estimator here cannot pass, and why."""

from __future__ import annotations

_EMPTY = "the check feeds rows that are all zero, which are no distributions; they are refused by row"
_NEGATIVE = "the check feeds negative numbers although the estimator's tags say positive_only"

#: estimator name -> check name -> reason
EXPECTED_FAILED_CHECKS: dict[str, dict[str, str]] = {
    "KLKMeans": {
        "check_estimators_dtypes": _EMPTY,
        "check_sample_weights_pandas_series": _EMPTY,
        "check_sample_weights_not_an_array": _EMPTY,
        "check_estimator_sparse_tag": _EMPTY,
        "check_estimator_sparse_array": _EMPTY,
        "check_estimator_sparse_matrix": _EMPTY,
        "check_fit2d_1feature": _EMPTY,
        "check_clustering": _NEGATIVE,
    },
    "DistributionRegressor": {
        "check_sample_weight_equivalence_on_dense_data": (
            "the default gradient boosting counts rows, not weights, in its bins and leaves"
        ),
    },
    "SNE": {
        "check_sample_weight_equivalence_on_dense_data": (
            "two equal points repel each other, one point of weight two does not repel itself"
        ),
    },
}

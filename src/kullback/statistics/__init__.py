"""Significance: numbers in, numbers out.

Standard errors that know about clusters and about order, bootstrap intervals of functions of means, sign-flip tests,
e-processes that may be looked at whenever one likes, and the lower bound on a divergence that a classifier proves.
"""

from kullback.statistics.bootstrap import bootstrap_of_means
from kullback.statistics.classifier import jensen_shannon_lower_bound
from kullback.statistics.e_process import EProcess, e_process
from kullback.statistics.folds import fold_numbers
from kullback.statistics.means import Interval, cluster_sums, mean_error, mean_interval, serial_mean_error
from kullback.statistics.sign_flip import sign_flip_test

__all__ = [
    "EProcess",
    "Interval",
    "bootstrap_of_means",
    "cluster_sums",
    "e_process",
    "fold_numbers",
    "jensen_shannon_lower_bound",
    "mean_error",
    "mean_interval",
    "serial_mean_error",
    "sign_flip_test",
]

"""Judging models: the loss split into its parts, two models side by side, language models and generators.

Predictions and labels become an `Evaluation`; logits or traces of two language models a `ModelComparison`; real and
generated samples a `GeneratorEvaluation`.
"""

from kullback.evaluation._compare_models import diff_models
from kullback.evaluation._evaluate import evaluate
from kullback.evaluation._files import evaluate_table, log_loss_of_table
from kullback.evaluation._forecasts import Histogram, Quantiles
from kullback.evaluation._generator import evaluate_generator
from kullback.evaluation._recalibrate import recalibrate
from kullback.evaluation._scores import log_loss
from kullback.evaluation._tracing import trace

__all__ = [
    "Histogram",
    "Quantiles",
    "diff_models",
    "evaluate",
    "evaluate_generator",
    "evaluate_table",
    "log_loss",
    "log_loss_of_table",
    "recalibrate",
    "trace",
]

"""Applying a recalibration map that `kb.evaluate` found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kullback.errors import InvalidInput
from kullback.evaluation._line import FLOOR, Line, centred, mapped
from kullback.evaluation._truth import read_predictions
from kullback.result.evaluation import Recalibrator

SCHEMA = "kullback-recalibrator/1"


def recalibrate(
    probabilities: Any, recalibrator: Recalibrator | dict[str, Any] | str | Path, /, *, classes: Any = None
) -> NDArray[np.float64]:
    """Better-calibrated probabilities, by the map that `kb.evaluate(...)` fitted.

    Parameters
    ----------
    probabilities : array or frame (n, K), `kb.Logits` or `kb.LogProbs` of one; or (n,), the probability of class 1
    recalibrator : `evaluation.recalibrator`, its `to_dict()`, or the path of the JSON file that holds it
    classes : names of the columns, in their order, if they are not a frame's

    Returns
    -------
    array (n, K)
        Rows sum to 1; columns in the order of the input.

    Examples
    --------
    >>> import numpy as np
    >>> from kullback.evaluation import evaluate
    >>> rng = np.random.default_rng(0)
    >>> p = rng.dirichlet(np.ones(3), size=2000)
    >>> y = (np.cumsum(p, axis=1) < rng.random(2000)[:, None]).sum(axis=1)
    >>> over = p**2 / (p**2).sum(axis=1, keepdims=True)
    >>> better = recalibrate(over, evaluate(y, over).recalibrator)
    >>> bool(abs(better - p).mean() < abs(over - p).mean())
    True
    """
    found = recalibrator if isinstance(recalibrator, Recalibrator) else read_recalibrator(recalibrator)
    predictions = read_predictions(probabilities, classes=classes)
    order = _order(predictions.classes, found.classes)
    line = Line(np.array(found.nodes), np.array(found.values), np.array(found.bias)[order])
    log_q = predictions.log_probabilities()
    if found.floor != FLOOR:
        raise InvalidInput(f"the recalibrator was made with floor {found.floor}, this version applies {FLOOR}")
    return np.asarray(np.exp(mapped(centred(log_q), line)))


def read_recalibrator(given: dict[str, Any] | str | Path) -> Recalibrator:
    """The recalibrator in a dictionary or a JSON file."""
    if not isinstance(given, dict):
        try:
            given = json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise InvalidInput(f"{given}: not a readable JSON file ({error})") from None
    if isinstance(given, dict) and isinstance(given.get("recalibrator"), dict):
        given = given["recalibrator"]
    try:
        assert isinstance(given, dict)
        out = Recalibrator(
            rung=str(given["rung"]),
            classes=tuple(str(c) for c in given["classes"]),
            nodes=tuple(float(v) for v in given["nodes"]),
            values=tuple(float(v) for v in given["values"]),
            bias=tuple(float(v) for v in given["bias"]),
            floor=float(given["floor"]),
        )
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise InvalidInput(
            f"this is no recalibrator ({error!r}); expected the JSON that `kullback evaluate --recalibrator FILE` "
            f"writes"
        ) from None
    rising = all(a < b for a, b in zip(out.nodes[:-1], out.nodes[1:], strict=True))
    numbers = np.array([*out.nodes, *out.values, *out.bias])
    if len(out.nodes) < 2 or len(out.values) != len(out.nodes) or len(out.bias) != len(out.classes) or not rising:
        raise InvalidInput("this recalibrator is damaged: its nodes, values and biases do not fit together")
    if not np.isfinite(numbers).all():
        raise InvalidInput("this recalibrator is damaged: it holds NaN or infinite numbers")
    return out


def _order(columns: tuple[str, ...], known: tuple[str, ...]) -> NDArray[np.intp]:
    """Where each column's class stands in the recalibrator."""
    if set(columns) != set(known):
        plain = tuple(str(k) for k in range(len(columns)))
        if columns == plain and len(known) == len(columns):
            return np.arange(len(known))
        raise InvalidInput(
            f"the recalibrator knows the classes {list(known)[:12]}, the columns are {list(columns)[:12]}"
        )
    return np.array([known.index(c) for c in columns], dtype=np.intp)

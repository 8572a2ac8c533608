"""The measures of facts.py as functions of (p, q), with the options at which their facts are stated."""

from __future__ import annotations

from functools import partial
from typing import Any

import kullback as kb
from kullback.facts import FACTS

LABELS = sorted(FACTS)


def measure_of(label: str, **options: Any) -> Any:
    facts = FACTS[label]
    positional = [value for _, value in facts.options]
    function = getattr(kb, facts.name)
    return lambda p, q, **more: function(p, q, *positional, **(options | more))


unchecked = partial(measure_of, validate=False)

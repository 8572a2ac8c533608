"""The whole of the laws as one result, every counterexample computed now."""

from __future__ import annotations

from collections.abc import Sequence

from kullback.errors import InvalidForm
from kullback.facts import FACTS, LAWS
from kullback.laws.claims import claims
from kullback.laws.counterexamples import counterexample
from kullback.result.law_report import Broken, LawReport, MeasureLaws, SettledClaim


def report(measures: Sequence[str] = (), /) -> LawReport:
    """Facts, counterexamples and claims; of all measures, or of those whose names begin with one of `measures`.

    Examples
    --------
    >>> import kullback as kb
    >>> [row.name for row in kb.laws.report(["kl"]).measures]
    ['kl_divergence']
    """
    chosen = [label for label in FACTS if not measures or any(label.startswith(m) for m in measures)]
    if not chosen:
        msg = f"no measure is called {', '.join(measures)}; expected one of {', '.join(FACTS)}."
        raise InvalidForm(msg)
    return LawReport(
        laws={str(law): words for law, words in LAWS.items()},
        measures=tuple(_row(label) for label in chosen),
        claims=tuple(SettledClaim(c.statement, c.true, c.reason, c.numbers) for c in claims()),
    )


def _row(label: str) -> MeasureLaws:
    facts = FACTS[label]
    laws: dict[str, Broken | None] = {}
    for law in LAWS:
        found = None if facts.obeys(law) else counterexample(label, law)
        laws[law] = None if found is None else Broken(found.distributions, found.verdict.left, found.verdict.right)
    return MeasureLaws(label, facts.formula, facts.unit, facts.low, facts.high, facts.limits, facts.source, laws)

"""The last resort of one pair: an exact or bounded sum, or quadrature, or a refusal that names the ways out."""

from __future__ import annotations

import math
from typing import Any

from kullback.families.answer import SUPPORT, Answer
from kullback.families.line import Line


def kl(p: Any, q: Any) -> Answer:
    """KL(p‖q) of one pair with NumPy parameters."""
    from kullback.families import dispatch, quadrature, sums

    if isinstance(p, Line) and isinstance(q, Line) and p.event_shape == ():
        return sums.kl(p, q) if p.discrete else quadrature.kl(*_mapped(p, q))
    from kullback.families.student import MultivariateStudentT, numeric_kl

    if isinstance(q, MultivariateStudentT):
        answer = numeric_kl(p, q)
        if answer is not None:
            return answer
    if p._carrier and q._carrier and p._carrier != q._carrier:
        note = f"p lives on {p._carrier}, q on {q._carrier}: neither has a density with respect to the other."
        return Answer(math.inf, SUPPORT, notes=(note,))
    raise dispatch.no_closed_form(p, q, "it is not a pair on the line that quadrature could answer")


def _mapped(p: Line, q: Line) -> tuple[Line, Line]:
    """The two after a map that their families know: on the scale of a logarithm nothing leaves the range of floats."""
    from kullback.families.namespace import namespace_of

    xp = namespace_of(1.0)
    mapped = p._lifted(xp)._mapped(q._lifted(xp), xp)
    return (p, q) if mapped is None else mapped


def better(given: Answer, p: Any, q: Any) -> Answer:
    """The closed form `given`, whose terms cancelled, or a sum or quadrature of smaller error."""
    from kullback.errors import NoClosedForm
    from kullback.families import quadrature

    try:
        on_line = isinstance(p, Line) and isinstance(q, Line) and not p.discrete
        found = quadrature.estimated_kl(p, q) if on_line else kl(p, q)
    except NoClosedForm:
        if not given.value >= 0.0:
            raise
        return given
    return given if given.value >= 0.0 and given.error < found.error else found


def entropy(p: Any) -> Answer:
    """H(p) of one member with NumPy parameters."""
    from kullback.errors import NoClosedForm
    from kullback.families import quadrature, sums

    if isinstance(p, Line) and p.event_shape == ():
        return sums.entropy(p) if p.discrete else quadrature.entropy(p)
    msg = f"the entropy of {type(p).__name__} has no closed form here."
    raise NoClosedForm(msg)

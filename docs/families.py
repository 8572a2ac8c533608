"""Write docs/families.md: how each family is made, and the table of all ordered pairs by method.

Run: python docs/families.py
"""

from __future__ import annotations

import dataclasses
import inspect
import pathlib

from kullback.families import Affine, Product, table
from kullback.families.base import Family
from kullback.families.matrix import members
from kullback.families.parameters import spec

# counted in the sources of torch 2.13 and TFP 0.25: rules with a finite answer
TORCH, TFP = 54, 43
MEANINGS = {
    "F": "closed form of the family, a sum of terms that do not cancel",
    "E": "closed form by expectations, −H(p) − E_p[log q]",
    "M": "closed form after a one-to-one map",
    "S": "exact finite sum",
    "∞": "infinite: q has no mass where p has some, or p's tail is too heavy for q",
    "s": "sum with a bound on what is cut",
    "q": "quadrature whose error estimate meets 1e-10, of a divergence below 1e-14 six digits",
    "·": "refused; draws (`monte_carlo`) remain",
}


def constructor(cls: type[Family]) -> str:
    """The call that makes one, with its defaults."""
    parts = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        default = "" if field.default is dataclasses.MISSING else f"={field.default}"
        parts.append(field.name + default)
    return f"{cls.__name__}({', '.join(parts)})"


def page() -> str:
    """The whole page."""
    matrix = table()
    first, _ = members()
    exact, infinite, numeric, refused = (matrix.count(x) for x in ("FEMS", "∞", "sq", "·"))
    lines = [
        "# Families",
        "",
        "This page is written by `docs/families.py`.",
        "",
        f"Of the ordered pairs of families on one space, **{exact} have an exact finite answer**, each asked for the",
        f"members named in `kullback.families.matrix`; torch has {TORCH} rules with one, TensorFlow Probability {TFP}.",
        f"{infinite} more are infinite, by support or by tails; {numeric} are summed or integrated to a stated error;",
        f"{refused or 'none'} of them is refused." if refused < 2 else f"{refused} are refused, with the ways out.",
        "",
        "## How each is made",
        "",
        "| family | parameters | |",
        "|---|---|---|",
    ]
    for cls in sorted({type(p) for p in first} | {Affine, Product}, key=lambda c: c.__name__):
        words = ", ".join(f"`{name}` {constraint.words}" for name, constraint in spec(cls) if constraint is not None)
        about = (inspect.getdoc(cls) or "").split("\n", 1)[0].replace("|", "\\|")
        lines.append(f"| `{constructor(cls)}` | {words} | {about} |")
    lines += ["", "## Every pair", "", "Rows are p, columns q, in the same order: KL(p‖q).", ""]
    lines += [f"- **{letter}** {meaning}" for letter, meaning in MEANINGS.items()]
    lines += ["", "```text", str(matrix), "```", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    pathlib.Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")

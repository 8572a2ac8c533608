"""Names and values that try to be more than text; every sink has to show them and do nothing."""

from __future__ import annotations

from kullback.result.comparison import Comparison, Skipped, Source
from show.builders import categorical, comparison, numeric

NAMES = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "</style><style>*{display:none}",
    "<!--",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    '" onmouseover="alert(1)',
    "' onmouseover='alert(1)",
    'a"b; DROP TABLE t; --',
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b]8;;http://evil.example\x07link\x1b]8;;\x07",
    "\x9b31m\x90q\x9d",
    "[red]x[/] [link=http://evil.example]y[/link] [/] :smile: [bold",
    "gnp.\u202eexe\u202c \u2066isolated\u2069",
    "zero\u200bwidth\u200djoined\ufeff",
    "tag\U000e0041\U000e007f and selector\ufe01\U000e0101",
    "line\nfeed\r\ttab\u2028\u2029\x00\x7f\x85",
    "lone \ud800 surrogate",
    "$\\frac{1}{2}$ $^_{",
    "%s %(x)s {0} \\u003c",
    "x" * 10_000,
    "\u0301" * 10_000,
    "漢字" * 300,
    "   ",
    "\u00a0",
    "",
]
INVISIBLE = set(
    "\x00\x07\x08\x0a\x0b\x0d\x1b\x7f\x85\x90\x9b\x9d\u200b\u200d\u202c\u202e\u2028\u2029\u2066\u2069\ufeff\ud800"
)


def everywhere() -> Comparison:
    """A comparison that has each of them as a column, a category, a source, a reason and a lacking column."""
    categories = {name: 50 + 3 * i for i, name in enumerate(NAMES)}
    shifted = {name: 50 + 3 * (len(NAMES) - i) for i, name in enumerate(NAMES[1:])}
    columns = [categorical(name, categories, shifted | {"new " + name: 40}) for name in NAMES]
    one, two = [float(i % 17) for i in range(900)], [float(i % 23) for i in range(900)]
    return comparison(
        *columns,
        *(numeric(name + " ", one, two) for name in NAMES[:4]),
        reference=Source(NAMES[0] + NAMES[10], 1),
        current=Source(NAMES[1] + NAMES[12] + NAMES[13], 1),
        only_in_reference=tuple(NAMES),
        only_in_current=tuple(NAMES),
        skipped=tuple(Skipped(name, name) for name in NAMES),
    )

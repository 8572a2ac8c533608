"""Words and numbers for people: values of the data made safe to look at, and numbers in humane digits."""

from __future__ import annotations

import math
import unicodedata

LIMIT = 200  # characters of one value that are shown

# Drawn as nothing although their Unicode category does not say so: fillers, joiners, the blank Braille pattern,
# and the variation selectors that can hide a message in a name. U+FE0F stays: emoji need it.
_BLANK = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE0F)}


def _shown(character: str) -> str:
    """One character, or what stands for it when it would be invisible, move the cursor or turn the line around."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)  # ESC is drawn as ␛, a line feed as ␊
    if code == 0x7F:
        return "␡"
    if code < 0x7F:
        return character
    category = unicodedata.category(character)
    hidden = category in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or code in _BLANK or 0xE0100 <= code <= 0xE01EF
    odd_space = category == "Zs" and code != 0x3000  # the ideographic space is ordinary text
    return f"⟨U+{code:04X}⟩" if hidden or odd_space else character


def visible(value: object, *, limit: int = LIMIT) -> str:
    r"""A value of the data as harmless text of at most `limit` characters.

    Control characters (C0, C1, escape), marks that turn the writing direction, zero-width characters and lone
    surrogates are drawn as signs; what is longer than `limit` ends in "…". The result is plain text: it still has
    to be escaped for HTML, and never goes through rich's markup.

    Examples
    --------
    >>> visible("red\x1b[31m")
    'red␛[31m'
    """
    text = str(value)
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    parts: list[str] = []
    length = 0
    for character in text:
        part = _shown(character)
        if length + len(part) > limit or (length + len(part) == limit and len(text) > len(parts) + 1):
            return "".join(parts) + "…"
        parts.append(part)
        length += len(part)
    return "".join(parts)


def name(value: object, *, limit: int = LIMIT) -> str:
    """The name of a column; one made of nothing or of blanks is put into words or marks."""
    text = visible(value, limit=limit)
    if not text:
        return "(empty name)"
    return text if text == text.strip() else f"“{text}”"


def number(value: float | None, *, digits: int = 3) -> str:
    """`digits` significant digits, thousands set apart: 1,302; 0.0123; 4.5e-07; ∞; – where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    sign = "−" if value < 0 else ""
    if size == 0:
        return "0"
    if size >= 1e15 or size < 1e-4:
        mantissa, exponent = f"{size:.{digits - 1}e}".split("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{sign}{mantissa}e{int(exponent)}".replace("e-", "e−")
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    return f"{sign}{size:,.{decimals}f}"


def trimmed(value: float, *, digits: int = 4) -> str:
    """A number on an axis or the edge of a bin: `number` without trailing zeros."""
    text = number(value, digits=digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def fixed(value: float, *, decimals: int = 4) -> str:
    """A divergence in a column of a table, aligned at the decimal point; nothing but 0 is drawn as 0."""
    if not math.isfinite(value):
        return number(value)
    least = 10.0**-decimals
    if 0 < abs(value) < least / 2:
        return f"<{least:.{decimals}f}"
    return "0" if value == 0 else f"{value:.{decimals}f}".replace("-", "−")


def percent(share: float) -> str:
    """A share in percent, with two digits: 12 %, 0.4 %, 99.7 %. Only nothing is 0 %, only all is 100 %."""
    if math.isnan(share):
        return "–"
    if share in (0.0, 1.0):
        return f"{share:.0%}".replace("%", " %")
    value = 100 * share
    if value < 0.01:
        return "<0.01 %"
    if value > 99.99:
        return ">99.99 %"
    if value < 0.095:
        return f"{value:.2f} %"
    if value < 0.95:
        return f"{value:.1f} %"
    if value > 99:
        return f"{min(value, 99.99):.{1 if value < 99.9 else 2}f} %"
    return f"{value:.0f} %"


def percents(before: float, after: float) -> tuple[str, str]:
    """Two shares for comparing, with enough digits that unequal shares do not read the same."""
    low, high = percent(before), percent(after)
    if low == high and before != after and 0.0001 < before < 0.9999:
        for decimals in (1, 2):
            finer = f"{100 * before:.{decimals}f} %", f"{100 * after:.{decimals}f} %"
            if finer[0] != finer[1]:
                return finer
    return low, high


def plural(n: int, one: str, many: str | None = None) -> str:
    """1 column, 2 columns."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def ascii_only(text: str) -> str:
    """For a terminal that cannot draw more than ASCII."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


_ASCII = str.maketrans(
    {
        "→": "->",
        "∞": "inf",
        "…": "~",
        "‖": "||",
        "–": "-",
        "−": "-",
        "·": ".",
        "“": '"',
        "”": '"',
        "▲": "+",
        "▼": "-",
        "█": "#",
        "░": "=",
        "─": "-",
        "≥": ">=",
        "√": "sqrt ",
    }
)

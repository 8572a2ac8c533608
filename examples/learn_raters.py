"""What raters disagree on is information: the same linear model on majority labels and on their distributions.

Each side gets the penalty (of six) that is best for it on a fifth of its training rows: KL(raters‖model), the measure
of the test, so that the majority's model too is tuned for what it is judged by.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.tree import DecisionTreeClassifier

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import learn_data

import kullback as kb
from kullback.learn import Distilled, SoftmaxRegression, SoftTarget, kl_scorer

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
texts, Y = learn_data.raters()
Y = Y / Y.sum(axis=1, keepdims=True)
majority = np.eye(Y.shape[1])[Y.argmax(axis=1)]
X = TfidfVectorizer(min_df=3, sublinear_tf=True).fit_transform(texts).tocsr()
order = np.random.default_rng(0).permutation(len(Y))
train, test = order[:8000], order[8000:]
inner, held = train[:6400], train[6400:]


def tuned(make: Any, values: np.ndarray, T: np.ndarray) -> tuple[Any, float]:
    """The model of the best value on the held rows, fitted to all training rows, and that value."""
    costs = [-kl_scorer(make(v).fit(X[inner], T[inner]), X[held], Y[held]) for v in values]
    best = float(values[int(np.argmin(costs))])
    return make(best).fit(X[train], T[train]), best


penalties = np.array([3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3])
models = {
    "linear model,\nraters' distributions": tuned(SoftmaxRegression, penalties, Y),
    "linear model,\nmajority labels": tuned(SoftmaxRegression, penalties, majority),
    "naive Bayes,\nraters' distributions": tuned(
        lambda a: SoftTarget(MultinomialNB(alpha=a)), np.geomspace(0.01, 3, 6), Y
    ),
}
scores = {}
for name, (model, value) in models.items():
    scores[name] = -kl_scorer(model, X[test], Y[test])
    print(f"test KL, {name.replace(chr(10), ' ')}: {scores[name]:.3f} nats (tuned to {value:.2g})")
(soft_model, _), (hard_model, _) = list(models.values())[:2]
gap = kb.kl_divergence(kb.Probs(Y[test]), kb.Probs(hard_model.predict_proba(X[test])))
gap = gap - kb.kl_divergence(kb.Probs(Y[test]), kb.Probs(soft_model.predict_proba(X[test])))
error = 1.96 * gap.std() / np.sqrt(gap.size)
print(f"majority labels cost {gap.mean():.3f} nats a sentence ({gap.mean() - error:.3f} to {gap.mean() + error:.3f})")
T, mean = Y[test], Y[train].mean(axis=0)
scores["no text:\nthe mean distribution"] = float((T * np.log(np.where(T > 0, T, 1) / mean)).sum(axis=1).mean())

words = X[:, np.asarray(X.sum(axis=0)).ravel().argsort()[::-1][:300]].toarray()
tree = DecisionTreeClassifier(criterion="log_loss", min_samples_leaf=40, random_state=0)
pupil = Distilled(tree, SoftmaxRegression(1e-4)).fit(words[train], Y[train])
print(f"a tree taught by a linear model agrees with it on {100 * pupil.agreement_:.0f} % of the sentences")

plt.rcParams["font.size"] = 12
names, values = list(scores)[::-1], list(scores.values())[::-1]
soft, hard = values[-1], values[-2]
fig, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
bars = ax.barh(names, values, color=["#c8c8c8"] * (len(names) - 1) + ["#1f77b4"])
ax.bar_label(bars, fmt="%.2f", padding=4)
ax.margins(x=0.1)
ax.spines[["top", "right"]].set_visible(False)
ax.set_xlabel("KL(raters‖model) of unseen sentences, nats (less is better)")
fig.suptitle(
    f"Learning from all raters brings the model {100 * (1 - soft / hard):.0f} % nearer to them than majority labels"
)
fig.savefig(OUT / "learn_raters.png", dpi=120)
print(f"picture: {OUT / 'learn_raters.png'}")

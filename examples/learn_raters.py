"""What raters disagree on is information: the same linear model on majority labels and on their distributions."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.tree import DecisionTreeClassifier

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import learn_data

from kullback.learn import Distilled, SoftmaxRegression, SoftTarget, kl_scorer

OUT = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
OUT.mkdir(exist_ok=True)
texts, Y = learn_data.raters()
Y = Y / Y.sum(axis=1, keepdims=True)
X = TfidfVectorizer(min_df=3, sublinear_tf=True).fit_transform(texts).tocsr()
cut = 8000
models = {
    "majority label": SoftmaxRegression(1e-4).fit(X[:cut], np.eye(9)[Y[:cut].argmax(axis=1)]),
    "raters' distribution": SoftmaxRegression(1e-4).fit(X[:cut], Y[:cut]),
}
small = X[:, np.asarray(X.sum(axis=0)).ravel().argsort()[::-1][:300]].toarray()
tree = DecisionTreeClassifier(criterion="log_loss", min_samples_leaf=40, random_state=0)
pupil = Distilled(tree, SoftmaxRegression(1e-4)).fit(small[:cut], Y[:cut])
print(f"a tree taught by a linear model agrees with it on {100 * pupil.agreement_:.0f} % of the sentences")
scores = {name: -kl_scorer(model, X[cut:], Y[cut:]) for name, model in models.items()}
scores["naive Bayes, soft"] = -kl_scorer(SoftTarget(MultinomialNB()).fit(X[:cut], Y[:cut]), X[cut:], Y[cut:])
for name, score in scores.items():
    print(f"test KL, {name}: {score:.3f} nats")

fig, ax = plt.subplots(figsize=(7, 2.5), layout="constrained")
ax.barh(list(scores), list(scores.values()))
ax.set_xlabel("KL(raters‖model), nats")
fig.savefig(OUT / "learn_raters.png", dpi=120)
print(f"picture: {OUT / 'learn_raters.png'}")

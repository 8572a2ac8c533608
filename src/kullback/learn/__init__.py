"""Estimators with scikit-learn's interface whose objective is a cross-entropy or a KL divergence, and who report it."""

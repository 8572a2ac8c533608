"""Fused loops for the estimators of `kullback.learn`: one file per estimator, each a plain loop over rows."""

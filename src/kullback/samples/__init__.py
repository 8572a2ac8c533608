"""Divergences from samples: one file per estimator, each returning an `Estimate`."""

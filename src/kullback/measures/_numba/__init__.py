"""Fused loops for large NumPy arrays; imported, with numba, when the first such array arrives."""

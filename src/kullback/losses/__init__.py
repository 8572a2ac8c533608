"""Losses for training with torch."""

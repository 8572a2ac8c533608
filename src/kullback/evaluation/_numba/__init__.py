"""The inner loops of this room, fused; each has the name of the formula that stands above it."""

"""loc + scale·x for x of any family on the line."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from kullback.families.base import Family
from kullback.families.expectations import Feature
from kullback.families.line import Line, Terms
from kullback.families.parameters import family, positive, real

Array = Any
Namespace = Any


@family
class Affine(Line):
    """loc + scale·x for x of any family on the line."""

    base: Line = dataclasses.field()
    loc: Array = real(default=0.0)
    scale: Array = positive(default=1.0)

    def _parts(self) -> tuple[Family, ...]:
        return (self.base,)

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The broadcast shape of base, loc and scale."""
        from kullback.families.parameters import shape_of

        return tuple(np.broadcast_shapes(self.base.batch_shape, shape_of(self.loc), shape_of(self.scale)))

    @property
    def _positive(self) -> bool:  # type: ignore[override]
        return self.base._positive

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        """As the base."""
        return self.base.discrete

    def _loc_scale(self) -> tuple[Array, Array]:
        loc, scale = self.base._loc_scale()
        moved = self.loc if loc is None else self.loc + self.scale * loc
        return moved, self.scale if scale is None else self.scale * scale

    def _standard_support(self, xp: Namespace) -> tuple[Array, Array]:
        return self.base._standard_support(xp)

    def _support(self, xp: Namespace) -> tuple[Array, Array]:
        low, high = self.base._support(xp)
        return self.loc + self.scale * low, self.loc + self.scale * high

    def _terms(self, xp: Namespace) -> Terms | None:
        return self.base._terms(xp)

    def _expect(self, f: Feature, xp: Namespace) -> Array | None:
        return self.base._expect(f, xp)

    def _log_density(self, y: Array, xp: Namespace, co: Array | None = None) -> Array:
        return self.base._log_density(y, xp, co)

    def _log_mass(self, x: Array, xp: Namespace) -> Array:
        return self.base._log_mass(x - self.loc, xp)  # type: ignore[attr-defined]

    def _center(self) -> float:
        return float(self.mean)

    def _standard_entropy(self, xp: Namespace) -> Array | None:
        return self.base._standard_entropy(xp)

    def _standard_variance(self, xp: Namespace) -> Array | None:
        return self.base._standard_variance(xp)

    def _draw(self, rng: np.random.Generator, size: tuple[int, ...]) -> Any:
        return self.base._draw(rng, size)

    def _mapped(self, q: Any, xp: Namespace) -> tuple[Line, Line] | None:
        from kullback.families.symmetric import equal

        if type(q) is Affine and equal(self.loc, q.loc) and equal(self.scale, q.scale):
            return self.base, q.base
        return None

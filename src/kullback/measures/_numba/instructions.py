"""The few instructions that Python has no word for."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def bits(_typing: Any, _x: Any) -> Any:
    return types.int64(types.float64), lambda _c, builder, _s, args: builder.bitcast(args[0], ir.IntType(64))


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def from_bits(_typing: Any, _x: Any) -> Any:
    return types.float64(types.int64), lambda _c, builder, _s, args: builder.bitcast(args[0], ir.DoubleType())


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def exponent(_typing: Any, _x: Any) -> Any:
    shift = ir.Constant(ir.IntType(64), 52)
    return types.int64(types.int64), lambda _c, builder, _s, args: builder.lshr(args[0], shift)


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def fma(_typing: Any, _x: Any, _y: Any, _z: Any) -> Any:
    double = types.float64
    return double(double, double, double), lambda _c, builder, _s, args: builder.fma(*args)


@intrinsic  # type: ignore[untyped-decorator]  # numba has no types
def prefetch(_typing: Any, x: Any, _i: Any) -> Any:
    """Ask for the memory of x[i], which may lie outside x: nothing is read, and nothing can fail."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        at, word = builder.gep(array.data, [args[1]]), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [at.type, word, word, word])
        name = "llvm.prefetch.p0"
        call = builder.module.globals.get(name) or ir.Function(builder.module, kind, name=name)
        builder.call(call, [at, word(0), word(3), word(1)])  # to read, into every cache, data
        return context.get_dummy_value()

    return types.void(x, types.intp), generate

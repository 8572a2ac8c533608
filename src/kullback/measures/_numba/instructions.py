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
def prefetch(_typing: Any, _address: Any) -> Any:
    """Ask for the memory at an address, whosever it is: nothing is read, and nothing can fail."""

    def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        name = "llvm.prefetch.p0"
        call = builder.module.globals.get(name) or ir.Function(builder.module, kind, name=name)
        # to read, into every cache, data
        builder.call(call, [builder.inttoptr(args[0], byte), word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate

"""Fresh memory for gradients as large as the logits."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

import torch
from torch import Tensor

LARGE = 2**25  # bytes from which the allocator maps memory of its own, and gives it back when the tensor goes
PAGE = 2**21
MADV_HUGEPAGE = 14


@cache
def _advise() -> Any:
    """`madvise` of the C library; None where there is no such thing."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int), ctypes.c_int
    return function


def empty_like(z: Tensor) -> Tensor:
    """`torch.empty_like`; large ones on the CPU in huge pages where the kernel has them to give.

    A first write costs a page fault for each 4 KiB otherwise, several times what computing a gradient costs. It is a
    hint that may be refused: what is in the tensor does not depend on it.
    """
    out = torch.empty_like(z)
    size = out.numel() * out.element_size()
    if size >= LARGE and type(out) is Tensor and out.device.type == "cpu" and (advise := _advise()) is not None:
        start = -(-out.data_ptr() // PAGE) * PAGE
        advise(start, (out.data_ptr() + size - start) // PAGE * PAGE, MADV_HUGEPAGE)
    return out

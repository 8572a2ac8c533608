"""What the Triton kernels take of a GPU that need not be here: registers, spills, shared memory, resident warps.

    python benchmarks/kernel_resources.py             for compute capability 9.0 (H100)
    python benchmarks/kernel_resources.py --capability 100

Every variant is compiled with the ptxas that triton brings. A spilled register is a trip to memory for each entry of a
row; few resident warps leave the memory bus idle.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.pop("TRITON_INTERPRET", None)

os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kullback.losses._triton import pairs, primitives, rows

F, I = "*fp32", "*i64"
REGISTERS, WARPS = 65536, 64  # of one multiprocessor


def row(logits: str) -> dict[str, str]:
    columns = dict.fromkeys(
        ("LSE", "LOGIT", "SMOOTH", "ENTROPY", "WEIGHT", "G_LSE", "G_LOGIT", "G_SMOOTH", "G_ENTROPY", "W"), F
    )
    numbers = {"V": "i32", "slope": "fp32", "cap": "fp32", "inverse_temperature": "fp32", "w_stride": "i32"}
    return {"Z": logits, "z_stride": "i64", "DZ": "*bf16", "dz_stride": "i64", "ID": I, "TOP": I, **columns, **numbers}


def pair(logits: str) -> dict[str, str]:
    columns = dict.fromkeys(("LSE_T", "LSE_S", "VALUE", "MEAN", "WEIGHT"), F)
    strides = dict.fromkeys(("t_stride", "s_stride", "dz_stride"), "i64")
    numbers = dict.fromkeys(("beta", "cap_t", "cap_s", "inverse_temperature"), "fp32")
    return {"ZT": logits, "ZS": logits, "DZ": "*bf16", **strides, **columns, **numbers, "V": "i32"}


# name, kernel, types, the switches that are on, other constants, block
NARROW, WIDE = "*bf16", F
ALL = [n for n in rows._rows.arg_names if n.isupper() and n not in {*row(F), "BLOCK", "ENTROPY_GRADIENT"}]
BOTH = ["NORMALISE", "SUMS", "GRADIENT"]
VARIANTS: list[tuple[str, Any, dict[str, str], list[str], dict[str, Any], int]] = [
    ("row statistics", rows._rows, row(NARROW), ["STATISTICS", "PICK"], {}, primitives.ROW_BLOCK),
    ("with entropy", rows._rows, row(WIDE), ["STATISTICS", "PICK", "WITH_ENTROPY"], {}, primitives.ROW_BLOCK),
    ("cross-entropy", rows._rows, row(NARROW), ["STATISTICS", "PICK", "GRADIENT", "HARD"], {}, primitives.ROW_BLOCK),
    ("cross-entropy, every option", rows._rows, row(NARROW), ALL, {}, primitives.ROW_BLOCK),
    (
        "gradient with entropy", rows._rows, row(WIDE), ["GRADIENT", "HARD", "ENTROPY_GRADIENT", "SMOOTHED"], {},
        primitives.ROW_BLOCK,
    ),
    *(
        (f"{name}, loss and gradient", pairs._divergence, pair(WIDE), BOTH, {"KIND": code}, primitives.PAIR_BLOCK)
        for name, code in pairs._CODES.items()
    ),
    ("forward_kl, 16-bit logits", pairs._divergence, pair(NARROW), BOTH, {"KIND": 0}, primitives.PAIR_BLOCK),
    ("skew_js, sums of a part", pairs._divergence, pair(WIDE), ["SUMS"], {"KIND": 2}, primitives.PAIR_BLOCK),
    (
        "forward_kl, added, capped", pairs._divergence, pair(WIDE), ["GRADIENT", "ACCUMULATE", "CAP_T", "CAP_S"],
        {"KIND": 0}, primitives.PAIR_BLOCK,
    ),
    ("scale", rows._scale, {"D": "*bf16", "G": F, "n": "i64"}, [], {}, 4096),
]  # fmt: skip


def build(
    kernel: Any,
    types: dict[str, str],
    on: list[str],
    constants: dict[str, Any],
    block: int,
    capability: int,
    warps: int,
) -> Any:
    values = {n: n in on for n in kernel.arg_names if n not in types} | constants | {"BLOCK": block}
    source = ASTSource(
        kernel,
        {n: types.get(n, "constexpr") for n in kernel.arg_names},
        {(kernel.arg_names.index(n),): value for n, value in values.items()},
        # What the launcher finds out about real arguments: rows that start on 16 bytes.
        {(kernel.arg_names.index(n),): [["tt.divisibility", 16]] for n in types if types[n][0] == "*" or "stride" in n},
    )
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps})


def resources(made: Any, capability: int) -> tuple[int, int, int]:
    """(registers of a thread, bytes spilled, bytes of shared memory)."""
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    ptxas = next(tool for name in ("ptxas-blackwell", "ptxas") if (tool := tools / name).exists())  # newest first
    architecture = f"sm_{capability}a" if capability >= 90 else f"sm_{capability}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.ptx"
        path.write_text(made.asm["ptx"], encoding="utf-8")
        command = [
            ptxas,
            "-v",
            "--regAllocOptLevel=2",
            f"--gpu-name={architecture}",
            path,
            "-o",
            Path(folder) / "kernel.cubin",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    said = done.stderr
    registers = int(re.search(r"Used (\d+) registers", said)[1])  # type: ignore[index]
    spilled = sum(int(n) for n in re.findall(r"(\d+) bytes spill", said))
    return registers, spilled, int(made.metadata.shared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capability", type=int, default=90)
    capability = parser.parse_args().capability
    print(f"triton {triton.__version__}, sm_{capability}")
    print(f"{'':34s} {'block':>6s} {'warps':>6s} {'registers':>10s} {'spilled':>8s} {'shared':>7s} {'resident':>9s}")
    for name, kernel, types, on, constants, block in VARIANTS:
        warps = 8 if kernel is rows._scale else primitives.launch(1 << 17, block)["num_warps"]
        registers, spilled, shared = resources(
            build(kernel, types, on, constants, block, capability, warps), capability
        )
        # Registers are given out by warps, 256 at a time.
        programs = min(WARPS // warps, REGISTERS // (warps * -(-registers * 32 // 256) * 256))
        print(
            f"{name:34s} {block:6d} {warps:6d} {registers:10d} {spilled:8d} {shared:7d} {programs * warps:6d}/{WARPS}"
        )


if __name__ == "__main__":
    main()

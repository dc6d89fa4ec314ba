"""The peers' side of the timings: answers the name of a row with the microseconds that one call takes.

Usage: peers.py numpy|torch. The number of threads comes in THREADS. Rows, shapes and arithmetic are those of
src/rows and src/networks.
"""

import os
import sys
import time

import arrays
import convolutions
import matrices
import movement
import networks
import numpy as np
import others

SAMPLE = 0.05
THREADS = int(os.environ["THREADS"])
random = np.random.default_rng(1)


def operand(*shape, dtype=np.float32):
    return random.uniform(-2, 2, shape).astype(dtype)


def call(f, *operands):
    """A call of `f` that takes no arguments."""
    return lambda: f(*operands)


def numpy_rows():
    return {**arrays.numpy_rows(operand, call), **movement.numpy_rows(operand, call), **matrices.rows(operand, call, np.matmul), **others.numpy_rows(operand, call)}


def torch_rows():
    import torch

    torch.set_num_threads(THREADS)

    def tensor(*shape, dtype=np.float32):
        return torch.from_numpy(operand(*shape, dtype=dtype))

    # None of the operands asks for a gradient, so nothing is recorded.
    def unary(f, *shape):
        return call(f, tensor(*shape))

    return {
        **arrays.torch_rows(torch, tensor, call),
        **movement.torch_rows(torch, tensor, call),
        **matrices.rows(tensor, call, torch.matmul),
        **matrices.linear_rows(tensor, call, torch.nn.functional.linear),
        **matrices.integer_rows(torch, tensor, call),
        **matrices.half_rows(torch, tensor, call),
        **networks.rows(torch, tensor),
        **convolutions.rows(torch, tensor, unary),
        **others.torch_rows(torch, tensor, call),
    }


def sample(work):
    """Mean microseconds per call."""
    start = time.perf_counter()
    calls = 0
    while time.perf_counter() - start < SAMPLE:
        work()
        calls += 1
    return (time.perf_counter() - start) * 1e6 / calls


def main():
    rows = {"numpy": numpy_rows, "torch": torch_rows}[sys.argv[1]]()
    name, work = None, None
    for line in sys.stdin:
        # A row is prepared when it is first asked for, and dropped when the next one is.
        if line.strip() != name:
            name = line.strip()
            work = rows[name]() if name in rows else None
        print("absent" if work is None else f"{sample(work):.3f}", flush=True)


if __name__ == "__main__":
    main()

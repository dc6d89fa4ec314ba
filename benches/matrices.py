"""NumPy's and PyTorch's side of src/rows/matmul.rs: matrix products."""

import numpy as np

# Shapes of the factors.
PRODUCTS = {
    "matmul 64": ((64, 64), (64, 64)),
    "matmul 256": ((256, 256), (256, 256)),
    "matmul 1024": ((1024, 1024), (1024, 1024)),
    "matmul 2048": ((2048, 2048), (2048, 2048)),
    "matmul 64x1024 by 1024x512": ((64, 1024), (1024, 512)),
    "matmul 32 of 128x64 by 64x128": ((32, 128, 64), (32, 64, 128)),
    "matmul 2000 by a vector": ((2000, 2000), (2000, 1)),
}


def rows(operand, call, matmul):
    """Rows by name: each prepares a call that takes no arguments."""

    def product(a, b, dtype=np.float32):
        return call(matmul, operand(*a, dtype=dtype), operand(*b, dtype=dtype))

    found = {name: lambda shapes=shapes: product(*shapes) for name, shapes in PRODUCTS.items()}
    found["matmul 1024 in float64"] = lambda: product((1024, 1024), (1024, 1024), np.float64)
    found["matmul 1024 by its transpose"] = lambda: call(lambda a: matmul(a, a.T), operand(1024, 1024))
    return found


def integer_rows(torch, operand, call):
    """Rows of products of 8-bit integers with sums of 32 bits, which NumPy does not have."""

    def bytes_(*shape):
        return (operand(*shape) * 64).to(torch.int8)

    return {
        "matmul 1024 in int8": lambda: call(torch._int_mm, bytes_(1024, 1024), bytes_(1024, 1024)),
        "matmul 64x1024 by 1024x512 in int8": lambda: call(torch._int_mm, bytes_(64, 1024), bytes_(1024, 512)),
        "matmul 64x1024 by the transpose of 512x1024 in int8": lambda: call(torch._int_mm, bytes_(64, 1024), bytes_(512, 1024).T),
        "matmul 2000 by a vector in int8": lambda: call(torch._int_mm, bytes_(2000, 2000), bytes_(2000, 1)),
    }


def half_rows(torch, operand, call):
    """Rows of products in `bfloat16`, which NumPy does not have."""

    def half(*shape):
        return operand(*shape).to(torch.bfloat16)

    def linear(rows):
        return call(torch.nn.functional.linear, half(rows, 1024), half(4096, 1024), half(4096))

    return {
        "matmul 1024 in bfloat16": lambda: call(torch.matmul, half(1024, 1024), half(1024, 1024)),
        "matmul 32 of 128x64 by 64x128 in bfloat16": lambda: call(torch.matmul, half(32, 128, 64), half(32, 64, 128)),
        "matmul 2000 by a vector in bfloat16": lambda: call(torch.matmul, half(2000, 2000), half(2000, 1)),
        "matmul of a vector by 2000 in bfloat16": lambda: call(torch.matmul, half(1, 2000), half(2000, 2000)),
        "linear 64x1024 to 4096 in bfloat16": lambda: linear(64),
        "linear 1x1024 to 4096 in bfloat16": lambda: linear(1),
    }


def linear_rows(operand, call, linear):
    """Rows of `linear(x, w, b)`, which NumPy does not have."""
    return {"linear 64x1024 to 512": lambda: call(linear, operand(64, 1024), operand(512, 1024), operand(512))}

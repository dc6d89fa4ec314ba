"""NumPy's and PyTorch's side of src/rows/others.rs: operations of more types and layouts."""

import numpy as np

SIDE = 1024
CUBE = (64, 128, 128)
HEADS = (8, 8, 256, 64)
IMAGES = (8, 64, 56, 56)


def numpy_rows(operand, call):
    def of(dtype="float32"):
        x = operand(SIDE, SIDE)
        return (x * 500 if dtype.startswith("int") else x).astype(dtype)

    def along(f):
        return call(f, of())

    order = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 1237 % SIDE
    words = np.arange(4096) * 12347 % 30000
    return {
        **shared(np, operand, call, abs),
        "add 1M f64": lambda: call(np.add, of("float64"), of("float64")),
        "exp 1M f64": lambda: call(np.exp, of("float64")),
        "sin 1M f64": lambda: call(np.sin, of("float64")),
        "add 1M i64": lambda: call(np.add, of("int64"), of("int64")),
        "mul 1M i64": lambda: call(np.multiply, of("int64"), of("int64")),
        "cast 1M f32 to i64": lambda: along(lambda x: x.astype(np.int64)),
        "std 1": lambda: along(lambda x: x.std(1)),
        "sum all i64": lambda: call(np.sum, of("int64")),
        "sort 1e5 i64": lambda: call(np.sort, (operand(100_000) * 1e6).astype(np.int64)),
        "sort 1": lambda: along(np.sort),
        "flip 1": lambda: along(lambda x: np.ascontiguousarray(x[:, ::-1])),
        "repeat 2 1": lambda: along(lambda x: np.repeat(x, 2, 1)),
        "pad 1": lambda: along(lambda x: np.pad(x, 1)),
        "stack last": lambda: call(lambda a, b: np.stack([a, b], 2), of(), of()),
        "permute 0 2 1 3 copy": lambda: call(
            lambda x: np.ascontiguousarray(x.transpose(0, 2, 1, 3)), operand(8, 128, 16, 64)
        ),
        "gather 1": lambda: call(lambda x: np.take_along_axis(x, order, 1), of()),
        "embedding 4096 of 30000x256": lambda: call(lambda x: x[words], operand(30000, 256)),
        "nonzero": lambda: call(np.argwhere, of() > 0),
        "matmul 256 i64": lambda: call(np.matmul, *[(operand(256, 256) * 500).astype(np.int64) for _ in range(2)]),
    }


def torch_rows(torch, operand, call):
    functional = torch.nn.functional

    def of(dtype=torch.float32):
        x = operand(SIDE, SIDE)
        return (x if dtype.is_floating_point else x * 500).to(dtype)

    def along(f):
        return call(f, of())

    def product(dtype):
        def factor():
            x = operand(256, 256)
            return (x if dtype.is_floating_point else x * 500).to(dtype)

        return call(torch.matmul, factor(), factor())

    def attention(causal):
        attend = functional.scaled_dot_product_attention
        return call(lambda q, k, v: attend(q, k, v, is_causal=causal), *[operand(*HEADS) for _ in range(3)])

    def batch_norm():
        weight, bias = operand(64), operand(64)
        return call(lambda x: functional.batch_norm(x, None, None, weight, bias, True), operand(*IMAGES))

    order = torch.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 1237 % SIDE
    words = torch.arange(4096) * 12347 % 30000
    labels = torch.arange(1024) * 37 % 1000
    double, long, bfloat = torch.float64, torch.int64, torch.bfloat16
    return {
        **shared(torch, operand, call, torch.abs),
        "silu 1M": lambda: along(functional.silu),
        "erf 1M": lambda: along(torch.erf),
        "add 1M f64": lambda: call(torch.add, of(double), of(double)),
        "exp 1M f64": lambda: call(torch.exp, of(double)),
        "sin 1M f64": lambda: call(torch.sin, of(double)),
        "add 1M i64": lambda: call(torch.add, of(long), of(long)),
        "mul 1M i64": lambda: call(torch.mul, of(long), of(long)),
        "add 1M bf16": lambda: call(torch.add, of(bfloat), of(bfloat)),
        "exp 1M bf16": lambda: call(torch.exp, of(bfloat)),
        "cast 1M f32 to i64": lambda: along(lambda x: x.to(long)),
        "cast 1M f32 to bf16": lambda: along(lambda x: x.to(bfloat)),
        "std 1": lambda: along(lambda x: x.std(1)),
        "sum all i64": lambda: call(torch.sum, of(long)),
        "sum all bf16": lambda: call(torch.sum, of(bfloat)),
        "logsumexp 1": lambda: along(lambda x: torch.logsumexp(x, 1)),
        "softmax 0": lambda: along(lambda x: torch.softmax(x, 0)),
        "sort 1e5 i64": lambda: call(lambda x: torch.sort(x)[0], (operand(100_000) * 1e6).long()),
        "sort 1": lambda: along(lambda x: torch.sort(x, 1)[0]),
        "topk 10 of 1": lambda: along(lambda x: torch.topk(x, 10)[0]),
        "flip 1": lambda: along(lambda x: torch.flip(x, [1])),
        "repeat 2 1": lambda: along(lambda x: torch.repeat_interleave(x, 2, 1)),
        "pad 1": lambda: along(lambda x: functional.pad(x, (1, 1, 1, 1))),
        "stack last": lambda: call(lambda a, b: torch.stack([a, b], 2), of(), of()),
        "permute 0 2 1 3 copy": lambda: call(lambda x: x.permute(0, 2, 1, 3).contiguous(), operand(8, 128, 16, 64)),
        "gather 1": lambda: along(lambda x: torch.gather(x, 1, order)),
        "embedding 4096 of 30000x256": lambda: call(lambda x: functional.embedding(words, x), operand(30000, 256)),
        "nonzero": lambda: call(torch.nonzero, of() > 0),
        "matmul 256 bf16": lambda: product(bfloat),
        "matmul 256 i64": lambda: product(long),
        "attention 8x8x256x64": lambda: attention(False),
        "attention 8x8x256x64 causal": lambda: attention(True),
        "avg_pool2d 8x64x112x112 2x2": lambda: call(lambda x: functional.avg_pool2d(x, 2), operand(8, 64, 112, 112)),
        "cross_entropy 1024x1000": lambda: call(lambda x: functional.cross_entropy(x, labels), operand(1024, 1000)),
        "batch_norm 8x64x56x56 trained": batch_norm,
    }


def shared(library, operand, call, magnitude):
    """Rows that both libraries write alike."""

    def of():
        return operand(SIDE, SIDE)

    def along(f):
        return call(f, of())

    return {
        "sqrt 1M": lambda: call(library.sqrt, magnitude(of())),
        "pow 1M": lambda: call(library.pow, magnitude(of()), of()),
        "atan2 1M": lambda: call(library.atan2, of(), of()),
        "div 1M": lambda: call(library.divide, of(), of()),
        "gt 1M": lambda: call(library.greater, of(), of()),
        "mean 0": lambda: along(lambda x: x.mean(0)),
        "any": lambda: call(library.any, of() > 9),
        "sum 0 2 of three": lambda: call(lambda x: x.sum((0, 2)), operand(*CUBE)),
        "sum of transposed": lambda: call(library.sum, of().T),
        "argmax 1": lambda: along(lambda x: x.argmax(1)),
        "cumsum 1": lambda: along(lambda x: x.cumsum(1)),
        "argsort 1e5": lambda: call(library.argsort, operand(100_000)),
        "triu": lambda: along(library.triu),
        "matmul 100": lambda: call(library.matmul, operand(100, 100), operand(100, 100)),
        "matmul 1000 of 8x8": lambda: call(library.matmul, operand(1000, 8, 8), operand(1000, 8, 8)),
        "matmul 1000 of 4x4": lambda: call(library.matmul, operand(1000, 4, 4), operand(1000, 4, 4)),
        "matmul 1000 of 8x8 turned": lambda: call(
            library.matmul, operand(1000, 8, 8), operand(1000, 8, 8).swapaxes(1, 2)
        ),
        "matmul 1000 of 8x8 and 8x1": lambda: call(library.matmul, operand(1000, 8, 8), operand(1000, 8, 1)),
        "matmul 500 of 32x32": lambda: call(library.matmul, operand(500, 32, 32), operand(500, 32, 32)),
    }

"""NumPy's and PyTorch's side of src/rows/wide.rs."""

import numpy as np

SIDE = 1024
MANY = SIDE * SIDE


def numpy_rows(operand, call):
    def of(dtype="float32", scale=500):
        x = operand(SIDE, SIDE)
        return (x * scale if "int" in dtype else x).astype(dtype)

    found = {}
    positive = ["sqrt", "log", "log1p"]
    unary = {"sqrt": np.sqrt, "abs": np.abs, "round": np.round, "log1p": np.log1p, "expm1": np.expm1, "atan": np.arctan, "tan": np.tan, "cosh": np.cosh}
    for name, f in unary.items():
        found[f"{name} 1M"] = lambda f=f, name=name: call(f, abs(of()) if name in positive else of())
    binary = {"atan2": np.arctan2, "hypot": np.hypot, "div": np.divide, "maximum": np.maximum, "gt": np.greater}
    for name, f in binary.items():
        found[f"{name} 1M"] = lambda f=f: call(f, of(), of())
    found["pow 1M"] = lambda: call(np.power, abs(of()), of())
    found["pow 1M f64"] = lambda: call(np.power, abs(of("float64")), of("float64"))
    found["add 1M f64"] = lambda: call(np.add, of("float64"), of("float64"))
    for name, f in {"exp": np.exp, "sin": np.sin, "tanh": np.tanh}.items():
        found[f"{name} 1M f64"] = lambda f=f: call(f, of("float64"))
    found["log 1M f64"] = lambda: call(np.log, abs(of("float64")))
    found["add 1M i64"] = lambda: call(np.add, of("int64"), of("int64"))
    found["mul 1M i64"] = lambda: call(np.multiply, of("int64"), of("int64"))
    found["add 1M i32"] = lambda: call(np.add, of("int32"), of("int32"))
    found["mul 1M f16"] = lambda: call(np.multiply, of("float16"), of("float16"))
    found["add scalar 1M"] = lambda: call(lambda x: x + 1.5, of())
    names = {"f32": "float32", "f64": "float64", "f16": "float16", "i64": "int64"}
    for a, b in [("f32", "f64"), ("f32", "f16"), ("f16", "f32"), ("f32", "i64"), ("i64", "f32")]:
        found[f"cast 1M {a} to {b}"] = lambda a=a, b=b: call(lambda x: x.astype(names[b]), of(names[a]))
    for axis in [0, 1]:
        found[f"mean {axis}"] = lambda axis=axis: call(lambda x: x.mean(axis), of())
        found[f"std {axis}"] = lambda axis=axis: call(lambda x: x.std(axis), of())
        found[f"argmax {axis}"] = lambda axis=axis: call(lambda x: x.argmax(axis), of())
        found[f"cumsum {axis}"] = lambda axis=axis: call(lambda x: x.cumsum(axis), of())
        found[f"sort {axis}"] = lambda axis=axis: call(lambda x: np.sort(x, axis), of())
    found |= {
        "prod all": lambda: call(np.prod, of()),
        "min 0": lambda: call(lambda x: x.min(0), of()),
        "norm all": lambda: call(np.linalg.norm, of()),
        "sum all f64": lambda: call(np.sum, of("float64")),
        "sum all i64": lambda: call(np.sum, of("int64")),
        "sum 0 i64": lambda: call(lambda x: x.sum(0), of("int64")),
        "max all i64": lambda: call(np.max, of("int64")),
        "any": lambda: call(np.any, of() > 9),
        "sum 0 2 of three": lambda: call(lambda x: x.sum((0, 2)), operand(64, 128, 128)),
        "sum of transposed": lambda: call(np.sum, of().T),
        "argsort 1e5": lambda: call(np.argsort, operand(100_000)),
        "sort 1e5 i64": lambda: call(np.sort, (operand(100_000) * 1e6).astype(np.int64)),
        "sort 1e5 f64": lambda: call(np.sort, operand(100_000).astype(np.float64)),
        "flip 1": lambda: call(lambda x: np.ascontiguousarray(x[:, ::-1]), of()),
        "roll 1": lambda: call(lambda x: np.roll(x, 17, 1), of()),
        "tile 2 2": lambda: call(lambda x: np.tile(x, (2, 2)), of()),
        "repeat 2 1": lambda: call(lambda x: np.repeat(x, 2, 1), of()),
        "pad 1": lambda: call(lambda x: np.pad(x, 1), of()),
        "stack 1": lambda: call(lambda a, b: np.stack([a, b], 1), of(), of()),
        "stack last": lambda: call(lambda a, b: np.stack([a, b], 2), of(), of()),
        "concat 1": lambda: call(lambda a, b: np.concatenate([a, b], 1), of(), of()),
        "permute 0 2 1 copy": lambda: call(lambda x: np.ascontiguousarray(x.transpose(0, 2, 1)), operand(64, 128, 128)),
        "permute 2 0 1 copy": lambda: call(lambda x: np.ascontiguousarray(x.transpose(2, 0, 1)), operand(64, 128, 128)),
        "permute 1 0 2 copy": lambda: call(lambda x: np.ascontiguousarray(x.transpose(1, 0, 2)), operand(64, 128, 128)),
        "permute 0 2 1 3 copy": lambda: call(lambda x: np.ascontiguousarray(x.transpose(0, 2, 1, 3)), operand(8, 128, 16, 64)),
        "transpose copy f64": lambda: call(lambda x: np.ascontiguousarray(x.T), of("float64")),
        "gather 1": lambda: call(lambda x, i: np.take_along_axis(x, i, 1), of(), (np.arange(MANY) * 1237 % SIDE).reshape(SIDE, SIDE)),
        "embedding 4096 of 30000x256": lambda: call(lambda x, i: x[i], operand(30000, 256), np.arange(4096) * 12347 % 30000),
        "nonzero": lambda: call(lambda x: np.argwhere(x), of() > 0),
        "triu": lambda: call(np.triu, of()),
        "diff": lambda: call(lambda x: np.diff(x, axis=1), of()),
        "matmul 256 f64": lambda: call(np.matmul, operand(256, 256).astype("float64"), operand(256, 256).astype("float64")),
        "matmul 256 i64": lambda: call(np.matmul, (operand(256, 256) * 500).astype("int64"), (operand(256, 256) * 500).astype("int64")),
        "matmul 256 i32": lambda: call(np.matmul, (operand(256, 256) * 500).astype("int32"), (operand(256, 256) * 500).astype("int32")),
        "to_vec 1M": lambda: call(np.copy, of()),
        **products(operand, call, np.matmul),
    }
    return found


def products(operand, call, matmul):
    return {
        **{f"matmul {n}": lambda n=n: call(matmul, operand(n, n), operand(n, n)) for n in [16, 100, 500]},
        "matmul vector by 1024": lambda: call(matmul, operand(SIDE), operand(SIDE, SIDE)),
        "matmul 1024x16 by 16x1024": lambda: call(matmul, operand(SIDE, 16), operand(16, SIDE)),
        "matmul 16x1024 by 1024x16": lambda: call(matmul, operand(16, SIDE), operand(SIDE, 16)),
        "matmul 1000 of 8x8": lambda: call(matmul, operand(1000, 8, 8), operand(1000, 8, 8)),
    }


def torch_rows(torch, operand, call):
    F = torch.nn.functional
    types = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "i64": torch.int64, "i32": torch.int32}

    def of(dtype="f32"):
        x = operand(SIDE, SIDE)
        return (x * 500 if dtype[0] == "i" else x).to(types[dtype])

    found = {}
    positive = ["sqrt", "log", "log1p"]
    unary = {"sqrt": torch.sqrt, "abs": torch.abs, "round": torch.round, "relu": torch.relu, "silu": F.silu, "erf": torch.erf, "log1p": torch.log1p, "expm1": torch.expm1, "atan": torch.atan, "tan": torch.tan, "cosh": torch.cosh}
    for name, f in unary.items():
        found[f"{name} 1M"] = lambda f=f, name=name: call(f, abs(of()) if name in positive else of())
    binary = {"atan2": torch.atan2, "hypot": torch.hypot, "div": torch.div, "maximum": torch.maximum, "gt": torch.gt}
    for name, f in binary.items():
        found[f"{name} 1M"] = lambda f=f: call(f, of(), of())
    found["pow 1M"] = lambda: call(torch.pow, abs(of()), of())
    found["pow 1M f64"] = lambda: call(torch.pow, abs(of("f64")), of("f64"))
    for name, f in {"exp": torch.exp, "sin": torch.sin, "tanh": torch.tanh}.items():
        found[f"{name} 1M f64"] = lambda f=f: call(f, of("f64"))
    found["log 1M f64"] = lambda: call(torch.log, abs(of("f64")))
    for name in ["f64", "i64", "i32", "bf16"]:
        found[f"add 1M {name}"] = lambda name=name: call(torch.add, of(name), of(name))
    for name in ["i64", "f16"]:
        found[f"mul 1M {name}"] = lambda name=name: call(torch.mul, of(name), of(name))
    found["exp 1M bf16"] = lambda: call(torch.exp, of("bf16"))
    found["add scalar 1M"] = lambda: call(lambda x: x + 1.5, of())
    for a, b in [("f32", "f64"), ("f32", "f16"), ("f16", "f32"), ("f32", "bf16"), ("f32", "i64"), ("i64", "f32")]:
        found[f"cast 1M {a} to {b}"] = lambda a=a, b=b: call(lambda x: x.to(types[b]), of(a))
    for axis in [0, 1]:
        found[f"mean {axis}"] = lambda axis=axis: call(lambda x: x.mean(axis), of())
        found[f"std {axis}"] = lambda axis=axis: call(lambda x: x.std(axis), of())
        found[f"argmax {axis}"] = lambda axis=axis: call(lambda x: x.argmax(axis), of())
        found[f"cumsum {axis}"] = lambda axis=axis: call(lambda x: x.cumsum(axis), of())
        found[f"sort {axis}"] = lambda axis=axis: call(lambda x: torch.sort(x, axis)[0], of())
        found[f"{['softmax', 'log_softmax'][axis]} {axis}"] = lambda axis=axis: call(lambda x: [torch.softmax, torch.log_softmax][axis](x, axis), of())
    def integers(n, limit, step):
        return torch.arange(n) * step % limit
    labels = integers(1024, 1000, 37)
    def norm(training):
        w, b, m = operand(64), operand(64), operand(64)
        if training:
            return call(lambda x: F.batch_norm(x, None, None, w, b, True), operand(8, 64, 56, 56))
        v = abs(m)
        return call(lambda x: F.batch_norm(x, m, v, w, b, False), operand(8, 64, 56, 56))
    def square(n, name):
        x = operand(n, n)
        return (x * 500 if name[0] == "i" else x).to(types[name])
    found |= {
        "prod all": lambda: call(torch.prod, of()),
        "min 0": lambda: call(lambda x: torch.amin(x, 0), of()),
        "norm all": lambda: call(torch.linalg.vector_norm, of()),
        "sum all f64": lambda: call(torch.sum, of("f64")),
        "sum all i64": lambda: call(torch.sum, of("i64")),
        "sum all bf16": lambda: call(torch.sum, of("bf16")),
        "sum 0 i64": lambda: call(lambda x: x.sum(0), of("i64")),
        "max all i64": lambda: call(torch.max, of("i64")),
        "any": lambda: call(torch.any, of() > 9),
        "sum 0 2 of three": lambda: call(lambda x: x.sum((0, 2)), operand(64, 128, 128)),
        "sum of transposed": lambda: call(torch.sum, of().T),
        "logsumexp 1": lambda: call(lambda x: torch.logsumexp(x, 1), of()),
        "argsort 1e5": lambda: call(torch.argsort, operand(100_000)),
        "sort 1e5 i64": lambda: call(lambda x: torch.sort(x)[0], (operand(100_000) * 1e6).long()),
        "sort 1e5 f64": lambda: call(lambda x: torch.sort(x)[0], operand(100_000).double()),
        "topk 10 of 1e5": lambda: call(lambda x: torch.topk(x, 10)[0], operand(100_000)),
        "topk 10 of 1": lambda: call(lambda x: torch.topk(x, 10)[0], of()),
        "flip 1": lambda: call(lambda x: torch.flip(x, [1]), of()),
        "roll 1": lambda: call(lambda x: torch.roll(x, 17, 1), of()),
        "tile 2 2": lambda: call(lambda x: torch.tile(x, (2, 2)), of()),
        "repeat 2 1": lambda: call(lambda x: torch.repeat_interleave(x, 2, 1), of()),
        "pad 1": lambda: call(lambda x: F.pad(x, (1, 1, 1, 1)), of()),
        "stack 1": lambda: call(lambda a, b: torch.stack([a, b], 1), of(), of()),
        "stack last": lambda: call(lambda a, b: torch.stack([a, b], 2), of(), of()),
        "concat 1": lambda: call(lambda a, b: torch.cat([a, b], 1), of(), of()),
        "permute 0 2 1 copy": lambda: call(lambda x: x.permute(0, 2, 1).contiguous(), operand(64, 128, 128)),
        "permute 2 0 1 copy": lambda: call(lambda x: x.permute(2, 0, 1).contiguous(), operand(64, 128, 128)),
        "permute 1 0 2 copy": lambda: call(lambda x: x.permute(1, 0, 2).contiguous(), operand(64, 128, 128)),
        "permute 0 2 1 3 copy": lambda: call(lambda x: x.permute(0, 2, 1, 3).contiguous(), operand(8, 128, 16, 64)),
        "transpose copy f64": lambda: call(lambda x: x.T.contiguous(), of("f64")),
        "gather 1": lambda: call(lambda x, i: torch.gather(x, 1, i), of(), integers(MANY, SIDE, 1237).reshape(SIDE, SIDE)),
        "embedding 4096 of 30000x256": lambda: call(lambda x, i: F.embedding(i, x), operand(30000, 256), integers(4096, 30000, 12347)),
        "nonzero": lambda: call(torch.nonzero, of() > 0),
        "triu": lambda: call(torch.triu, of()),
        "diff": lambda: call(lambda x: torch.diff(x, dim=1), of()),
        **{f"matmul {n} {t}": lambda n=n, t=t: call(torch.matmul, square(n, t), square(n, t)) for n, t in [(256, "bf16"), (1024, "bf16"), (1024, "f16"), (256, "f64"), (256, "i64"), (256, "i32")]},
        "attention 8x8x256x64": lambda: call(F.scaled_dot_product_attention, *[operand(8, 8, 256, 64) for _ in range(3)]),
        "attention 8x8x256x64 causal": lambda: call(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), *[operand(8, 8, 256, 64) for _ in range(3)]),
        "avg_pool2d 8x64x112x112 2x2": lambda: call(lambda x: F.avg_pool2d(x, 2), operand(8, 64, 112, 112)),
        "cross_entropy 1024x1000": lambda: call(lambda x: F.cross_entropy(x, labels), operand(1024, 1000)),
        "batch_norm 8x64x56x56 evaluated": lambda: norm(False),
        "batch_norm 8x64x56x56 trained": lambda: norm(True),
        "to_vec 1M": lambda: call(torch.clone, of()),
        **products(operand, call, torch.matmul),
    }
    return found

"""NumPy's and PyTorch's side of src/rows/arrays.rs: arithmetic on whole arrays, reductions and scans."""

import numpy as np

SIZES = {"1e3": 1_000, "1e5": 100_000, "4e6": 4_000_000}
SIDE = 2048


def rows(library, operand, call):
    """Rows that both libraries write alike. `call` makes a call without arguments of a function and its operands."""
    found = {}
    for suffix, n in SIZES.items():
        found |= {
            f"add {suffix}": lambda n=n: call(library.add, operand(n), operand(n)),
            f"mul {suffix}": lambda n=n: call(library.multiply, operand(n), operand(n)),
            f"dot {suffix}": lambda n=n: call(library.dot, operand(n), operand(n)),
            f"sum {suffix}": lambda n=n: call(library.sum, operand(n)),
            f"max {suffix}": lambda n=n: call(library.max, operand(n)),
            f"argmax {suffix}": lambda n=n: call(library.argmax, operand(n)),
            f"var {suffix}": lambda n=n: call(library.var, operand(n)),
            f"cumsum {suffix}": lambda n=n: call(lambda x: library.cumsum(x, 0), operand(n)),
            f"a*b + c*0.5 {suffix}": lambda n=n: call(
                lambda a, b, c: a * b + c * 0.5, operand(n), operand(n), operand(n)
            ),
        }
    for name in ["exp", "tanh", "sin"]:
        found[f"{name} 1e5"] = lambda f=getattr(library, name): call(f, operand(100_000))
    found["log 1e5"] = lambda: call(library.log, abs(operand(100_000)))
    for name, shape in {"row": (SIDE,), "column": (SIDE, 1)}.items():
        found[f"add {name} 2048x2048"] = lambda shape=shape: call(library.add, operand(SIDE, SIDE), operand(*shape))
    for axis in [0, 1]:
        found[f"sum {axis} 2048x2048"] = lambda axis=axis: call(lambda x: library.sum(x, axis), operand(SIDE, SIDE))
    return found


def numpy_rows(operand, call):
    def softmax(x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        e /= e.sum(axis=1, keepdims=True)
        return e

    return {
        **rows(np, operand, call),
        "softmax 2048x2048": lambda: call(softmax, operand(SIDE, SIDE)),
        "max 1 2048x2048": lambda: call(lambda x: np.max(x, 1), operand(SIDE, SIDE)),
    }


def torch_rows(torch, operand, call):
    functions = {"sigmoid 1e5": torch.sigmoid, "gelu 1e5": torch.nn.functional.gelu}

    def layer_norm(x, weight, bias):
        return torch.nn.functional.layer_norm(x, (SIDE,), weight, bias)

    return {
        **rows(torch, operand, call),
        **{name: lambda f=f: call(f, operand(100_000)) for name, f in functions.items()},
        "softmax 2048x2048": lambda: call(lambda x: torch.softmax(x, 1), operand(SIDE, SIDE)),
        "layer_norm 2048x2048": lambda: call(layer_norm, operand(SIDE, SIDE), operand(SIDE), operand(SIDE)),
        "max 1 2048x2048": lambda: call(lambda x: torch.amax(x, 1), operand(SIDE, SIDE)),
    }

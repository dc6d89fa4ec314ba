#!/usr/bin/env python3
"""What PyTorch answers for every row of the operation table, forward and backward.

Every row is asked for ordinary values and for what breaks ordinary code: nothing (an empty axis), one element, rank 0,
odd sizes, operands that broadcast, parameters other than the defaults, the points where a derivative jumps, NaN,
infinities and zeros of both signs.

    python3 xtask/oracle/generate.py --table table.json --out crates/trueno/tests/fixtures [--check]

`cargo xtask oracle` runs this with the table exported from trueno-core. Rows of formulas are evaluated by their own
`oracle` expression; families by the cases in cases.py. Everything is computed in float64 from inputs that float32
holds exactly, so one fixture serves both types.

Writes ops.safetensors: tensors `CASE.inK`, `CASE.out`, `CASE.g` (the gradient by the result) and
`CASE.gradK` (by input K), and the list of cases as JSON in the metadata: `{"name", "kind", "row", "parameters"}`.
"""

import argparse
import functools
import json
import pathlib
import sys
import warnings
import zlib

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import cases as family_cases

SAME = 1e-11


def draw(name, shape, domain=(-2.0, 2.0), kinks=()):
    """Values that depend on `name` alone, float32-exact, at least 0.01 away from every kink."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    low, high = domain
    values = generator.uniform(low, high, shape)
    for kink in kinks:
        near = np.abs(values - kink) < 0.01
        values = np.where(near, kink + 0.02, values)
    return torch.from_numpy(np.asarray(values, dtype=np.float32).astype(np.float64))


class Fixture:
    def __init__(self):
        self.tensors = {}
        self.cases = []

    def add(self, name, kind, row, parameters, inputs, function):
        """Evaluates `function` on the inputs and, for each floating-point one that is finite, its gradient."""
        finite = all(bool(torch.isfinite(x).all()) for x in inputs)
        leaves = [x.clone().requires_grad_() if x.is_floating_point() and finite else x for x in inputs]
        out = function(*leaves)
        for index, x in enumerate(inputs):
            self.tensors[f"{name}.in{index}"] = array(x)
        self.tensors[f"{name}.out"] = array(out)
        if out.is_floating_point() and out.requires_grad:
            g = draw(name + ".g", tuple(out.shape))
            tracked = [x for x in leaves if x.requires_grad]
            grads = iter(torch.autograd.grad(out, tracked, g, allow_unused=True))
            self.tensors[f"{name}.g"] = array(g)
            for index, x in enumerate(leaves):
                if x.requires_grad:
                    grad = next(grads)
                    self.tensors[f"{name}.grad{index}"] = array(torch.zeros_like(x) if grad is None else grad)
        self.cases.append({"name": name, "kind": kind, "row": row, "parameters": spelled(parameters)})

    def refuse(self, name, kind, row, parameters, inputs):
        """A question that PyTorch refuses to answer, and Trueno has to."""
        for index, x in enumerate(inputs):
            self.tensors[f"{name}.in{index}"] = array(x)
        self.cases.append({"name": name, "kind": kind, "row": row, "parameters": spelled(parameters)})


def spelled(parameters):
    """JSON has no infinities."""
    return {k: str(v) if isinstance(v, float) and abs(v) == float("inf") else v for k, v in parameters.items()}


def array(x):
    # A copy: safetensors wants row-major memory of its own.
    return np.array(x.detach().numpy(), order="C", copy=True)


def formula(row, operands, **constants):
    names = row["operands"]

    def function(*values):
        scope = {"torch": torch, **dict(zip(names, values)), **constants}
        return eval(row["oracle"], scope)  # noqa: S307 - the table is ours

    return function


NAN, INF = float("nan"), float("inf")

# The last two are what is between nothing and everything.
SPECIAL = [NAN, INF, -INF, 0.0, -0.0, 1.5, -2.5]

# For one operand, and for several that broadcast.
SHAPES = [(23,), (), (1,), (0, 3), (2, 3, 5)]
BROADCASTS = [
    [(3, 1, 5), (4, 1), (5,)],
    [(), (), ()],
    [(2, 3), (), (2, 1)],
    [(0, 3), (3,), (1, 1)],
    [(1, 1), (1,), (1,)],
    [(2, 3, 5), (2, 3, 5), (2, 3, 5)],
]

# Parameters that say more than the ones derived from the defaults.
PARAMETERS = {
    "clamp": [{"min": 0.25, "max": INF}, {"min": -INF, "max": 0.25}, {"min": 1.0, "max": -1.0}],
    "softplus": [{"beta": 2.0, "threshold": 1.0}],
    "powf": [{"exponent": e} for e in (-1.0, 0.0, 0.5, 2.0, 3.0)],
}


def exact(value):
    """As `float32` has it, so that both types compute with one number."""
    return float(np.float32(value))


def settings(row):
    """Parameters other than the defaults."""
    names = {p["name"]: p["default"] for p in row["parameters"]}
    derived = [{name: exact(1.5 * value + 0.25) for name, value in names.items()}] if names else []
    return derived + PARAMETERS.get(row["name"], [])


def special_values(row, count):
    """Every combination of the special values, along axes of their own."""
    shape = lambda i: [-1 if i == axis else 1 for axis in range(count)]
    return [torch.tensor(SPECIAL, dtype=torch.float64).reshape(shape(i)) for i in range(count)]


def add_formula_row(fixture, row):
    name, kind = row["name"], row["kind"]
    defaults = {p["name"]: p["default"] for p in row["parameters"]}

    def add(tag, inputs, parameters):
        function = formula(row, inputs, **{**defaults, **parameters})
        fixture.add(f"{name}.{tag}", kind, name, {**defaults, **parameters}, inputs, function)

    def operand(index, shape):
        domains = row["domain"] or [(-2.0, 2.0)] * 3
        x = draw(f"{name}.{index}.{shape}", shape, domains[index], row["kinks"])
        # Whole numbers, so that equal ones and zeros occur.
        return x.round() if kind == "compare" else x

    count = len(row["operands"])
    shapes = [[shape] for shape in SHAPES] if count == 1 else [shapes[:count] for shapes in BROADCASTS]
    for shape in shapes:
        add("x".join(map(str, shape)), [operand(i, s) for i, s in enumerate(shape)], {})
    for index, parameters in enumerate(settings(row)):
        add(f"parameters.{index}", [operand(i, s) for i, s in enumerate(shapes[0])], parameters)
    add("special", special_values(row, count), {})
    if row["kinks"]:
        add("kinks", [torch.tensor(row["kinks"], dtype=torch.float64)], {})
    if count == 2:
        add("ties", [operand(0, (5,))] * 2, {})


# Shape and axes of each reduction. PyTorch's product takes one axis.
REDUCTIONS = [
    ((3, 4, 5), [0]), ((3, 4, 5), [1]), ((3, 4, 5), [2]), ((3, 4, 5), [0, 2]), ((3, 4, 5), [0, 1, 2]),
    ((37,), [0]), ((1,), [0]), ((1, 1, 1), [1]), ((3, 0), [0]), ((0, 3), [0]), ((0,), [0]), ((2, 0, 3), [1, 2]), ((), []),
]  # fmt: skip


def add_reduce_row(fixture, row):
    name = row["name"]
    corrections = [0, 1] if "correction" in row["oracle"] else [0]

    def add(tag, x, dims, correction, keep):
        truth = name in ("any", "all")
        # PyTorch reduces rank 0 over an axis 0.
        dim = 0 if not dims else dims[0] if name == "prod" else tuple(dims)
        function = formula(row, [x], dim=dim, correction=correction)
        run = (lambda x, f=function: f(x != 0)) if truth else function
        kept = (lambda x, f=run: functools.reduce(lambda y, d: y.unsqueeze(d), dims, f(x))) if keep else run
        case = f"{name}.{tag}.{''.join(map(str, dims))}.{correction}"
        parameters = {"axes": dims, "correction": correction, "keep_dims": keep}
        try:
            kept(x)
        except (RuntimeError, IndexError):
            assert x.numel() == 0, "only an extreme of nothing is refused"
            fixture.refuse(case, "reduce", name, parameters, [x])
        else:
            fixture.add(case, "reduce", name, parameters, [x], kept)

    for index, (shape, dims) in enumerate(REDUCTIONS):
        for correction in corrections if name != "prod" or len(dims) < 2 else []:
            x = draw(f"{name}.{shape}.{dims}", shape)
            if name in ("any", "all", "prod"):
                x = torch.where(x.abs() < 0.4, 0.0, x)
            if name in ("max", "min"):
                x = (x * 2).round() / 2  # ties
            add(f"{shape}", x, dims, correction, index % 2 == 1)
    special = torch.tensor([[NAN, INF, -INF, 0.0], [1.0, INF, -INF, -0.0], [2.0, 1.0, -3.0, 0.0]]).double()
    for dims in [0], [1]:
        add("special", special, dims, corrections[-1], False)


def build(table):
    fixture = Fixture()
    for row in table["rows"]:
        if row["kind"] == "reduce":
            add_reduce_row(fixture, row)
        elif row["kind"] != "family":
            add_formula_row(fixture, row)
    families = [row["name"] for row in table["rows"] if row["kind"] == "family"]
    for family in families:
        for index, (parameters, inputs, function) in enumerate(family_cases.of(family, draw)):
            fixture.add(f"{family}.{index}", "family", family, parameters, inputs, function)
    return fixture


def compare(path, fixture):
    with safe_open(path, framework="np") as committed:
        names = set(committed.keys())
        # As read back: JSON has lists where Python has tuples.
        cases = json.loads(json.dumps(fixture.cases))
        if json.loads(committed.metadata()["cases"]) != cases or names != set(fixture.tensors):
            return ["the list of cases has changed"]
        wrong = []
        for name, want in fixture.tensors.items():
            got = committed.get_tensor(name)
            if got.shape != want.shape or got.dtype != want.dtype or not np.allclose(got, want, SAME, SAME, True):
                wrong.append(name)
        return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    # Deviations of one element are asked for on purpose.
    warnings.filterwarnings("ignore", "(var|std).*degrees of freedom")
    fixture = build(json.loads(arguments.table.read_text()))
    path = arguments.out / "ops.safetensors"
    if arguments.check:
        wrong = compare(path, fixture)
        if wrong:
            sys.exit(f"{path}: not what PyTorch {torch.__version__} says: {', '.join(wrong)}")
        print(f"{path}: {len(fixture.cases)} cases agree with PyTorch {torch.__version__}")
    else:
        arguments.out.mkdir(parents=True, exist_ok=True)
        save_file(fixture.tensors, path, {"cases": json.dumps(fixture.cases), "torch": torch.__version__})
        print(f"{path}: {len(fixture.cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

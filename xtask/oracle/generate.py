#!/usr/bin/env python3
"""What PyTorch answers for every row of the operation table, forward and backward.

    python3 xtask/oracle/generate.py --table table.json --out crates/trueno/tests/fixtures [--check]

`cargo xtask oracle` runs this with the table exported from trueno-core. Rows of formulas are evaluated by their own
`oracle` expression; families by the cases in cases.py. Everything is computed in float64 from inputs that float32
holds exactly, so one fixture serves both types.

Writes ops.safetensors: tensors `CASE.inK`, `CASE.out`, `CASE.g` (the gradient by the result) and
`CASE.gradK` (by input K), and the list of cases as JSON in the metadata: `{"name", "kind", "row", "parameters"}`.
"""

import argparse
import json
import pathlib
import sys
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
        """Evaluates `function` on the inputs and, for each floating-point one, its gradient."""
        leaves = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
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
        self.cases.append({"name": name, "kind": kind, "row": row, "parameters": parameters})


def array(x):
    # A copy: safetensors wants row-major memory of its own.
    return np.array(x.detach().numpy(), order="C", copy=True)


def formula(row, operands, **constants):
    names = row["operands"]

    def function(*values):
        scope = {"torch": torch, **dict(zip(names, values)), **constants}
        return eval(row["oracle"], scope)  # noqa: S307 - the table is ours

    return function


def add_formula_row(fixture, row):
    name, kind = row["name"], row["kind"]
    parameters = {p["name"]: p["default"] for p in row["parameters"]}
    if kind == "unary":
        inputs = [draw(name, (23,), row["domain"][0], row["kinks"])]
    elif kind == "binary":
        inputs = [draw(name + ".a", (3, 1, 5), row["domain"][0]), draw(name + ".b", (4, 1), row["domain"][1])]
    elif kind == "compare":
        # Whole numbers, so that equal ones and zeros occur.
        inputs = [draw(name + ".a", (3, 1, 5)).round(), draw(name + ".b", (4, 1)).round()]
    else:
        shapes = [(3, 5), (5,), (3, 1)]
        inputs = [draw(f"{name}.{i}", shape) for i, shape in enumerate(shapes)]
    fixture.add(name, kind, name, parameters, inputs, formula(row, inputs, **parameters))


def add_reduce_row(fixture, row):
    name = row["name"]
    corrections = [0, 1] if "correction" in row["oracle"] else [0]
    axes = [[0], [1], [2]] if name == "prod" else [[0], [1], [2], [0, 2], [0, 1, 2]]
    for dims in axes:
        for correction in corrections:
            case = f"{name}.{''.join(map(str, dims))}.{correction}"
            x = draw(case, (3, 4, 5))
            if name in ("any", "all", "prod"):
                x = torch.where(x.abs() < 0.4, 0.0, x)
            if name in ("max", "min"):
                x = (x * 2).round() / 2  # ties
            dim = dims[0] if name == "prod" else tuple(dims)
            function = formula(row, [x], dim=dim, correction=correction)
            truth = name in ("any", "all")
            run = (lambda x, f=function: f(x != 0)) if truth else function
            fixture.add(case, "reduce", name, {"axes": dims, "correction": correction}, [x], run)


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

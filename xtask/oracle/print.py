"""What NumPy prints for values of many kinds, with precision=4 and with others.

A case is a value (its elements in row-major order, or a ramp `index * step`), the precision (null for the default), and
what `str` and `repr` give. Elements are written as text, so that they reach Rust bit for bit, nan and inf included.
"""

import argparse
import json
import pathlib
import sys

import numpy as np

NAN, INF = float("nan"), float("inf")
FLOATS = ("float32", "float64")
INTEGERS = ("uint8", "int8", "int32", "int64")
DEFAULT_PRECISION = 4


def case(dtype, shape, elements, precision=None, step=None):
    with np.errstate(over="ignore"):
        value = np.array(elements).astype(dtype).reshape(shape)
    with np.printoptions(precision=DEFAULT_PRECISION if precision is None else precision):
        printed = {"str": str(value), "repr": repr(value)}
    content = {"step": step} if step is not None else {"elements": [text(v) for v in value.ravel().tolist()]}
    return {"dtype": dtype, "shape": list(value.shape), **content, "precision": precision, **printed}


def text(element):
    return str(element).lower()


def ramp(dtype, shape, step):
    return case(dtype, shape, np.arange(np.prod(shape), dtype=np.float64) * step, step=step)


def float_cases(dtype):
    vectors = [
        [1, 2, 3], [1, 2.5, -3.25], [0.1, 0.2, 0.3], [1 / 3, 2 / 3, 1e-3], [0, 0], [-0.0, 0.0], [-7],
        # Where the scientific form begins: the largest, the smallest, their ratio.
        [1e8, 1], [99999999.0, 100000.0], [1e-4, 0.05], [9.9999e-5, 0.05], [1000, 1], [1001, 1], [1e-5, 1], [999999, 1000], [1e6, 5e4], [1.5e7, 2e6], [0.001, 1.001],
        [1e10, -1.5e-10, 0], [1e20, 1e-20, 1], [1234.5, 0.001], [0.00012345, 0.00023456], [3e38, 1e-45],
        # Not finite.
        [NAN, 1, 2], [INF, -INF, 1.5], [-INF], [INF], [NAN], [NAN, INF], [1, NAN, -1234.5678], [5e-5, NAN],
        [1e9, INF, -2e9], [-1e9, NAN], [0.5, -INF], [12.25, -INF], [1e12, -INF],
        # Rounding.
        [0.99999, 1], [2.675, 2.665, 0.12345, 0.12335], [0.00005, 1], [99999.99999, 1000], [1.99995e10, 1],
    ]  # fmt: skip
    for vector in vectors:
        yield case(dtype, [len(vector)], vector)
    for scalar in [1.5, 1 / 3, -2, 0, -0.0, 0.1, 1e-4, 1e-5, 123456789.0, 16777216.0, 999999.0, 1e6, 1e16, 9.9e15, 1.2345e20, NAN, INF, -INF]:
        yield case(dtype, [], [scalar])
    yield case(dtype, [2, 2], [1, 2, 3, 4])
    yield case(dtype, [2, 2], [0.5, -10, 100, 1])
    yield case(dtype, [1, 1, 1], [1])
    yield case(dtype, [2, 3, 2], np.arange(12) / 8)
    yield case(dtype, [2, 2, 2, 2], np.arange(16) * 1.5)
    yield case(dtype, [24], np.linspace(0, 1, 24))
    yield case(dtype, [2, 20], np.linspace(-3, 3, 40))
    yield case(dtype, [3, 16], np.linspace(-3e9, 3e-9, 48))
    for shape in [0], [0, 3], [2, 0, 4]:
        yield case(dtype, shape, [])
    for precision in 0, 1, 2, 6, 8:
        yield case(dtype, [], [2 / 3], precision)
        yield case(dtype, [3], [1 / 3, 2 / 3, 2.5], precision)
        yield case(dtype, [3], [1.5, 2.5, 3.5], precision)
        yield case(dtype, [2], [1 / 3, 1e9], precision)


def integer_cases(dtype):
    for vector in [1, 20, 200], [7], [0, 0], range(60):
        yield case(dtype, [len(vector)], vector)
    for shape in [2, 3, 4], [24], [4, 6]:
        yield case(dtype, shape, range(24))
    yield case(dtype, [], [7])
    for shape in [0], [3, 0]:
        yield case(dtype, shape, [])


def cases():
    for dtype in FLOATS:
        yield from float_cases(dtype)
    yield case("float64", [3], [1e100, 1e-100, 1])
    yield case("float64", [2], [1e300, -1])
    yield case("float64", [2], [5e-324, 1.7976931348623157e308])
    yield case("float64", [], [1e100])
    yield case("float16", [3], [0.1, 1 / 3, 65504])
    yield case("float16", [4], [0.1, 0.2, 0.3, 0.7], 8)
    for scalar in 0.1, 999, 1000, 2048, 1e-4:
        yield case("float16", [], [scalar])
        yield case("float16", [1], [scalar])
    yield case("float32", [2], [0.1, 1e-9], 10)
    for dtype in INTEGERS:
        yield from integer_cases(dtype)
    yield case("int8", [4], [-128, -1, 0, 127])
    yield case("int64", [2], [-1, 1000000])
    yield case("int64", [2], np.array([-(2**63), 2**63 - 1]))
    for shape, elements in ([2], [True, False]), ([], [True]), ([2, 2], [True, False] * 2), ([0], []), ([30], [False] * 30):
        yield case("bool", shape, elements)
    summarised = [
        [1000], [1001], [40, 40], [6, 200], [7, 200], [1001, 1], [1, 1001], [10, 20, 30], [3, 4, 5, 20], [2, 501], [500, 3],
    ]  # fmt: skip
    for shape in summarised:
        yield ramp("float32", shape, 0.25)
        yield ramp("int64", shape, -3.0)
    yield ramp("float32", [2000], 0.001)
    yield ramp("float32", [1100, 2], 1e6)
    yield ramp("float64", [8, 130], 1 / 3)
    yield ramp("bool", [30, 40], 1.0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the fixture")
    parser.add_argument("--check", action="store_true", help="compare with the fixture instead of writing it")
    arguments = parser.parse_args()
    np.seterr(all="ignore")
    made = [json.dumps(case) for case in cases()]
    document = "[\n" + ",\n".join(made) + "\n]\n"
    if not arguments.check:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(document)
    elif arguments.out.read_text() != document:
        kept = arguments.out.read_text().splitlines()[1:-1]
        first = next((new for old, new in zip(kept, made) if old.rstrip(",") != new), "the number of cases")
        sys.exit(f"{arguments.out}: NumPy prints otherwise: {first}")
    print(f"printing: {len(made)} cases of NumPy {np.__version__}")


if __name__ == "__main__":
    main()

"""Cases of the families: for each, parameters, inputs and the PyTorch function that answers.

A family without cases is named in EXEMPT with the reason, so that a new one cannot be forgotten.
"""

import torch
from torch.nn import functional as F

EXEMPT = {
    "dropout": "random: PyTorch draws other numbers",
    "fused": "its steps are rows, which are compared one by one",
    "custom": "the user's own",
}


def of(family, draw):
    if family in EXEMPT:
        return []
    return CASES[family](lambda *shape, tag="": draw(f"{family}{shape}{tag}", shape))


def labels(values):
    return torch.tensor(values, dtype=torch.int64)


def matmul(x):
    shapes = [((4, 5), (5, 3)), ((2, 1, 4, 5), (3, 5, 2)), ((5,), (5,)), ((4, 5), (5,)), ((5,), (2, 5, 3)), ((1, 1), (1, 17)),
              ((0, 3), (3, 2)), ((3, 0), (0, 2)), ((2, 0, 3, 4), (4, 5)), ((0,), (0,)), ((1,), (1,)), ((3, 1, 2, 3), (1, 2, 3, 1))]
    return [({}, [x(*a, tag="a"), x(*b, tag="b")], torch.matmul) for a, b in shapes]


def linear(x):
    shapes = [((4, 5), 3, True), ((2, 3, 5), 4, True), ((5,), 2, True), ((4, 5), 3, False), ((0, 5), 2, True),
              ((3, 0), 2, True), ((1, 1), 1, True), ((2, 1, 33), 17, True)]
    weights = lambda shape, out, bias: [x(out, shape[-1], tag="w")] + ([x(out, tag="b")] if bias else [])
    return [({}, [x(*shape, tag="x"), *weights(shape, out, bias)], F.linear) for shape, out, bias in shapes]


def bytes_(x):
    """Numbers drawn by `x` as 8-bit integers, the least and the largest among them, in a type that fixtures have."""
    return lambda *shape, tag: (x(*shape, tag=tag) * 90).round().clamp(-128, 127).long()


def matmul_integer(x):
    draw = bytes_(x)
    shapes = [((4, 5), (5, 3)), ((2, 1, 4, 5), (3, 5, 2)), ((5,), (5,)), ((4, 5), (5,)), ((5,), (2, 5, 3)), ((1, 33), (33, 1)),
              ((0, 3), (3, 2)), ((3, 0), (0, 2)), ((3, 70), (70, 20))]
    product = lambda a, b: torch.matmul(a.int(), b.int()).long()
    # The function of this name, on the shapes that it takes.
    narrow = lambda a, b: torch._int_mm(a.to(torch.int8), b.to(torch.int8)).long()
    cases = [({}, [draw(*a, tag="a"), draw(*b, tag="b")], product) for a, b in shapes]
    return cases + [({}, [draw(24, 32, tag="m"), draw(32, 16, tag="n")], narrow)]


def linear_int8(x):
    draw = bytes_(x)
    run = lambda x, w, xs, ws, b=0: torch.matmul(x.int(), w.int().T).double() * (xs * ws) + b
    cases = []
    for shape, out, x_scale, weight_scale, bias in [
        ((4, 5), 3, (4, 1), (3,), True), ((2, 3, 5), 4, (), (4,), True), ((5,), 2, (1,), (), False), ((4, 33), 17, (1,), (17,), True),
        ((2, 3, 7), 1, (3, 1), (1,), False), ((0, 5), 2, (), (2,), True),
    ]:  # fmt: skip
        floats = [x(*x_scale, tag="xs"), x(*weight_scale, tag="ws")] + ([x(out, tag="b")] if bias else [])
        cases.append(({}, [draw(*shape, tag="x"), draw(out, shape[-1], tag="w"), *floats], run))
    return cases


CONVOLUTIONS = [
    # x, weight, bias, stride, padding, dilation, groups
    ((2, 3, 6, 5), (4, 3, 3, 3), True, (1, 1), (1, 1), (1, 1), 1),
    ((2, 4, 9, 7), (6, 2, 3, 2), True, (2, 1), (1, 2), (1, 2), 2),
    ((1, 5, 4, 4), (7, 5, 1, 1), False, (1, 1), (0, 0), (1, 1), 1),
    ((2, 4, 6, 6), (8, 1, 3, 3), False, (1, 2), (1, 1), (1, 1), 4),
    ((1, 2, 5, 8), (3, 2, 2, 3), True, (3, 2), (0, 1), (2, 1), 1),
    ((0, 2, 5, 5), (3, 2, 3, 3), True, (1, 1), (1, 1), (1, 1), 1),
    ((1, 1, 1, 1), (1, 1, 1, 1), True, (1, 1), (0, 0), (1, 1), 1),
    ((3, 1, 1, 7), (2, 1, 1, 7), False, (1, 1), (0, 0), (1, 1), 1),
]


def geometry(stride, padding, dilation, groups):
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def conv2d(x):
    cases = []
    for shape, kernel, bias, *rest in CONVOLUTIONS:
        inputs = [x(*shape, tag="x"), x(*kernel, tag="w")] + ([x(kernel[0], tag="b")] if bias else [])
        stride, padding, dilation, groups = rest
        function = lambda x, w, b=None, r=rest: F.conv2d(x, w, b, r[0], r[1], r[2], r[3])
        cases.append((geometry(*rest), inputs, function))
    return cases


def conv_transpose2d(x):
    cases = []
    for shape, kernel, bias, stride, padding, output_padding, dilation, groups in [
        ((2, 3, 4, 5), (3, 4, 3, 3), True, (1, 1), (0, 0), (0, 0), (1, 1), 1),
        ((2, 4, 3, 4), (4, 2, 3, 2), True, (2, 3), (1, 0), (1, 2), (1, 1), 2),
        ((1, 3, 4, 4), (3, 1, 3, 3), False, (1, 1), (1, 1), (0, 0), (2, 1), 3),
        ((1, 2, 3, 3), (2, 3, 2, 2), True, (1, 2), (1, 2), (1, 2), (2, 3), 1),
        ((0, 2, 3, 3), (2, 3, 2, 2), True, (1, 1), (0, 0), (0, 0), (1, 1), 1),
    ]:
        inputs = [x(*shape, tag="x"), x(*kernel, tag="w")]
        inputs += [x(kernel[1] * groups, tag="b")] if bias else []
        function = lambda x, w, b=None, r=(stride, padding, output_padding, groups, dilation): F.conv_transpose2d(x, w, b, *r)
        parameters = {**geometry(stride, padding, dilation, groups), "output_padding": output_padding}
        cases.append((parameters, inputs, function))
    return cases


def conv2d_input_grad(x):
    cases = []
    for shape, kernel, _, stride, padding, dilation, groups in CONVOLUTIONS:
        source, weight = x(*shape, tag="x"), x(*kernel, tag="w")
        g = x(*F.conv2d(source, weight, None, stride, padding, dilation, groups).shape, tag="g")
        function = lambda g, w, r=(shape, stride, padding, dilation, groups): torch.nn.grad.conv2d_input(
            r[0], w, g, r[1], r[2], r[3], r[4])
        cases.append(({**geometry(stride, padding, dilation, groups), "shape": shape}, [g, weight], function))
    return cases


def conv2d_weight_grad(x):
    cases = []
    for shape, kernel, _, stride, padding, dilation, groups in CONVOLUTIONS:
        source, weight = x(*shape, tag="x"), x(*kernel, tag="w")
        g = x(*F.conv2d(source, weight, None, stride, padding, dilation, groups).shape, tag="g")
        function = lambda g, x, r=(kernel, stride, padding, dilation, groups): torch.nn.grad.conv2d_weight(
            x, r[0], g, r[1], r[2], r[3], r[4])
        cases.append(({**geometry(stride, padding, dilation, groups), "shape": kernel}, [g, source], function))
    return cases


POOLS = [((2, 3, 6, 6), (2, 2), (2, 2), (0, 0)), ((1, 2, 7, 5), (3, 2), (2, 1), (1, 1)), ((1, 1, 4, 9), (3, 3), (3, 3), (1, 0)),
         ((0, 2, 4, 4), (2, 2), (2, 2), (0, 0)), ((1, 1, 1, 1), (1, 1), (1, 1), (0, 0))]


def pooling(function):
    def build(x):
        cases = []
        for shape, kernel, stride, padding in POOLS:
            run = lambda x, r=(kernel, stride, padding): function(x, *r)
            cases.append(({"kernel": kernel, "stride": stride, "padding": padding}, [x(*shape)], run))
        return cases

    return build


def by_input(function):
    """The gradient of a linear `function` of a tensor of `shape`, as a function of the gradient by its result."""

    def run(g, shape, arguments):
        source = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(function(source, *arguments), source, g, create_graph=True)[0]

    return run


def avg_pool2d_grad(x):
    cases = []
    for shape, kernel, stride, padding in POOLS:
        g = x(*F.avg_pool2d(torch.zeros(shape), kernel, stride, padding).shape)
        run = lambda g, s=shape, r=(kernel, stride, padding): by_input(F.avg_pool2d)(g, s, r)
        cases.append(({"kernel": kernel, "stride": stride, "padding": padding, "shape": shape}, [g], run))
    return cases


ADAPTIVE = [((2, 3, 7, 5), (3, 2)), ((1, 2, 4, 4), (1, 1)), ((1, 1, 5, 6), (5, 4)), ((0, 2, 4, 4), (2, 2)), ((1, 1, 1, 1), (1, 1)), ((1, 1, 2, 1), (3, 2))]


def adaptive_avg_pool2d(x):
    return [({"size": size}, [x(*s)], lambda x, n=size: F.adaptive_avg_pool2d(x, n)) for s, size in ADAPTIVE]


def adaptive_avg_pool2d_grad(x):
    run = lambda s, n: lambda g: by_input(F.adaptive_avg_pool2d)(g, s, (n,))
    return [({"shape": s}, [x(s[0], s[1], *n)], run(s, n)) for s, n in ADAPTIVE]


INF, NAN = float("inf"), float("nan")
# Rows of one class, of infinities, of what exponentials cannot hold.
EXTREME_ROWS = [[0.0, 1e4, -1e4], [-INF, 1.0, -INF], [NAN, 1.0, 2.0], [INF, 1.0, 2.0], [-INF, -INF, -INF], [-0.0, 0.0, 0.0]]


def along_axes(function):
    def build(x):
        shapes = [((3, 4, 5), a) for a in range(3)] + [((1,), 0), ((37,), 0), ((0, 3), 0), ((0, 3), 1), ((3, 0), 0), ((3, 1), 1)]
        cases = [({"axis": a}, [x(*s, tag=str(a))], lambda x, a=a: function(x, a)) for s, a in shapes]
        extreme = torch.tensor(EXTREME_ROWS, dtype=torch.float64)
        return cases + [({"axis": a}, [extreme], lambda x, a=a: function(x, a)) for a in (0, 1)]

    return build


def logsumexp(x):
    cases = along_axes(torch.logsumexp)(x)
    return cases + [({"axis": 1, "keep_dims": True}, [x(2, 3, 2)], lambda x: torch.logsumexp(x, 1, True))]


def layer_norm(x):
    plain = ({"axes": 1, "eps": 1e-5}, [x(3, 7)], lambda x: F.layer_norm(x, (7,)))
    affine = lambda x, w, b: F.layer_norm(x, (4, 5), w, b, 1e-3)
    more = [({"axes": 1, "eps": 1e-5}, [x(*s)], lambda x, n=s[-1]: F.layer_norm(x, (n,))) for s in [(0, 7), (9,), (3, 1), (2, 3, 33)]]
    none = ({"axes": 2, "eps": 1e-3}, [x(0, 4, 5), x(4, 5, tag="w"), x(4, 5, tag="b")], affine)
    return [plain, *more, none, ({"axes": 2, "eps": 1e-3}, [x(3, 4, 5), x(4, 5, tag="w"), x(4, 5, tag="b")], affine)]


def group_norm(x):
    cases = []
    for shape, groups in [((3, 6, 5), 2), ((2, 4, 3, 5), 4), ((2, 4, 3, 5), 1), ((5, 6), 3), ((1, 3, 33), 3), ((2, 6, 1, 17), 2), ((0, 4, 3), 2), ((3, 2), 1)]:
        affine = [x(shape[1], tag=f"{shape}{tag}") for tag in "wb"]
        plain = lambda x, n=groups: F.group_norm(x, n, eps=1e-5)
        lines = lambda x, w, b, n=groups: F.group_norm(x, n, w, b, 1e-3)
        cases.append(({"groups": groups, "eps": 1e-5}, [x(*shape)], plain))
        cases.append(({"groups": groups, "eps": 1e-3}, [x(*shape), *affine], lines))
    return cases


def scaled_dot_product_attention(x):
    def case(q, k, v, mask=None, scale=None, causal=False):
        def answer(q, k, v, mask=None):
            return F.scaled_dot_product_attention(q, k, v, mask, is_causal=causal, scale=scale)

        operands = [x(*q, tag=f"q{scale}"), x(*k, tag=f"k{scale}"), x(*v, tag=f"v{causal}")]
        return {"scale": scale, "causal": causal}, operands + ([] if mask is None else [mask]), answer

    seen = torch.arange(35).reshape(5, 7) % 3 != 1
    blind = seen.clone()
    blind[2] = False
    heads = ((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6))
    return [
        case((5, 4), (7, 4), (7, 4)),
        case(*heads, scale=0.3),
        case((2, 6, 4), (2, 6, 4), (2, 6, 4), causal=True),
        case((5, 4), (3, 4), (3, 2), causal=True),
        case(*heads, mask=seen),
        case(*heads, mask=blind),
        case(*heads, mask=x(2, 1, 5, 7, tag="mask")),
        case(*heads, mask=x(7, tag="mask").reshape(1, 7)),
        case((70, 3), (140, 3), (140, 2), causal=True),
        case((70, 3), (140, 3), (140, 2)),
        case((1, 1), (1, 1), (1, 1)),
        case((2, 0, 4), (2, 3, 4), (2, 3, 4)),
    ]


def batch_norm(x):
    cases = []
    for shape in [(6, 3), (4, 3, 5), (3, 2, 4, 5), (2, 1), (1, 3, 2), (0, 3), (1, 2)]:
        channels = shape[1]
        weight, bias, mean = (x(channels, tag=f"{shape}{tag}") for tag in "wbm")
        var = x(channels, tag=f"{shape}v").abs() + 0.5
        var = var.float().double()
        train = lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5)
        evaluate = lambda x, w, b, m, v: by_given_statistics(x, w, b, m, v, 1e-5)
        if x(*shape).numel() > channels:  # PyTorch has no statistics of one element
            cases.append(({"eps": 1e-5, "running": False}, [x(*shape), weight, bias], train))
        cases.append(({"eps": 1e-5, "running": True}, [x(*shape), weight, bias, mean, var], evaluate))
    return cases


def by_given_statistics(x, weight, bias, mean, var, eps):
    """What F.batch_norm computes in evaluation, with the gradients by mean and variance that it leaves out."""
    shape = (1, -1) + (1,) * (x.dim() - 2)
    with torch.no_grad():
        wanted = F.batch_norm(x, mean, var, weight, bias, False, 0.1, eps)
    weight, bias, mean, var = (v.reshape(shape) for v in (weight, bias, mean, var))
    result = (x - mean) / torch.sqrt(var + eps) * weight + bias
    assert torch.allclose(result, wanted, 1e-12, 1e-12)
    return result


def index_select(x):
    index = labels([2, 0, 2, 1])
    cases = [((3, 4, 5), index, a) for a in range(3)]
    cases += [((3,), labels([2]), 0), ((3, 2), labels([]), 0), ((2, 3), labels([]), 1), ((3, 0), labels([1, 1]), 0), ((0, 3), labels([2, 0]), 1), ((1,), labels([0, 0, 0]), 0)]
    return [({"axis": a}, [x(*s), i], lambda x, i, a=a: x.index_select(a, i)) for s, i, a in cases]


def index_add(x):
    index = labels([2, 0, 2, 1])

    def run(axis):
        def function(g, i):
            shape = list(g.shape)
            shape[axis] = 6
            return torch.zeros(shape, dtype=torch.float64).index_add(axis, i, g)

        return function

    cases = [((4, 3, 2), index, 0), ((3, 4, 2), index, 1), ((3, 2, 4), index, 2), ((4,), index, 0), ((0, 2), labels([]), 0), ((0, 4), index, 1), ((1, 1), labels([5]), 1)]
    return [({"axis": a, "size": 6}, [x(*s), i], run(a)) for s, i, a in cases]


POSITIONS = labels([[1, 0, 2, 1], [2, 2, 0, 0]])


def gather(x):
    return [({"axis": 0}, [x(3, 4), POSITIONS], lambda x, i: x.gather(0, i)),
            ({"axis": 1}, [x(2, 5), POSITIONS], lambda x, i: x.gather(1, i)),
            ({"axis": 0}, [x(5), labels([4, 0, 4])], lambda x, i: x.gather(0, i)),
            ({"axis": 0}, [x(4, 6), POSITIONS], lambda x, i: x.gather(0, i)),
            ({"axis": 1}, [x(2, 3), POSITIONS[:, :0]], lambda x, i: x.gather(1, i)),
            ({"axis": 1}, [x(1, 1), labels([[0]])], lambda x, i: x.gather(1, i))]


def scatter_add(x):
    def run(axis, shape):
        return lambda g, i: torch.zeros(shape, dtype=torch.float64).scatter_add(axis, i, g)

    shapes = [(0, (3, 4)), (1, (2, 5)), (0, (3, 6)), (1, (4, 3))]
    cases = [({"axis": a, "shape": s}, [x(2, 4), POSITIONS], run(a, s)) for a, s in shapes]
    return cases + [({"axis": 0, "shape": (5,)}, [x(3), labels([4, 0, 4])], run(0, (5,))),
                    ({"axis": 1, "shape": (2, 3)}, [x(2, 0), POSITIONS[:, :0]], run(1, (2, 3)))]


def where(x):
    shapes = [((3, 1), (3, 5), (5,)), ((), (), ()), ((), (2, 3), (3,)), ((0, 3), (3,), ()), ((1,), (1,), (1,)), ((4,), (3, 1), ())]
    mask = lambda shape: x(*shape, tag="mask") > 0
    return [({}, [mask(m), x(*a, tag="a"), x(*b, tag="b")], torch.where) for m, a, b in shapes]


def concat(x):
    cases = [([(2, 1), (2, 3), (2, 2)], 1), ([(1, 2), (3, 2)], 0), ([(3,)], 0), ([(0, 2), (2, 2)], 0), ([(1, 1, 1), (1, 1, 1)], -1), ([(0,), (0,)], 0), ([(3, 0, 2), (3, 2, 2)], 1)]
    parts = lambda shapes: [x(*shape, tag=str(i)) for i, shape in enumerate(shapes)]
    return [({"axis": a}, parts(shapes), lambda *parts, a=a: torch.cat(parts, a)) for shapes, a in cases]


def pad(x):
    cases = [((2, 3), [[1, 2], [0, 3]], 0.5), ((0, 3), [[2, 0], [1, 1]], -1.0), ((1,), [[0, 0]], 0.0), ((), [], 1.0), ((2, 1, 3), [[0, 0], [1, 0], [0, 1]], INF)]
    flat = lambda widths: [width for pair in reversed(widths) for width in pair]
    run = lambda widths, value: lambda x: F.pad(x, flat(widths), value=value)
    return [({"widths": w, "value": v}, [x(*s)], run(w, v)) for s, w, v in cases]


def cross_entropy(x):
    target = labels([1, 0, 3, 1, 2])
    options = [
        {},
        {"reduction": "sum"},
        {"label_smoothing": 0.1},
        {"ignore_index": 1},
        {"ignore_index": 1, "label_smoothing": 0.2, "reduction": "mean"},
    ]
    cases = [(o, [x(5, 4, tag=str(o)), target]) for o in options]
    one, none = labels([0]), labels([])
    cases += [({}, [x(1, 4), one]), ({}, [x(1, 1), one]), ({"reduction": "sum"}, [x(0, 4), none]), ({}, [x(0, 4), none])]
    cases += [({"ignore_index": 0}, [x(1, 3), one]), ({"ignore_index": 0, "reduction": "sum"}, [x(1, 3), one])]
    return [(o, inputs, lambda x, t, o=o: F.cross_entropy(x, t, **o)) for o, inputs in cases]


def arg_reduce(x):
    cases = []
    for extreme, function in [("max", torch.argmax), ("min", torch.argmin)]:
        for axis in range(3):
            run = lambda x, f=function, a=axis: f(x.detach(), a)
            cases.append(({"extreme": extreme, "axis": axis}, [x(3, 4, 5, tag=extreme)], run))
        ties = torch.tensor([[1.0, 3.0, 3.0, -1.0], [-1.0, 2.0, -1.0, 2.0], [1.0, NAN, INF, NAN]], dtype=torch.float64)
        for axis, inputs in [(0, ties), (1, ties), (0, x(1)), (1, x(0, 3)), (0, x(37))]:
            cases.append(({"extreme": extreme, "axis": axis}, [inputs], lambda x, f=function, a=axis: f(x.detach(), a)))
        cases.append(({"extreme": extreme, "axis": 1, "keep_dims": True}, [x(2, 3)], lambda x, f=function: f(x.detach(), 1, True)))
    return cases


def slice_(x):
    # NumPy's x[1:, ::-2, 3]; PyTorch has no negative steps.
    reverse = lambda x: x[1:].flip(1)[:, ::2, 3]
    stepped = lambda x: x[..., 1:5:2]
    added = lambda x: x[1][None, -3:-1]
    return [({"items": "1:, ::-2, 3"}, [x(3, 4, 5)], reverse),
            ({"items": "..., 1:5:2"}, [x(2, 3, 6)], stepped),
            ({"items": "1, new, -3:-1"}, [x(2, 4)], added),
            ({"items": "..."}, [x()], lambda x: x[...]),
            ({"items": "-1"}, [x(5)], lambda x: x[-1]),
            ({"items": "::-1"}, [x(1)], lambda x: x.flip(0)),
            ({"items": "4:2"}, [x(5)], lambda x: x[4:2]),
            ({"items": ":, 1:"}, [x(0, 3)], lambda x: x[:, 1:]),
            ({"items": "9:0:-3, :"}, [x(7, 2)], lambda x: x.flip(0)[0:6:3])]


def slice_scatter(x):
    def run(g):
        return torch.zeros(6, 2, dtype=torch.float64).index_copy(0, labels([1, 3, 5]), g)

    none = lambda g: torch.zeros(3, 2, dtype=torch.float64) + 0.0 * g.sum()
    return [({"items": "1::2", "shape": (6, 2)}, [x(3, 2)], run),
            ({"items": "...", "shape": ()}, [x()], lambda g: g.clone()),
            ({"items": "2:2", "shape": (3, 2)}, [x(0, 2)], none),
            ({"items": "::-1", "shape": (3,)}, [x(3)], lambda g: g.flip(0))]


def cast(x):
    types = {"float32": torch.float32, "int64": torch.int64, "bool": torch.bool, "uint8": torch.uint8, "int8": torch.int8}
    # Whole and halves, so that rounding and truth are seen.
    halves = lambda *shape: (x(*shape) * 4).round() / 2
    cases = [({"dtype": "float32"}, [x(*shape)], lambda x: x.float().double()) for shape in [(5,), (), (0, 2)]]
    for name in ["int64", "bool", "uint8", "int8"]:
        value = halves(3, 3).abs() if name == "uint8" else halves(3, 3)
        back = torch.bool if name == "bool" else torch.int64
        cases.append(({"dtype": name}, [value], lambda x, t=types[name], b=back: x.detach().to(t).to(b)))
    return cases


def to(x):
    return [({}, [x(*shape)], lambda x: x.to("cpu")) for shape in [(2, 3), (), (0, 2)]]


def reshape(x):
    # The permutation makes strides that a view cannot keep.
    cases = [((2, 3, 4), (0, 2, 1), (4, 6)), ((), (), (1, 1)), ((1,), (0,), ()), ((0, 3), (1, 0), (3, 0, 2)), ((2, 3), (0, 1), (-1,)), ((4, 1, 2), (2, 1, 0), (2, 4))]
    run = lambda order, shape: lambda x: x.permute(order).reshape(shape)
    return [({"permute": o, "shape": s}, [x(*of)], run(o, s)) for of, o, s in cases]


def permute(x):
    cases = [((2, 3, 4), [2, 0, 1]), ((), []), ((1,), [0]), ((0, 3), [1, 0]), ((2, 1, 3, 2), [-1, 1, 0, 2])]
    return [({"axes": axes}, [x(*shape)], lambda x, a=axes: x.permute(a)) for shape, axes in cases]


def flip(x):
    cases = [((2, 3, 4), [0, 2]), ((), []), ((1,), [0]), ((0, 3), [0, 1]), ((5,), [-1])]
    return [({"axes": axes}, [x(*shape)], lambda x, a=axes: x.flip(a)) for shape, axes in cases]


def broadcast(x):
    cases = [((4, 1), (3, 4, 2)), ((), (2, 3)), ((0,), (2, 0)), ((1, 1), (1, 1)), ((3,), (1, 3)), ((1,), (0,))]
    return [({"shape": target}, [x(*shape)], lambda x, t=target: x.expand(t)) for shape, target in cases]


def contiguous(x):
    return [({}, [x(*shape)], lambda x: x.permute(tuple(range(x.dim()))[::-1]).contiguous()) for shape in [(3, 4), (), (0, 3), (1,), (2, 3, 5)]]


ORDERED = [((3, 4, 5), 0), ((3, 4, 5), 1), ((3, 4, 5), 2), ((37,), 0), ((1,), 0), ((0, 3), 0), ((0, 3), 1), ((600,), 0)]


def in_order(x, function):
    """Both directions of distinct elements, of ties, and of what is not a number."""
    special = torch.tensor([[NAN, 1.0, -INF, 2.0, INF], [0.0, -1.0, NAN, NAN, 3.0], [2.0, 1.0, 2.0, 1.0, 2.0]]).double()
    cases = []
    for descending in (False, True):
        operands = [(x(*shape, tag=str(axis)), axis) for shape, axis in ORDERED] + [(special, 0), (special, 1)]
        for operand, axis in operands:
            run = lambda x, d=descending, a=axis: function(x, a, d)
            cases.append(({"axis": axis, "descending": descending}, [operand], run))
    return cases


def sort(x):
    return in_order(x, lambda x, axis, descending: torch.sort(x, dim=axis, descending=descending, stable=True)[0])


def argsort(x):
    return in_order(x, lambda x, axis, descending: torch.sort(x.detach(), dim=axis, descending=descending, stable=True)[1])


def topk(x):
    # Distinct elements: of equal ones PyTorch may give any.
    cases = [((3, 4, 5), 1, 2, True), ((3, 4, 5), 2, 5, False), ((37,), 0, 1, True), ((4, 3), 0, 0, True), ((600,), 0, 17, False)]
    run = lambda axis, k, largest: lambda x: torch.topk(x.detach(), k, axis, largest)[1]
    return [({"axis": a, "k": k, "largest": l}, [x(*s)], run(a, k, l)) for s, a, k, l in cases]


def masked_select(x):
    shapes = [((3, 5), (3, 5)), ((3, 5), (5,)), ((4, 1), (3,)), ((), ()), ((0, 3), (3,)), ((1,), (1,)), ((37,), (37,))]
    return [({}, [x(*s), x(*m, tag="mask") > 0], torch.masked_select) for s, m in shapes]


def nonzero(x):
    sparse = lambda *shape: (x(*shape) / 2).round()
    return [({}, [sparse(*shape)], lambda x: torch.nonzero(x.detach())) for shape in [(3, 4, 5), (), (0, 3), (1,), (37,)]]


def unfold(x):
    cases = [((7,), 0, 3, 1), ((2, 9, 3), 1, 4, 2), ((2, 6), -1, 2, 5), ((3, 3), 0, 3, 1), ((4,), 0, 0, 1), ((0, 3), 1, 2, 1), ((1,), 0, 1, 1)]
    run = lambda axis, size, step: lambda x: x.unfold(axis, size, step)
    return [({"axis": a, "size": n, "step": s}, [x(*shape)], run(a, n, s)) for shape, a, n, s in cases]


CASES = {
    "sort": sort,
    "argsort": argsort,
    "topk": topk,
    "masked_select": masked_select,
    "nonzero": nonzero,
    "unfold": unfold,
    "matmul": matmul,
    "linear": linear,
    "matmul_integer": matmul_integer,
    "linear_int8": linear_int8,
    "conv2d": conv2d,
    "conv_transpose2d": conv_transpose2d,
    "conv2d_input_grad": conv2d_input_grad,
    "conv2d_weight_grad": conv2d_weight_grad,
    "max_pool2d": pooling(F.max_pool2d),
    "avg_pool2d": pooling(F.avg_pool2d),
    "avg_pool2d_grad": avg_pool2d_grad,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "adaptive_avg_pool2d_grad": adaptive_avg_pool2d_grad,
    "softmax": along_axes(torch.softmax),
    "log_softmax": along_axes(torch.log_softmax),
    "logsumexp": logsumexp,
    "cumsum": along_axes(torch.cumsum),
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "batch_norm": batch_norm,
    "index_select": index_select,
    "index_add": index_add,
    "gather": gather,
    "scatter_add": scatter_add,
    "where": where,
    "concat": concat,
    "pad": pad,
    "cross_entropy": cross_entropy,
    "arg_reduce": arg_reduce,
    "cast": cast,
    "to": to,
    "contiguous": contiguous,
    "permute": permute,
    "reshape": reshape,
    "slice": slice_,
    "slice_scatter": slice_scatter,
    "broadcast": broadcast,
    "flip": flip,
}

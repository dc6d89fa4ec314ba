"""Cases of the families: for each, parameters, inputs and the PyTorch function that answers.

A family without cases is named in EXEMPT with the reason, so that a new one cannot be forgotten.
"""

import torch
from torch.nn import functional as F

EXEMPT = {
    "dropout": "random: PyTorch draws other numbers",
    "custom": "the user's own",
}


def of(family, draw):
    if family in EXEMPT:
        return []
    return CASES[family](lambda *shape, tag="": draw(f"{family}{shape}{tag}", shape))


def labels(values):
    return torch.tensor(values, dtype=torch.int64)


def matmul(x):
    shapes = [((4, 5), (5, 3)), ((2, 1, 4, 5), (3, 5, 2)), ((5,), (5,)), ((4, 5), (5,)), ((5,), (2, 5, 3)), ((1, 1), (1, 17))]
    return [({}, [x(*a, tag="a"), x(*b, tag="b")], torch.matmul) for a, b in shapes]


CONVOLUTIONS = [
    # x, weight, bias, stride, padding, dilation, groups
    ((2, 3, 6, 5), (4, 3, 3, 3), True, (1, 1), (1, 1), (1, 1), 1),
    ((2, 4, 9, 7), (6, 2, 3, 2), True, (2, 1), (1, 2), (1, 2), 2),
    ((1, 5, 4, 4), (7, 5, 1, 1), False, (1, 1), (0, 0), (1, 1), 1),
    ((2, 4, 6, 6), (8, 1, 3, 3), False, (1, 2), (1, 1), (1, 1), 4),
    ((1, 2, 5, 8), (3, 2, 2, 3), True, (3, 2), (0, 1), (2, 1), 1),
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


POOLS = [((2, 3, 6, 6), (2, 2), (2, 2), (0, 0)), ((1, 2, 7, 5), (3, 2), (2, 1), (1, 1)), ((1, 1, 4, 9), (3, 3), (3, 3), (1, 0))]


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


ADAPTIVE = [((2, 3, 7, 5), (3, 2)), ((1, 2, 4, 4), (1, 1)), ((1, 1, 5, 6), (5, 4))]


def adaptive_avg_pool2d(x):
    return [({"size": size}, [x(*s)], lambda x, n=size: F.adaptive_avg_pool2d(x, n)) for s, size in ADAPTIVE]


def adaptive_avg_pool2d_grad(x):
    run = lambda s, n: lambda g: by_input(F.adaptive_avg_pool2d)(g, s, (n,))
    return [({"shape": s}, [x(s[0], s[1], *n)], run(s, n)) for s, n in ADAPTIVE]


def along_axes(function, shape=(3, 4, 5)):
    return lambda x: [({"axis": a}, [x(*shape, tag=str(a))], lambda x, a=a: function(x, a)) for a in range(3)]


def layer_norm(x):
    plain = ({"axes": 1, "eps": 1e-5}, [x(3, 7)], lambda x: F.layer_norm(x, (7,)))
    affine = lambda x, w, b: F.layer_norm(x, (4, 5), w, b, 1e-3)
    return [plain, ({"axes": 2, "eps": 1e-3}, [x(3, 4, 5), x(4, 5, tag="w"), x(4, 5, tag="b")], affine)]


def batch_norm(x):
    cases = []
    for shape in [(6, 3), (4, 3, 5), (3, 2, 4, 5)]:
        channels = shape[1]
        weight, bias, mean = (x(channels, tag=f"{shape}{tag}") for tag in "wbm")
        var = x(channels, tag=f"{shape}v").abs() + 0.5
        var = var.float().double()
        train = lambda x, w, b: F.batch_norm(x, None, None, w, b, True, 0.1, 1e-5)
        evaluate = lambda x, w, b, m, v: by_given_statistics(x, w, b, m, v, 1e-5)
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
    return [({"axis": a}, [x(3, 4, 5), index], lambda x, i, a=a: x.index_select(a, i)) for a in range(3)]


def index_add(x):
    index = labels([2, 0, 2, 1])

    def run(axis):
        def function(g, i):
            shape = list(g.shape)
            shape[axis] = 6
            return torch.zeros(shape, dtype=torch.float64).index_add(axis, i, g)

        return function

    shapes = [(4, 3, 2), (3, 4, 2), (3, 2, 4)]
    return [({"axis": a, "size": 6}, [x(*s), index], run(a)) for a, s in enumerate(shapes)]


POSITIONS = labels([[1, 0, 2, 1], [2, 2, 0, 0]])


def gather(x):
    return [({"axis": 0}, [x(3, 4), POSITIONS], lambda x, i: x.gather(0, i)),
            ({"axis": 1}, [x(2, 5), POSITIONS], lambda x, i: x.gather(1, i))]


def scatter_add(x):
    def run(axis, shape):
        return lambda g, i: torch.zeros(shape, dtype=torch.float64).scatter_add(axis, i, g)

    return [({"axis": a, "shape": s}, [x(2, 4), POSITIONS], run(a, s)) for a, s in [(0, (3, 4)), (1, (2, 5))]]


def where(x):
    mask = x(3, 1, tag="mask") > 0
    return [({}, [mask, x(3, 5), x(5)], torch.where)]


def cross_entropy(x):
    target = labels([1, 0, 3, 1, 2])
    options = [
        {},
        {"reduction": "sum"},
        {"label_smoothing": 0.1},
        {"ignore_index": 1},
        {"ignore_index": 1, "label_smoothing": 0.2, "reduction": "mean"},
    ]
    return [(o, [x(5, 4, tag=str(o)), target], lambda x, t, o=o: F.cross_entropy(x, t, **o)) for o in options]


def arg_reduce(x):
    cases = []
    for extreme, function in [("max", torch.argmax), ("min", torch.argmin)]:
        for axis in range(3):
            run = lambda x, f=function, a=axis: f(x.detach(), a)
            cases.append(({"extreme": extreme, "axis": axis}, [x(3, 4, 5, tag=extreme)], run))
    return cases


def slice_(x):
    # NumPy's x[1:, ::-2, 3]; PyTorch has no negative steps.
    reverse = lambda x: x[1:].flip(1)[:, ::2, 3]
    stepped = lambda x: x[..., 1:5:2]
    added = lambda x: x[1][None, -3:-1]
    return [({"items": "1:, ::-2, 3"}, [x(3, 4, 5)], reverse),
            ({"items": "..., 1:5:2"}, [x(2, 3, 6)], stepped),
            ({"items": "1, new, -3:-1"}, [x(2, 4)], added)]


def slice_scatter(x):
    def run(g):
        return torch.zeros(6, 2, dtype=torch.float64).index_copy(0, labels([1, 3, 5]), g)

    return [({"items": "1::2", "shape": (6, 2)}, [x(3, 2)], run)]


CASES = {
    "matmul": matmul,
    "conv2d": conv2d,
    "conv2d_input_grad": conv2d_input_grad,
    "conv2d_weight_grad": conv2d_weight_grad,
    "max_pool2d": pooling(F.max_pool2d),
    "avg_pool2d": pooling(F.avg_pool2d),
    "avg_pool2d_grad": avg_pool2d_grad,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "adaptive_avg_pool2d_grad": adaptive_avg_pool2d_grad,
    "softmax": along_axes(torch.softmax),
    "log_softmax": along_axes(torch.log_softmax),
    "logsumexp": along_axes(torch.logsumexp),
    "cumsum": along_axes(torch.cumsum),
    "layer_norm": layer_norm,
    "batch_norm": batch_norm,
    "index_select": index_select,
    "index_add": index_add,
    "gather": gather,
    "scatter_add": scatter_add,
    "where_": where,
    "concat": lambda x: [({"axis": 1}, [x(2, 1), x(2, 3), x(2, 2)], lambda *parts: torch.cat(parts, 1))],
    "pad": lambda x: [({"widths": [[1, 2], [0, 3]], "value": 0.5}, [x(2, 3)], lambda x: F.pad(x, (0, 3, 1, 2), value=0.5))],
    "cross_entropy": cross_entropy,
    "arg_reduce": arg_reduce,
    "cast": lambda x: [({"dtype": "float32"}, [x(5)], lambda x: x.float().double())],
    "contiguous": lambda x: [({}, [x(3, 4)], lambda x: x.t().contiguous())],
    "permute": lambda x: [({"axes": [2, 0, 1]}, [x(2, 3, 4)], lambda x: x.permute(2, 0, 1))],
    "reshape": lambda x: [({"shape": [4, 6]}, [x(2, 3, 4)], lambda x: x.permute(0, 2, 1).reshape(4, 6))],
    "slice": slice_,
    "slice_scatter": slice_scatter,
    "broadcast": lambda x: [({"shape": [3, 4, 2]}, [x(4, 1)], lambda x: x.expand(3, 4, 2))],
    "flip": lambda x: [({"axes": [0, 2]}, [x(2, 3, 4)], lambda x: x.flip(0, 2))],
}

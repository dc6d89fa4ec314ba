#!/usr/bin/env python3
"""What PyTorch's layers and losses answer, forward and backward.

    python3 xtask/oracle/nn.py --out crates/trueno-nn/tests/fixtures/nn.safetensors
    python3 xtask/oracle/nn.py --out ... --check    # compares instead of writing

needs torch, numpy and safetensors. Everything is computed in float64 from values that float32 holds exactly, so one
fixture serves both types.

Tensors of a layer's case, per step K (a step in training mode changes the buffers that the next one starts from):
`CASE.state.NAME`, the state dict before; `CASE.K.x`, `CASE.K.out`; where the layer is differentiated `CASE.K.g` (the
gradient by the result), `CASE.K.grad_x` and `CASE.K.grad.NAME`; `CASE.K.after.NAME`, the buffers after the step.
Steps of a case that ends in `.eval` are in evaluation mode. Of a loss: `CASE.x`, `CASE.target`, perhaps
`CASE.weight` and `CASE.pos_weight`, `CASE.out`, `CASE.grad_x`.
"""

import argparse
import pathlib
import sys
import zlib

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.nn import functional as F

TOLERANCE = 1e-11


def draw(name, shape, low=-2.0, high=2.0):
    """Values that depend on `name` alone, float32-exact and not near 0, where activations have kinks."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    values = generator.uniform(low, high, shape)
    values = np.where(np.abs(values) < 0.02, 0.05, values)
    return torch.from_numpy(np.asarray(values, dtype=np.float32).astype(np.float64))


def draw_positions(name, shape, below):
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    return torch.from_numpy(generator.integers(0, below, shape))


class Fixture:
    def __init__(self):
        self.tensors = {}

    def keep(self, name, value):
        self.tensors[name] = value.detach().numpy().copy()  # batch norms count in place

    def layer(self, case, module, inputs):
        """Runs `module` on each input in turn, in training mode unless the case is called otherwise."""
        module = module.to(torch.float64)
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                low = 0.5 if name.endswith("running_var") else -1.0
                value.copy_(draw(f"{case}.{name}", value.shape, low, 1.0))
            self.keep(f"{case}.state.{name}", value)
        module.train(not case.endswith(".eval"))
        for step, x in enumerate(inputs):
            self.step(f"{case}.{step}", module, x)

    def step(self, case, module, x):
        x = x.requires_grad_() if x.is_floating_point() else x
        out = module(x)
        self.keep(f"{case}.x", x)
        self.keep(f"{case}.out", out)
        named = [(name, value) for name, value in module.named_parameters()]
        leaves = [("grad_x", x)] if x.requires_grad else []
        leaves += [(f"grad.{name}", value) for name, value in named]
        g = draw(f"{case}.g", tuple(out.shape))
        self.keep(f"{case}.g", g)
        for (name, _), grad in zip(leaves, torch.autograd.grad(out, [leaf for _, leaf in leaves], g)):
            self.keep(f"{case}.{name}", grad)
        for name, value in module.named_buffers():
            self.keep(f"{case}.after.{name}", value)

    def loss(self, case, function, x, target, **weights):
        x = x.clone().requires_grad_()
        out = function(x, target, **weights)
        for name, value in {"x": x, "target": target, **weights, "out": out}.items():
            self.keep(f"{case}.{name}", value)
        self.keep(f"{case}.grad_x", torch.autograd.grad(out.sum(), x)[0])


def linear(fixture):
    fixture.layer("linear", nn.Linear(3, 4), [draw("linear.x", (5, 3))])
    fixture.layer("linear.no_bias", nn.Linear(3, 4, bias=False), [draw("linear.no_bias.x", (5, 3))])
    fixture.layer("linear.vector", nn.Linear(3, 4), [draw("linear.vector.x", (3,))])
    fixture.layer("linear.batched", nn.Linear(3, 4), [draw("linear.batched.x", (2, 5, 3))])


def conv2d(fixture):
    def case(name, layer, shape):
        fixture.layer(f"conv2d.{name}", layer, [draw(f"conv2d.{name}.x", shape)])

    case("plain", nn.Conv2d(2, 3, 3), (2, 2, 5, 6))
    case("padded", nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 2, 5, 6))
    case("oblong", nn.Conv2d(1, 2, (3, 2), stride=(1, 2), padding=(1, 0), dilation=(2, 1)), (1, 1, 7, 6))
    case("grouped", nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=False), (2, 4, 4, 5))
    case("depthwise", nn.Conv2d(3, 3, 3, padding=1, groups=3), (1, 3, 5, 5))


def conv_transpose2d(fixture):
    def case(name, layer, shape):
        fixture.layer(f"conv_transpose2d.{name}", layer, [draw(f"conv_transpose2d.{name}.x", shape)])

    case("plain", nn.ConvTranspose2d(2, 3, 3), (2, 2, 4, 5))
    case("doubling", nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), (2, 2, 3, 4))
    case("grouped", nn.ConvTranspose2d(4, 6, (3, 2), stride=(1, 2), dilation=(2, 1), groups=2, bias=False), (1, 4, 3, 4))


def norms(fixture):
    def steps(name, shape):
        return [draw(f"{name}.x{step}", shape) for step in range(3)]

    for mode in ["train", "eval"]:
        for name, layer, shape in [
            ("batch_norm1d", lambda: nn.BatchNorm1d(3), (4, 3)),
            ("batch_norm1d.length", lambda: nn.BatchNorm1d(3), (4, 3, 5)),
            ("batch_norm1d.cumulative", lambda: nn.BatchNorm1d(3, momentum=None), (4, 3)),
            ("batch_norm2d", lambda: nn.BatchNorm2d(2), (3, 2, 4, 3)),
            ("batch_norm2d.plain", lambda: nn.BatchNorm2d(2, eps=1e-3, momentum=0.3, affine=False), (3, 2, 4, 3)),
        ]:
            fixture.layer(f"{name}.{mode}", layer(), steps(f"{name}.{mode}", shape))
    fixture.layer("layer_norm", nn.LayerNorm(5), [draw("layer_norm.x", (2, 3, 5))])
    fixture.layer("layer_norm.two_axes", nn.LayerNorm((3, 5)), [draw("layer_norm.two_axes.x", (2, 3, 5))])
    plain = nn.LayerNorm(5, eps=1e-3, elementwise_affine=False)
    fixture.layer("layer_norm.plain", plain, [draw("layer_norm.plain.x", (4, 5))])
    for name, layer, shape in [
        ("group_norm", nn.GroupNorm(2, 6), (2, 6, 3, 5)),
        ("group_norm.vectors", nn.GroupNorm(3, 6), (4, 6)),
        ("group_norm.plain", nn.GroupNorm(1, 4, eps=1e-3, affine=False), (2, 4, 7)),
        ("instance_norm1d", nn.InstanceNorm1d(3), (2, 3, 5)),
        ("instance_norm2d", nn.InstanceNorm2d(3, eps=1e-3, affine=True), (2, 3, 4, 3)),
    ]:
        fixture.layer(name, layer, [draw(f"{name}.x", shape)])


class Hardsigmoid(nn.Module):
    """PyTorch's own has the gradient 1/6 in float32 only."""

    def forward(self, x):
        return F.relu6(x + 3) / 6


def others(fixture):
    def case(name, layer, shape):
        fixture.layer(name, layer, [draw(f"{name}.x", shape)])

    fixture.layer("embedding", nn.Embedding(7, 3), [draw_positions("embedding.x", (2, 4), 7)])
    padding = torch.tensor([[2, 0, 2, 5], [6, 2, 1, 1]])
    fixture.layer("embedding.padding", nn.Embedding(7, 3, padding_idx=2), [padding])
    case("max_pool2d", nn.MaxPool2d(2), (2, 2, 5, 6))
    case("max_pool2d.padded", nn.MaxPool2d((3, 2), stride=(2, 1), padding=1), (1, 2, 5, 6))
    case("avg_pool2d", nn.AvgPool2d(2), (2, 2, 5, 6))
    case("avg_pool2d.padded", nn.AvgPool2d((3, 2), stride=(2, 1), padding=1), (1, 2, 5, 6))
    case("adaptive_avg_pool2d", nn.AdaptiveAvgPool2d((3, 4)), (1, 2, 7, 5))
    case("adaptive_avg_pool2d.one", nn.AdaptiveAvgPool2d(1), (2, 3, 4, 5))
    case("max_pool1d", nn.MaxPool1d(3, stride=2, padding=1), (2, 3, 8))
    case("avg_pool1d", nn.AvgPool1d(2), (2, 3, 7))
    case("flatten", nn.Flatten(), (2, 3, 4, 5))
    case("conv1d", nn.Conv1d(2, 3, 3), (2, 2, 6))
    case("conv1d.grouped", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False), (1, 4, 9))
    case("rms_norm", nn.RMSNorm(5, eps=1e-3), (2, 3, 5))
    case("rms_norm.plain", nn.RMSNorm((3, 5), eps=1e-3, elementwise_affine=False), (2, 3, 5))
    case("upsample", nn.Upsample(scale_factor=2), (2, 2, 2, 3))
    case("upsample.bilinear", nn.Upsample(scale_factor=(3, 2), mode="bilinear"), (1, 2, 2, 3))
    case("interpolate", nn.Upsample(size=(3, 7)), (1, 2, 5, 4))
    for corners in [False, True]:
        name = "interpolate.corners" if corners else "interpolate.edges"
        case(name, nn.Upsample(size=(5, 2), mode="bilinear", align_corners=corners), (1, 2, 3, 6))
    case("interpolate.one", nn.Upsample(size=(1, 4), mode="bilinear", align_corners=True), (1, 1, 3, 1))
    case("pixel_shuffle", nn.PixelShuffle(2), (2, 8, 3, 2))
    case("pixel_unshuffle", nn.PixelUnshuffle(2), (2, 2, 4, 6))
    for name, layer in {
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.2),
        "elu": nn.ELU(0.7),
        "selu": nn.SELU(),
        "gelu": nn.GELU(),
        "gelu_tanh": nn.GELU(approximate="tanh"),
        "silu": nn.SiLU(),
        "softplus": nn.Softplus(2.0, 3.0),
        "mish": nn.Mish(),
        "hardswish": nn.Hardswish(),
        "hardsigmoid": Hardsigmoid(),
        "sigmoid": nn.Sigmoid(),
        "tanh": nn.Tanh(),
        "log_sigmoid": nn.LogSigmoid(),
        "softsign": nn.Softsign(),
        "hardtanh": nn.Hardtanh(-0.5, 2.0),
        "hardtanh.relu6": nn.ReLU6(),
        "glu": nn.GLU(dim=1),
        "prelu": nn.PReLU(),
        "prelu.channels": nn.PReLU(4),
        "softmax": nn.Softmax(dim=1),
        "log_softmax": nn.LogSoftmax(dim=-1),
    }.items():
        fixture.layer(name, layer, [draw(f"{name}.x", (3, 4), -5.0, 5.0)])
    network = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8, 3),
    )
    case("sequential", network, (3, 1, 4, 4))


def reduced(function, reduction, **options):
    return lambda *inputs, **weights: function(*inputs, reduction=reduction, **options, **weights)


class Attention(nn.Module):
    """Self-attention as a layer of one input; names as PyTorch's."""

    def __new__(cls, *arguments, **options):
        layer = nn.MultiheadAttention(*arguments, batch_first=True)
        attend = layer.forward
        layer.forward = lambda x: attend(x, x, x, need_weights=False, **options)[0]
        return layer


def attention(fixture):
    fixture.layer("multihead_attention", Attention(6, 2), [draw("multihead_attention.x", (2, 5, 6))])
    hidden = torch.triu(torch.ones(5, 5, dtype=torch.bool), 1)
    causal = Attention(6, 3, attn_mask=hidden)
    fixture.layer("multihead_attention.causal", causal, [draw("multihead_attention.causal.x", (2, 5, 6))])
    padding = torch.tensor([[False, False, False, True, True], [False, True, False, False, False]])
    padded = Attention(4, 1, key_padding_mask=padding)
    fixture.layer("multihead_attention.padded", padded, [draw("multihead_attention.padded.x", (2, 5, 4))])
    for name, options in [("", {}), (".first", {"norm_first": True, "activation": "gelu"})]:
        layer = nn.TransformerEncoderLayer(6, 2, 11, dropout=0.0, batch_first=True, **options)
        case = f"transformer_encoder_layer{name}"
        fixture.layer(case, layer, [draw(f"{case}.x", (2, 4, 6))])


class Joined(nn.Module):
    """A recurrent layer or cell of one input and one output: the sequence and the states before it in one row, the sequence and the
    states after it in one row."""

    def __new__(cls, layer, *shapes):
        run = layer.forward

        def forward(row):
            parts = row.split([torch.Size(shape).numel() for shape in shapes])
            x, *states = (part.reshape(shape) for part, shape in zip(parts, shapes))
            states = [] if not states else [tuple(states) if len(states) > 1 else states[0]]
            return torch.cat(list(flat(run(x, *states))))

        layer.forward = forward
        return layer


def flat(results):
    for result in results if isinstance(results, tuple) else [results]:
        yield from flat(result) if isinstance(result, tuple) else [result.reshape(-1)]


def recurrent(fixture):
    def case(name, layer, *shapes):
        size = sum(torch.Size(shape).numel() for shape in shapes)
        fixture.layer(name, Joined(layer, *shapes), [draw(f"{name}.x", (size,))])

    deep = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    case("rnn", nn.RNN(3, 4), (5, 2, 3))
    case("rnn.relu", nn.RNN(3, 4, nonlinearity="relu", **deep), (2, 5, 3), (4, 2, 4))
    case("lstm", nn.LSTM(3, 4), (5, 2, 3))
    case("lstm.deep", nn.LSTM(3, 4, **deep), (2, 5, 3), (4, 2, 4), (4, 2, 4))
    case("lstm.no_bias", nn.LSTM(3, 17, bias=False), (3, 1, 3), (1, 1, 17), (1, 1, 17))
    projected = nn.LSTM(3, 4, num_layers=2, bidirectional=True, proj_size=2)
    case("lstm.projected", projected, (5, 2, 3), (4, 2, 2), (4, 2, 4))
    case("gru", nn.GRU(3, 4), (5, 2, 3))
    case("gru.deep", nn.GRU(3, 4, **deep), (2, 5, 3), (4, 2, 4))
    case("gru.no_bias", nn.GRU(3, 4, bias=False), (1, 2, 3), (1, 2, 4))
    case("rnn_cell", nn.RNNCell(3, 4), (2, 3))
    case("rnn_cell.relu", nn.RNNCell(3, 4, bias=False, nonlinearity="relu"), (2, 3), (2, 4))
    case("lstm_cell", nn.LSTMCell(3, 4), (2, 3), (2, 4), (2, 4))
    case("gru_cell", nn.GRUCell(3, 4), (2, 3), (2, 4))


def losses(fixture):
    for reduction in ["mean", "sum", "none"]:
        class_losses(fixture, reduction)
        distances(fixture, reduction)
        binary_losses(fixture, reduction)
        margin_losses(fixture, reduction)
    similarities(fixture)


def margin_losses(fixture, reduction):
    signs = 2.0 * draw_positions("signs", (5,), 2).to(torch.float64) - 1.0
    fixture.loss(f"hinge_embedding_loss.{reduction}", reduced(F.hinge_embedding_loss, reduction), draw("hinge", (5,)), signs)
    narrow = reduced(F.hinge_embedding_loss, reduction, margin=0.3)
    fixture.loss(f"hinge_embedding_loss.narrow_{reduction}", narrow, draw("hinge", (5,)), signs)
    fixture.loss(f"soft_margin_loss.{reduction}", reduced(F.soft_margin_loss, reduction), draw("soft", (5,)), signs)
    counts = draw_positions("counts", (5,), 4).to(torch.float64)
    fixture.loss(f"poisson_nll_loss.{reduction}", reduced(F.poisson_nll_loss, reduction), draw("poisson", (5,)), counts)
    means = reduced(F.poisson_nll_loss, reduction, log_input=False)
    fixture.loss(f"poisson_nll_loss.means_{reduction}", means, draw("means", (5,), 0.2, 3.0), counts)

    # Both vectors, or all three, in one: the gradients by each are compared.
    def together(function, **options):
        return lambda x, target: function(*x, target, reduction=reduction, **options)

    pair, triplet = draw("pair", (2, 5, 3)), draw("triplet", (3, 5, 4))
    fixture.loss(f"margin_ranking_loss.{reduction}", together(F.margin_ranking_loss), pair[:, :, 0].clone(), signs)
    wide = together(F.margin_ranking_loss, margin=0.7)
    fixture.loss(f"margin_ranking_loss.wide_{reduction}", wide, pair[:, :, 0].clone(), signs)
    fixture.loss(f"cosine_embedding_loss.{reduction}", together(F.cosine_embedding_loss), pair, signs)
    narrow = together(F.cosine_embedding_loss, margin=0.2)
    fixture.loss(f"cosine_embedding_loss.narrow_{reduction}", narrow, pair, signs)

    def of_three(**options):
        return lambda x, _: F.triplet_margin_loss(*x, reduction=reduction, **options)

    fixture.loss(f"triplet_margin_loss.{reduction}", of_three(), triplet, signs)
    fixture.loss(f"triplet_margin_loss.swapped_{reduction}", of_three(margin=2.5, p=3.0, swap=True), triplet, signs)


def similarities(fixture):
    pair, none = draw("similarity", (2, 5, 3)), torch.zeros(1, dtype=torch.float64)
    fixture.loss("cosine_similarity.last", lambda x, _: F.cosine_similarity(*x, dim=1), pair, none)
    fixture.loss("cosine_similarity.first", lambda x, _: F.cosine_similarity(*x, dim=0), pair, none)
    for p in [1.0, 2.0, 3.0]:
        function = lambda x, _, p=p: F.pairwise_distance(*x, p=p)
        fixture.loss(f"pairwise_distance.{int(p)}", function, pair, none)


def class_losses(fixture, reduction):
    logits, labels = draw("logits", (6, 4), -4.0, 4.0), draw_positions("labels", (6,), 4)
    ignored, weight = int(labels[0]), draw("class_weight", (4,), 0.5, 3.0)
    for name, weights, options in [
        ("", {}, {}),
        ("smoothed_", {}, {"label_smoothing": 0.1}),
        ("ignored_", {}, {"ignore_index": ignored, "label_smoothing": 0.2}),
        ("weighted_", {"weight": weight}, {}),
        ("all_", {"weight": weight}, {"ignore_index": ignored, "label_smoothing": 0.2}),
    ]:
        function = reduced(F.cross_entropy, reduction, **options)
        fixture.loss(f"cross_entropy.{name}{reduction}", function, logits, labels, **weights)
    rows = torch.log_softmax(logits, 1).to(torch.float32).to(torch.float64)
    fixture.loss(f"nll_loss.{reduction}", reduced(F.nll_loss, reduction), rows, labels)
    ignoring = reduced(F.nll_loss, reduction, ignore_index=ignored)
    fixture.loss(f"nll_loss.all_{reduction}", ignoring, rows, labels, weight=weight)


def distances(fixture, reduction):
    x, target = draw("regression.x", (3, 4)), draw("regression.target", (3, 4))
    for name, function, options in [
        ("mse_loss", F.mse_loss, {}),
        ("l1_loss", F.l1_loss, {}),
        ("smooth_l1_loss", F.smooth_l1_loss, {}),
        ("smooth_l1_loss.beta", F.smooth_l1_loss, {"beta": 0.3}),
        ("huber_loss", F.huber_loss, {}),
        ("huber_loss.delta", F.huber_loss, {"delta": 0.3}),
        ("kl_div.log_target", F.kl_div, {"log_target": True}),
    ]:
        fixture.loss(f"{name}.{reduction}", reduced(function, reduction, **options), x, target)
    probabilities = draw("kl_div.target", (3, 4), 0.05, 0.9)
    probabilities[1, 2] = 0.0
    fixture.loss(f"kl_div.{reduction}", reduced(F.kl_div, reduction), x, probabilities)


def binary_losses(fixture, reduction):
    probability, truth = draw("p", (3, 4), 0.05, 0.95), draw("truth", (3, 4), 0.0, 1.0)
    weight, positive = draw("weight", (3, 1), 0.5, 3.0), draw("pos_weight", (4,), 0.5, 3.0)
    plain, x = reduced(F.binary_cross_entropy, reduction), draw("binary.x", (3, 4))
    fixture.loss(f"binary_cross_entropy.{reduction}", plain, probability, truth)
    fixture.loss(f"binary_cross_entropy.weighted_{reduction}", plain, probability, truth, weight=weight)
    name, logits = "binary_cross_entropy_with_logits", reduced(F.binary_cross_entropy_with_logits, reduction)
    fixture.loss(f"{name}.{reduction}", logits, x * 16, truth)
    fixture.loss(f"{name}.positive_{reduction}", logits, x, truth, pos_weight=positive)
    fixture.loss(f"{name}.weighted_{reduction}", logits, x, truth, weight=weight, pos_weight=positive)


def fixture():
    torch.set_num_threads(1)
    made = Fixture()
    for part in [linear, conv2d, conv_transpose2d, norms, others, attention, recurrent, losses]:
        part(made)
    return made.tensors


def compare(made, path):
    """Exits with a message at the first tensor that is not what this PyTorch makes."""
    kept = load_file(path)
    if kept.keys() != made.keys():
        sys.exit(f"{path}: other tensors: {sorted(kept.keys() ^ made.keys())}")
    for name, expected in made.items():
        found = kept[name]
        if found.dtype != expected.dtype or found.shape != expected.shape:
            sys.exit(f"{path}: {name} is {found.dtype}{found.shape}, not {expected.dtype}{expected.shape}")
        error = np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1.0), initial=0.0)
        if not error <= TOLERANCE:
            sys.exit(f"{path}: {name} differs by {error:.1e}, more than {TOLERANCE:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the fixture")
    parser.add_argument("--check", action="store_true", help="compare with the fixture instead of writing it")
    arguments = parser.parse_args()
    made = fixture()
    if arguments.check:
        compare(made, arguments.out)
    else:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        save_file(made, arguments.out, {"torch": torch.__version__, "made_by": "xtask/oracle/nn.py"})
    print(f"layers and losses: {len(made)} tensors")


if __name__ == "__main__":
    main()

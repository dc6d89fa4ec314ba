"""PyTorch's side of the GPU figures: the rows of crates/trueno-gpu/examples/throughput.rs and of src/bin/gpu.rs, by the same names."""

import time

import torch

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True
DEVICE = "cuda"


def seconds(work, least=0.1, rounds=3):
    def timed(calls):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(calls):
            work()
        torch.cuda.synchronize()
        return time.perf_counter() - start

    timed(2)
    calls = 1
    while timed(calls) < least:
        calls *= 2
    return min(timed(calls) for _ in range(rounds)) / calls


def row(name, value, unit):
    print(f"{name}\t{value:.2f}\t{unit}", flush=True)


LAYERS = [
    (64, 64, 32, 3, 1), (128, 128, 16, 3, 1), (256, 256, 8, 3, 1), (512, 512, 4, 3, 1),
    (64, 256, 32, 1, 1), (1024, 256, 8, 1, 1), (512, 2048, 4, 1, 1), (128, 128, 32, 3, 2),
]


def convolutions(batch=128):
    for channels, outputs, side, kernel, stride in LAYERS:
        for dtype, name in ((torch.float32, "float32"), (torch.float16, "float16")):
            x = torch.rand(batch, channels, side, side, device=DEVICE, dtype=dtype)
            w = torch.rand(outputs, channels, kernel, kernel, device=DEVICE, dtype=dtype)
            padding = kernel // 2
            y = torch.nn.functional.conv2d(x, w, None, stride, padding)
            g = torch.rand_like(y)
            work = 2 * y.numel() * channels * kernel * kernel / 1e12
            gradient = lambda mask: torch.ops.aten.convolution_backward(
                g, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask
            )
            name = f"conv_{name}_{channels}_{outputs}_{side}_{kernel}x{kernel}_s{stride}"
            row(f"{name}_forward", work / seconds(lambda: torch.nn.functional.conv2d(x, w, None, stride, padding)), "TFLOP/s")
            row(f"{name}_input", work / seconds(lambda: gradient([True, False, False])), "TFLOP/s")
            row(f"{name}_weight", work / seconds(lambda: gradient([False, True, False])), "TFLOP/s")


def norms(batch=128):
    functional = torch.nn.functional
    x = torch.rand(batch, 256, 32, 32, device=DEVICE, requires_grad=True)
    w = torch.rand(256, device=DEVICE, requires_grad=True)
    size = 4 * x.numel()
    with torch.no_grad():
        row("batch_norm", 3 * size / seconds(lambda: functional.batch_norm(x, None, None, w, w, True)) / 1e9, "GB/s")
        row("max_pool2d", 1.5 * size / seconds(lambda: functional.max_pool2d(x, 3, 2, 1)) / 1e9, "GB/s")
    y = functional.batch_norm(x, None, None, w, w.detach(), True)
    g = torch.rand_like(y)
    time = seconds(lambda: torch.autograd.grad(y, (x, w), g, retain_graph=True))
    row("batch_norm_backward", 5 * size / time / 1e9, "GB/s")
    y = functional.max_pool2d(x, 3, 2, 1)
    g = torch.rand_like(y)
    row("max_pool2d_backward", 1.5 * size / seconds(lambda: torch.autograd.grad(y, x, g, retain_graph=True)) / 1e9, "GB/s")


def main():
    print(f"# {torch.cuda.get_device_name()} PyTorch {torch.__version__}")
    length, side = 64 << 20, 8192
    a, b = torch.rand(length, device=DEVICE), torch.rand(length, device=DEVICE)
    row("add", 12 * length / seconds(lambda: a + b) / 1e9, "GB/s")
    x, w = torch.rand(side, side, device=DEVICE), torch.rand(side, device=DEVICE)
    size = 4 * side * side
    functional = torch.nn.functional
    rows = [
        ("softmax", 2, lambda: torch.softmax(x, 1)),
        ("layer_norm", 2, lambda: functional.layer_norm(x, (side,), w, w)),
        ("gelu", 2, lambda: functional.gelu(x)),
        ("exp", 2, lambda: torch.exp(x)),
        ("sum_rows", 1, lambda: x.sum(1)),
        ("sum_columns", 1, lambda: x.sum(0)),
        ("sum_all", 1, lambda: x.sum()),
        ("add_bias", 2, lambda: x + w),
        ("transpose", 2, lambda: x.t().contiguous()),
    ]
    for name, moved, work in rows:
        row(name, moved * size / seconds(work) / 1e9, "GB/s")
    for n in (1024, 4096, 8192):
        p, q = torch.rand(n, n, device=DEVICE) - 0.5, torch.rand(n, n, device=DEVICE) - 0.5
        work = 2 * n**3 / 1e12
        row(f"matmul_f32_{n}", work / seconds(lambda: p @ q), "TFLOP/s")
        p, q = p.half(), q.half()
        row(f"matmul_f16_{n}", work / seconds(lambda: p @ q), "TFLOP/s")
        row(f"matmul_f16_{n}_transposed", work / seconds(lambda: p @ q.t()), "TFLOP/s")
    convolutions()
    norms()
    small = torch.rand(1000, device=DEVICE)
    row("small_add", seconds(lambda: small + small) * 1e6, "us per operation")
    host = torch.rand(16 << 20)
    row("upload_64MiB", 4 * host.numel() / seconds(lambda: host.to(DEVICE)) / 1e9, "GB/s")
    there = host.to(DEVICE)
    row("download_64MiB", 4 * host.numel() / seconds(lambda: there.cpu()) / 1e9, "GB/s")


def training(net, optimizer, precision, *shape):
    """A step on the same batch each time, in `precision` where autocast has it so."""
    x, labels = torch.randn(*shape, device=DEVICE), torch.arange(shape[0], device=DEVICE) % 10
    narrow = precision != torch.float32
    scaler = torch.amp.GradScaler("cuda", enabled=precision == torch.float16)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cuda", precision if narrow else torch.float16, enabled=narrow):
            loss = torch.nn.functional.cross_entropy(net(x), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


PRECISIONS = [(torch.float32, ""), (torch.float16, "_f16"), (torch.bfloat16, "_bf16")]


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(768, 12, 3072, dropout=0.0, batch_first=True)
        self.layers = torch.nn.TransformerEncoder(layer, 12)
        self.head = torch.nn.Linear(768, 10)

    def forward(self, x):
        return self.head(self.layers(x).mean(1))


class Bottleneck(torch.nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        nn = torch.nn
        conv = lambda i, o, k, s: [nn.Conv2d(i, o, k, s, k // 2, bias=False), nn.BatchNorm2d(o)]
        path = conv(inputs, width, 1, 1) + [nn.ReLU()] + conv(width, width, 3, stride) + [nn.ReLU()]
        self.path = nn.Sequential(*path, *conv(width, 4 * width, 1, 1))
        same = stride == 1 and inputs == 4 * width
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv(inputs, 4 * width, 1, stride))

    def forward(self, x):
        return torch.relu(self.path(x) + self.shortcut(x))


def resnet50():
    """For images of 32 x 32: a stem of 3 x 3."""
    nn = torch.nn
    layers, inputs = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()], 64
    for stage, depth in enumerate([3, 4, 6, 3]):
        for block in range(depth):
            layers.append(Bottleneck(inputs, 64 << stage, 2 if stage > 0 and block == 0 else 1))
            inputs = 4 * (64 << stage)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))


def networks():
    nn = torch.nn
    mlp = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)).to(DEVICE)
    row("mlp_step", seconds(training(mlp, torch.optim.AdamW(mlp.parameters()), torch.float32, 64, 784), 0.5) * 1e6, "us")
    for precision, suffix in PRECISIONS:
        encoder = Encoder().to(DEVICE)
        step = training(encoder, torch.optim.AdamW(encoder.parameters()), precision, 32, 128, 768)
        row(f"bert_step{suffix}", 32 / seconds(step, 0.5), "sequences/s")
        net = resnet50().to(DEVICE)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True)
        for batch in (128, 512):
            step = training(net, optimizer, precision, batch, 3, 32, 32)
            row(f"resnet50_{batch}{suffix}", batch / seconds(step, 1.0), "images/s")


if __name__ == "__main__":
    main()
    networks()

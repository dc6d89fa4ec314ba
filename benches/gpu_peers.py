"""PyTorch's side of the GPU figures: the rows of crates/trueno-gpu/examples/throughput.rs, by the same names."""

import time

import torch

torch.backends.cuda.matmul.allow_tf32 = False
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
    small = torch.rand(1000, device=DEVICE)
    row("small_add", seconds(lambda: small + small) * 1e6, "us per operation")
    host = torch.rand(16 << 20)
    row("upload_64MiB", 4 * host.numel() / seconds(lambda: host.to(DEVICE)) / 1e9, "GB/s")
    there = host.to(DEVICE)
    row("download_64MiB", 4 * host.numel() / seconds(lambda: there.cpu()) / 1e9, "GB/s")


if __name__ == "__main__":
    main()

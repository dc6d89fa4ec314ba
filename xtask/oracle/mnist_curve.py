#!/usr/bin/env python3
"""The first 50 training steps of the MNIST example's network in PyTorch.

    python3 xtask/oracle/mnist_curve.py --out crates/trueno-optim/tests/fixtures/mnist_curve.safetensors
    python3 xtask/oracle/mnist_curve.py --out ... --check    # compares instead of writing

needs torch, numpy and safetensors. Batch k is the 64 images from 64 k on of the embedded training set, in stored
order and wrapping around, as (x / 255 - 0.1307) / 0.3081; the loss is the mean cross-entropy before step k.

Tensors in the file: `init.NAME`, the initial weights under PyTorch's names (float32);
`RUN.losses` and `RUN.losses_f64`, 50 losses of each run in RUNS, computed in float32 and, from the same
weights and images, in float64; `RUN.losses_float16` and `RUN.losses_bfloat16` under autocast, with a GradScaler that begins
at 1024 in float16 (at 65536 PyTorch's gradients by weights, which it keeps in float16, overflow and a step is left out).
The learning rates are such that float32 and float64 stay within 2e-5 of each other: at 0.05, SGD is chaotic and they part by
3 %, so that no other implementation could be held to either.
"""

import argparse
import gzip
import pathlib
import struct
import sys

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

ASSETS = pathlib.Path(__file__).resolve().parents[2] / "crates/trueno-data/assets/mnist"
BATCH = 64
STEPS = 50
RUNS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.02, momentum=0.9),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=1e-3),
}
# Another processor sums in another order; 50 steps make that larger.
TOLERANCE = {np.dtype(np.float32): 5e-5, np.dtype(np.float64): 1e-10}

HALF_TOLERANCE = {"_bfloat16": 2e-2, "_float16": 3e-3}


def network():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1568, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def read_idx(name):
    data = gzip.decompress((ASSETS / name).read_bytes())
    rank = data[3]
    shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def batches():
    """The images, normalised in float32, and the labels of each step."""
    pixels, labels = read_idx("train-images-idx3-ubyte.gz"), read_idx("train-labels-idx1-ubyte.gz")
    for step in range(STEPS):
        indices = np.arange(step * BATCH, (step + 1) * BATCH) % len(labels)
        images = torch.from_numpy(pixels[indices]).unsqueeze(1).to(torch.float32)
        yield (images / 255 - 0.1307) / 0.3081, torch.from_numpy(labels[indices]).to(torch.int64)


def losses(initial, optimizer_of, dtype, half=None):
    net = network()
    net.load_state_dict(initial)
    net.to(dtype)
    optimizer = optimizer_of(net.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=half == torch.float16)
    curve = []
    for images, labels in batches():
        with torch.autocast("cpu", half, enabled=half is not None):
            loss = nn.functional.cross_entropy(net(images.to(dtype)), labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        curve.append(loss.item())
    return np.array(curve, np.float64 if dtype == torch.float64 else np.float32)


def fixture():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(0)
    initial = network().state_dict()
    tensors = {f"init.{name}": value.numpy() for name, value in initial.items()}
    for run, optimizer_of in RUNS.items():
        tensors[f"{run}.losses"] = losses(initial, optimizer_of, torch.float32)
        tensors[f"{run}.losses_f64"] = losses(initial, optimizer_of, torch.float64)
        for half in (torch.float16, torch.bfloat16):
            name = str(half).removeprefix("torch.")
            tensors[f"{run}.losses_{name}"] = losses(initial, optimizer_of, torch.float32, half)
    return tensors


def compare(made, path):
    """Exits with a message at the first tensor that is not what this PyTorch makes."""
    kept = load_file(path)
    if kept.keys() != made.keys():
        sys.exit(f"{path}: holds {sorted(kept)}, not {sorted(made)}")
    for name, expected in made.items():
        found = kept[name]
        if found.dtype != expected.dtype or found.shape != expected.shape:
            sys.exit(f"{path}: {name} is {found.dtype}{found.shape}, not {expected.dtype}{expected.shape}")
        tolerance = 0 if name.startswith("init.") else TOLERANCE[expected.dtype]
        # A sum that falls on the other side of a rounding to half precision moves what follows.
        tolerance = next((limit for half, limit in HALF_TOLERANCE.items() if name.endswith(half)), tolerance)
        error = np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1e-30))
        if not error <= tolerance:
            sys.exit(f"{path}: {name} differs by {error:.1e} relative, more than {tolerance:.0e}")


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
        save_file(made, arguments.out, {"torch": torch.__version__, "made_by": "xtask/oracle/mnist_curve.py"})
    for run in RUNS:
        drift = np.max(np.abs(made[f"{run}.losses"] / made[f"{run}.losses_f64"] - 1))
        print(f"{run}: loss {made[f'{run}.losses'][0]:.6f} to {made[f'{run}.losses'][-1]:.6f}, f32 to f64 {drift:.1e}")


if __name__ == "__main__":
    main()

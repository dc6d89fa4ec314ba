#!/usr/bin/env python3
"""Where PyTorch's optimizers and schedules go.

    python3 xtask/oracle/optim.py --out crates/trueno-optim/tests/fixtures/optim.safetensors
    python3 xtask/oracle/optim.py --out ... --check    # compares instead of writing

needs torch, numpy and safetensors. Everything is computed in float64 from values that float32 holds exactly, so one
fixture serves both types.

`grad.K.NAME` are the gradients given to step K of every optimizer; one that is not there is not given. Of an optimizer's case:
`CASE.K.NAME`, the parameters before step K (those of the last K are the result). Of a schedule's: `CASE.rates`, one per epoch; of a plateau's also `CASE.figures`. `clip.*`: gradients before and after.
"""

import argparse
import pathlib
import sys
import zlib

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import optim

TOLERANCE = 1e-12
STEPS = 9
EPOCHS = 12
SHAPES = {"weight": (5, 7), "bias": (5,)}
# Gradients that a parameter does not get: (step, name).
ABSENT = {(3, "bias"), (6, "weight")}

OPTIMIZERS = {
    "sgd.plain": lambda p: optim.SGD(p, lr=0.1),
    "sgd.decayed": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "sgd.momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01),
    "sgd.nesterov": lambda p: optim.SGD(p, lr=0.1, momentum=0.8, nesterov=True),
    "adam.plain": lambda p: optim.Adam(p, lr=0.01),
    "adam.decayed": lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    "adam.amsgrad": lambda p: optim.Adam(p, lr=0.01, betas=(0.5, 0.6), amsgrad=True),
    "adamw.plain": lambda p: optim.AdamW(p, lr=0.01),
    "adamw.amsgrad": lambda p: optim.AdamW(p, lr=0.01, betas=(0.5, 0.6), weight_decay=0.1, amsgrad=True),
    "sgd.maximize": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, maximize=True),
    "adam.maximize": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1, maximize=True),
    "adamw.maximize": lambda p: optim.AdamW(p, lr=0.01, maximize=True),
    "rmsprop.plain": lambda p: optim.RMSprop(p),
    "rmsprop.centered": lambda p: optim.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-3, weight_decay=0.1, centered=True),
    "rmsprop.momentum": lambda p: optim.RMSprop(p, momentum=0.8, maximize=True),
    "rmsprop.both": lambda p: optim.RMSprop(p, lr=0.02, alpha=0.7, momentum=0.9, centered=True),
    "adagrad.plain": lambda p: optim.Adagrad(p),
    "adagrad.decayed": lambda p: optim.Adagrad(
        p, lr=0.1, lr_decay=0.2, weight_decay=0.1, initial_accumulator_value=0.3, eps=1e-3, maximize=True
    ),
    "adadelta.plain": lambda p: optim.Adadelta(p),
    "adadelta.decayed": lambda p: optim.Adadelta(p, lr=0.5, rho=0.7, eps=1e-3, weight_decay=0.1, maximize=True),
    "adamax.plain": lambda p: optim.Adamax(p),
    "adamax.decayed": lambda p: optim.Adamax(p, lr=0.01, betas=(0.7, 0.6), eps=1e-2, weight_decay=0.1, maximize=True),
    "nadam.plain": lambda p: optim.NAdam(p),
    "nadam.decayed": lambda p: optim.NAdam(
        p, lr=0.01, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1, momentum_decay=0.3, maximize=True
    ),
    "nadam.decoupled": lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "radam.plain": lambda p: optim.RAdam(p),
    "radam.decayed": lambda p: optim.RAdam(p, lr=0.01, betas=(0.8, 0.9), eps=1e-4, weight_decay=0.1, maximize=True),
    "radam.decoupled": lambda p: optim.RAdam(p, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "rprop.plain": lambda p: optim.Rprop(p),
    "rprop.bounded": lambda p: optim.Rprop(p, lr=0.1, etas=(0.3, 1.5), step_sizes=(0.05, 0.12), maximize=True),
}

SCHEDULES = {
    "step_lr": lambda o: optim.lr_scheduler.StepLR(o, step_size=3, gamma=0.5),
    "exponential_lr": lambda o: optim.lr_scheduler.ExponentialLR(o, gamma=0.9),
    "cosine_annealing_lr": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, T_max=5, eta_min=0.01),
    "multi_step_lr": lambda o: optim.lr_scheduler.MultiStepLR(o, milestones=[7, 2, 7], gamma=0.5),
    "constant_lr": lambda o: optim.lr_scheduler.ConstantLR(o),
    "linear_lr": lambda o: optim.lr_scheduler.LinearLR(o, start_factor=0.1, end_factor=0.9, total_iters=7),
    "polynomial_lr": lambda o: optim.lr_scheduler.PolynomialLR(o, total_iters=8, power=2.0),
    "lambda_lr": lambda o: optim.lr_scheduler.LambdaLR(o, lambda epoch: 1.0 / (1 + epoch)),
    "warm_restarts": lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=4, eta_min=0.02),
    "warm_restarts.growing": lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=2),
    "one_cycle_lr": lambda o: optim.lr_scheduler.OneCycleLR(o, max_lr=0.7, total_steps=EPOCHS),
    "one_cycle_lr.three_phase": lambda o: optim.lr_scheduler.OneCycleLR(
        o, max_lr=0.7, total_steps=EPOCHS, pct_start=0.4, div_factor=10, final_div_factor=100, three_phase=True
    ),
    "sequential_lr": lambda o: optim.lr_scheduler.SequentialLR(
        o, [optim.lr_scheduler.LinearLR(o, 0.1, total_iters=3), optim.lr_scheduler.CosineAnnealingLR(o, T_max=9)], [3]
    ),
}


def draw(name, shape, scale=1.0):
    """Values that depend on `name` alone and that float32 holds exactly."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    values = (generator.standard_normal(shape) * scale).astype(np.float32)
    return torch.from_numpy(values.astype(np.float64))


def gradients(made):
    for step in range(STEPS):
        for name, shape in SHAPES.items():
            if (step, name) not in ABSENT:
                # Steps differ in size, so that running means and maxima move.
                made[f"grad.{step}.{name}"] = draw(f"{step}.{name}", shape, 2.0 if step % 3 == 0 else 0.2).numpy()


def optimizers(made):
    # What PyTorch counts beside the steps (NAdam's `mu_product`) has the default type.
    torch.set_default_dtype(torch.float64)
    for case, make in OPTIMIZERS.items():
        parameters = {name: draw(name, shape).requires_grad_() for name, shape in SHAPES.items()}
        optimizer = make(list(parameters.values()))
        for step in range(STEPS + 1):
            for name, parameter in parameters.items():
                made[f"{case}.{step}.{name}"] = parameter.detach().numpy().copy()
            if step == STEPS:
                break
            for name, parameter in parameters.items():
                gradient = made.get(f"grad.{step}.{name}")
                parameter.grad = None if gradient is None else torch.from_numpy(gradient.copy())
            optimizer.step()
    torch.set_default_dtype(torch.float32)


def schedules(made):
    for case, make in SCHEDULES.items():
        optimizer = optim.SGD([torch.zeros(1)], lr=0.3)
        schedule, rates = make(optimizer), []
        for _ in range(EPOCHS):
            rates.append(schedule.get_last_lr()[0])
            optimizer.step()
            # OneCycleLR refuses to go beyond its last step.
            if len(rates) < EPOCHS:
                schedule.step()
        made[f"{case}.rates"] = np.array(rates)


def plateaus(made):
    figures = [3.0, 2.0, 1.99999, 2.5, 2.1, 2.0, 1.5, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 1.4]
    for case, settings in {
        "plateau.min": dict(patience=2, factor=0.5),
        "plateau.cooldown": dict(patience=1, factor=0.5, cooldown=2, threshold=0.3, threshold_mode="abs"),
        "plateau.max": dict(mode="max", patience=2, factor=0.1, min_lr=0.001),
    }.items():
        optimizer = optim.SGD([torch.zeros(1)], lr=0.3)
        schedule, rates = optim.lr_scheduler.ReduceLROnPlateau(optimizer, **settings), []
        for figure in figures:
            schedule.step(figure)
            rates.append(optimizer.param_groups[0]["lr"])
        made[f"{case}.figures"] = np.array(figures)
        made[f"{case}.rates"] = np.array(rates)


def clipping(made):
    for case, clip in {
        "clip.norm": lambda p: torch.nn.utils.clip_grad_norm_(p, 1.5),
        "clip.value": lambda p: torch.nn.utils.clip_grad_value_(p, 0.5),
    }.items():
        parameters = {name: torch.zeros(shape, dtype=torch.float64, requires_grad=True) for name, shape in SHAPES.items()}
        for name, parameter in parameters.items():
            parameter.grad = draw(f"clip.{name}", parameter.shape)
            made[f"{case}.before.{name}"] = parameter.grad.numpy().copy()
        norm = clip(list(parameters.values()))
        if norm is not None:
            made[f"{case}.total"] = norm.numpy().copy()
        for name, parameter in parameters.items():
            made[f"{case}.after.{name}"] = parameter.grad.numpy().copy()


def compare(made, path):
    """Exits with a message at the first tensor that is not what this PyTorch makes."""
    kept = load_file(path)
    if kept.keys() != made.keys():
        sys.exit(f"{path}: other tensors: {sorted(kept.keys() ^ made.keys())}")
    for name, expected in made.items():
        error = np.max(np.abs(kept[name] - expected) / np.maximum(np.abs(expected), 1.0), initial=0.0)
        if kept[name].shape != expected.shape or not error <= TOLERANCE:
            sys.exit(f"{path}: {name} differs by {error:.1e}, more than {TOLERANCE:.0e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the fixture")
    parser.add_argument("--check", action="store_true", help="compare with the fixture instead of writing it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    made = {}
    for part in [gradients, optimizers, schedules, plateaus, clipping]:
        part(made)
    if arguments.check:
        compare(made, arguments.out)
    else:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        save_file(made, arguments.out, {"torch": torch.__version__, "made_by": "xtask/oracle/optim.py"})
    print(f"optimizers and schedules: {len(made)} tensors")


if __name__ == "__main__":
    main()

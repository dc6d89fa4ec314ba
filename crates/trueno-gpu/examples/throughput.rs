//! Figures of one device: bandwidth, products, small operations, transfers.
//!
//! Prints a row per measurement as `name<TAB>value<TAB>unit`, the names being those of `benches/gpu_peers.py`, which measures
//! PyTorch. Only runs of both on one machine, one after the other, say anything. Names given as arguments limit it to the groups
//! `bandwidth`, `products`, `convolutions`, `norms`, `small` and `transfers`.

use std::time::Instant;

use trueno_core::table::{BinaryOp, ReduceOp, UnaryOp};
use trueno_core::{DType, Result};
use trueno_gpu::matmul::{Epilogue, matmul};
use trueno_gpu::{Buffer, Device, Options, Selector, View, batch_norm, conv, elementwise, pool, reduce::reduce, rows};

/// Least seconds of one measurement, and how many there are; the figure is the best.
const SECONDS: f64 = 0.1;
const ROUNDS: usize = 3;

/// Measurements that are asked for together, by their name.
type Group = (&'static str, fn(&Device) -> Result<()>);

fn main() -> Result<()> {
    let device = Device::open(&Selector::from_env()?, &Options::default())?;
    println!("# {} {:?}", device.info(), device.capabilities());
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let groups: [Group; 6] = [
        ("bandwidth", bandwidth),
        ("products", products),
        ("convolutions", convolutions),
        ("norms", norms),
        ("small", small),
        ("transfers", transfers),
    ];
    for (_, group) in groups.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|w| w == name)) {
        group(&device)?;
    }
    println!("# {:?}", device.stats());
    Ok(())
}

/// Seconds of one call, which only records; the device is waited for at the end.
fn seconds(device: &Device, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut timed = |calls: usize| -> Result<f64> {
        let start = Instant::now();
        (0..calls).try_for_each(|_| work())?;
        device.synchronize()?;
        Ok(start.elapsed().as_secs_f64())
    };
    timed(2)?;
    let mut calls = 1;
    while timed(calls)? < SECONDS {
        calls *= 2;
    }
    let rounds = (0..ROUNDS).map(|_| timed(calls)).collect::<Result<Vec<_>>>()?;
    Ok(rounds.into_iter().fold(f64::INFINITY, f64::min) / calls as f64)
}

/// Numbers from -1 to 1 that repeat late.
fn numbers(device: &Device, len: usize) -> Result<Buffer> {
    let values: Vec<f32> = (0..len).map(|i| ((i * 7919) % 65_521) as f32 / 32_760.5 - 1.0).collect();
    Buffer::from_slice(device, "numbers", &values)
}

fn row(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.2}\t{unit}");
}

fn bandwidth(device: &Device) -> Result<()> {
    let mut len = 64 << 20;
    let mut side = 8192;
    if device.capabilities().binding_bytes < 4 * len as u64 {
        (len, side) = (1 << 20, 512);
    }
    let (a, b) = (numbers(device, len)?, numbers(device, len)?);
    let (x, y) = (View::contiguous("a", &a, &[len])?, View::contiguous("b", &b, &[len])?);
    let time = seconds(device, || elementwise::binary(BinaryOp::Add, &x, &y).map(drop))?;
    row("add", 12.0 * len as f64 / time / 1e9, "GB/s");
    drop((a, b));
    let m = numbers(device, side * side)?;
    let p = numbers(device, side)?;
    let (grid, line) = (View::contiguous("x", &m, &[side, side])?, View::contiguous("w", &p, &[side])?);
    let bytes = 4.0 * (side * side) as f64;
    let moved = |name: &str, amount: f64, work: &mut dyn FnMut() -> Result<()>| -> Result<()> {
        let time = seconds(device, work)?;
        row(name, amount * bytes / time / 1e9, "GB/s");
        Ok(())
    };
    moved("softmax", 2.0, &mut || rows::softmax(&grid, 1).map(drop))?;
    moved("layer_norm", 2.0, &mut || rows::layer_norm(&grid, 1, Some(&line), Some(&line), 1e-5).map(drop))?;
    moved("gelu", 2.0, &mut || elementwise::unary(UnaryOp::Gelu, [0.0; 2], &grid).map(drop))?;
    moved("exp", 2.0, &mut || elementwise::unary(UnaryOp::Exp, [0.0; 2], &grid).map(drop))?;
    moved("sum_rows", 1.0, &mut || reduce(ReduceOp::Sum, &grid, &[1], 0.0).map(drop))?;
    moved("sum_columns", 1.0, &mut || reduce(ReduceOp::Sum, &grid, &[0], 0.0).map(drop))?;
    moved("sum_all", 1.0, &mut || reduce(ReduceOp::Sum, &grid, &[0, 1], 0.0).map(drop))?;
    moved("add_bias", 2.0, &mut || elementwise::binary(BinaryOp::Add, &grid, &line).map(drop))?;
    let turned = View::new("x", &m, &grid.layout().swap_axes("x", 0, 1)?)?;
    moved("transpose", 2.0, &mut || elementwise::contiguous(&turned).map(drop))
}

fn products(device: &Device) -> Result<()> {
    let sides: &[usize] = if device.capabilities().binding_bytes > 1 << 30 { &[1024, 4096, 8192] } else { &[256] };
    for &side in sides {
        let (a, b) = (numbers(device, side * side)?, numbers(device, side * side)?);
        let (x, y) = (View::contiguous("a", &a, &[side, side])?, View::contiguous("b", &b, &[side, side])?);
        let work = 2.0 * (side as f64).powi(3) / 1e12;
        let plain = Epilogue::default();
        let time = seconds(device, || matmul(&x, &y, DType::F32, plain).map(drop))?;
        row(&format!("matmul_f32_{side}"), work / time, "TFLOP/s");
        let (a, b) = (elementwise::cast(&x, DType::F16)?, elementwise::cast(&y, DType::F16)?);
        let (x, y) = (View::contiguous("a", &a, &[side, side])?, View::contiguous("b", &b, &[side, side])?);
        let time = seconds(device, || matmul(&x, &y, DType::F32, plain).map(drop))?;
        row(&format!("matmul_f16_{side}"), work / time, "TFLOP/s");
        let turned = View::new("b", &b, &y.layout().swap_axes("b", 0, 1)?)?;
        let time = seconds(device, || matmul(&x, &turned, DType::F32, plain).map(drop))?;
        row(&format!("matmul_f16_{side}_transposed"), work / time, "TFLOP/s");
    }
    Ok(())
}

/// Images of a batch of ResNet-50 on 32 x 32, by channels in and out, side of the image, of the kernel, and stride.
const LAYERS: [[usize; 5]; 8] = [
    [64, 64, 32, 3, 1],
    [128, 128, 16, 3, 1],
    [256, 256, 8, 3, 1],
    [512, 512, 4, 3, 1],
    [64, 256, 32, 1, 1],
    [1024, 256, 8, 1, 1],
    [512, 2048, 4, 1, 1],
    [128, 128, 32, 3, 2],
];

fn convolutions(device: &Device) -> Result<()> {
    let batch = if device.capabilities().binding_bytes > 1 << 30 { 128 } else { 1 };
    for [channels, outputs, side, kernel, stride] in LAYERS {
        let padding = [kernel / 2; 2];
        let config = conv::Config { stride: [stride; 2], padding, ..conv::Config::default() };
        let made = (side + 2 * padding[0] - kernel) / stride + 1;
        let shapes = [[batch, channels, side, side], [outputs, channels, kernel, kernel], [batch, outputs, made, made]];
        let [x, w, g] = shapes.map(|shape| numbers(device, shape.iter().product()));
        let buffers = [x?, w?, g?];
        let work = 2.0 * (batch * outputs * made * made * channels * kernel * kernel) as f64 / 1e12;
        for dtype in [DType::F32, DType::F16] {
            let cast = |at: usize| elementwise::cast(&View::contiguous("x", &buffers[at], &shapes[at])?, dtype);
            let [x, w, g] = [cast(0)?, cast(1)?, cast(2)?];
            let (vx, vw) = (View::contiguous("x", &x, &shapes[0])?, View::contiguous("w", &w, &shapes[1])?);
            let vg = View::contiguous("g", &g, &shapes[2])?;
            let name = format!("conv_{dtype}_{channels}_{outputs}_{side}_{kernel}x{kernel}_s{stride}");
            let time = seconds(device, || conv::conv2d(&vx, &vw, None, &config).map(drop))?;
            row(&format!("{name}_forward"), work / time, "TFLOP/s");
            let time = seconds(device, || conv::input_grad(&vg, &vw, shapes[0], &config).map(drop))?;
            row(&format!("{name}_input"), work / time, "TFLOP/s");
            let time =
                seconds(device, || conv::weight_grad(&vg, &vx, shapes[1], &config, vg.buffer().dtype()).map(drop))?;
            row(&format!("{name}_weight"), work / time, "TFLOP/s");
        }
    }
    Ok(())
}

fn norms(device: &Device) -> Result<()> {
    let batch = if device.capabilities().binding_bytes > 1 << 30 { 128 } else { 1 };
    let shape = [batch, 256, 32, 32];
    let bytes = 4.0 * shape.iter().product::<usize>() as f64;
    let (x, w) = (numbers(device, shape.iter().product())?, numbers(device, 256)?);
    let (x, w) = (View::contiguous("x", &x, &shape)?, View::contiguous("w", &w, &[256])?);
    let time = seconds(device, || batch_norm::batch_norm(&x, &w, &w, None, 1e-5).map(drop))?;
    row("batch_norm", 3.0 * bytes / time / 1e9, "GB/s");
    let got = batch_norm::batch_norm(&x, &w, &w, None, 1e-5)?;
    let stats = [&got.mean, &got.rstd];
    let time = seconds(device, || batch_norm::batch_norm_grad(&x, &w, stats, &x, true, [true; 3]).map(drop))?;
    row("batch_norm_backward", 5.0 * bytes / time / 1e9, "GB/s");
    let config = pool::Config { kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
    let time = seconds(device, || pool::max_pool2d(&x, &config).map(drop))?;
    row("max_pool2d", 1.5 * bytes / time / 1e9, "GB/s");
    let pooled = pool::max_pool2d(&x, &config)?;
    let g = View::contiguous("g", &pooled.output, &[batch, 256, 16, 16])?;
    let time = seconds(device, || pool::max_pool2d_grad(&g, &pooled.positions, shape, &config).map(drop))?;
    row("max_pool2d_backward", 1.5 * bytes / time / 1e9, "GB/s");
    Ok(())
}

fn small(device: &Device) -> Result<()> {
    let a = numbers(device, 1000)?;
    let x = View::contiguous("a", &a, &[1000])?;
    let time = seconds(device, || elementwise::binary(BinaryOp::Add, &x, &x).map(drop))?;
    row("small_add", time * 1e6, "us per operation");
    let calls = 2000;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..calls {
            elementwise::binary(BinaryOp::Add, &x, &x)?;
        }
        best = best.min(start.elapsed().as_secs_f64());
        device.synchronize()?;
    }
    row("small_add_recording", best / f64::from(calls) * 1e6, "us of the host per operation");
    let start = Instant::now();
    for _ in 0..200 {
        elementwise::binary(BinaryOp::Add, &x, &x)?;
        device.synchronize()?;
    }
    row("add_and_wait", start.elapsed().as_secs_f64() / 200.0 * 1e6, "us");
    Ok(())
}

fn transfers(device: &Device) -> Result<()> {
    let host = vec![1.5_f32; 16 << 20];
    let bytes = 4.0 * host.len() as f64;
    let time = seconds(device, || Buffer::from_slice(device, "upload", &host).map(drop))?;
    row("upload_64MiB", bytes / time / 1e9, "GB/s");
    let buffer = Buffer::from_slice(device, "upload", &host)?;
    let time = seconds(device, || buffer.download::<f32>("download").wait().map(drop))?;
    row("download_64MiB", bytes / time / 1e9, "GB/s");
    let mut again = host;
    let time = seconds(device, || buffer.download::<f32>("download").wait_into(&mut again))?;
    row("download_64MiB_into", bytes / time / 1e9, "GB/s");
    Ok(())
}

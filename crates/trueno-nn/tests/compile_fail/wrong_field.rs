use trueno_nn::tensor::Tensor;
use trueno_nn::{Linear, Module};

#[derive(Module)]
struct Net {
    head: Linear,
    scale: Tensor<f32, 1>,
}

fn main() {}

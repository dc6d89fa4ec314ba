use trueno_tensor::prelude::*;

fn main() {
    let x: Tensor<f32, 6> = Tensor::zeros([1; 6]);
    let _ = x.unsqueeze(0);
}

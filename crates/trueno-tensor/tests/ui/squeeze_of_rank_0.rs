use trueno_tensor::prelude::*;

fn main() {
    let x = Tensor::scalar(1.0_f32);
    let _ = x.squeeze(0);
}

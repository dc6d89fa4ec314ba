use trueno_tensor::prelude::*;

fn main() {
    let a = tensor![1.0_f32, 2.0];
    let b = tensor![1.0_f64, 2.0];
    let _ = a.maximum(&b);
}

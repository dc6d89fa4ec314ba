use trueno_tensor::prelude::*;

fn main() {
    let a = tensor![[1.0, 2.0], [3.0, 4.0]];
    let _ = a.matmul(&Tensor::scalar(2.0));
}

use trueno_tensor::prelude::*;

fn main() {
    let a = tensor![[1.0, 2.0], [3.0, 4.0]];
    let _rows: Tensor<f32, 2> = a.sum_axis(1);
}

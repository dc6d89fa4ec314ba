use trueno_tensor::prelude::*;

fn main() {
    let (matrix, row) = (tensor![[1.0, 2.0]], tensor![1.0, 2.0]);
    let _ = matrix.slice(i![0, 1, 0]);
    let _ = row.slice(i![0, 1:2]);
}

use trueno_tensor::prelude::*;

fn main() {
    let mut row = tensor![1.0, 2.0];
    row += tensor![[1.0, 2.0], [3.0, 4.0]];
}

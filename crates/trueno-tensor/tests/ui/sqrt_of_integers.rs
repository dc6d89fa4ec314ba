use trueno_tensor::prelude::*;

fn main() {
    let _ = tensor![1, 4].sqrt();
}

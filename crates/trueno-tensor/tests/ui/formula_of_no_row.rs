use trueno_tensor::prelude::*;

fn main() {
    let product = fuse!(|a, b| a.matmul(b));
    let slope = fuse!(|x, slope| x.leaky_relu(slope));
    let truth = fuse!(|a, b| a.lt(b));
}

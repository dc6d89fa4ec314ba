use trueno_autograd::prelude::*;
use trueno_tensor::prelude::*;

fn main() {
    let x = tensor![1.0, 2.0].requires_grad();
    (&x * &x).backward();
}

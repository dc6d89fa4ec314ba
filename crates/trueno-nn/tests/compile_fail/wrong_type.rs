use trueno_nn::tensor::Tensor;
use trueno_nn::{Layer, Linear, Mode, Rng};

struct Net {
    head: Linear,
}

fn main() {
    let net = Net { head: Linear::new(8, 2, &mut Rng::seed(0)) };
    net.head.forward(&Tensor::<f64, 2>::zeros([1, 8]), Mode::Eval);
}

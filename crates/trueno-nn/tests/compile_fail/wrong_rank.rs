use trueno_nn::tensor::Tensor;
use trueno_nn::{Conv2d, Layer, Mode, Rng};

fn main() {
    let conv = Conv2d::new(1, 2, 3, &mut Rng::seed(0));
    conv.forward(&Tensor::<f32, 2>::zeros([8, 8]), Mode::Eval);
}

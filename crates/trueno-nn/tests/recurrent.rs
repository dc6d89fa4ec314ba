//! What recurrent layers promise besides PyTorch's numbers: gradients of any order, threads that change no bit, dropout between
//! layers, errors.

use trueno_autograd::{Autograd, GradOptions, GradcheckOptions, gradcheck, gradgradcheck, grads};
use trueno_core::Result;
use trueno_nn::tensor::{DynTensor, Tensor, with_num_threads};
use trueno_nn::*;

fn numbers<const N: usize>(shape: [usize; N], seed: u64) -> Tensor<f64, N> {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

fn deep() -> RecurrentConfig {
    RecurrentConfig { num_layers: 2, bidirectional: true, ..Default::default() }
}

/// Everything that a layer gives, as one row.
fn joined<const K: usize>(parts: [DynTensor; K]) -> Result<DynTensor> {
    let rows = parts.iter().map(|x| x.reshape_to(&[x.size()])).collect::<Result<Vec<_>>>()?;
    DynTensor::concat(&rows.iter().collect::<Vec<_>>(), 0)
}

fn run_lstm(layer: &Lstm<f64>, x: &[DynTensor]) -> Result<DynTensor> {
    let [x, h, c] = [0, 1, 2].map(|i| Tensor::from_dyn(x[i].clone()));
    let (y, (h, c)) = layer.try_forward_from(&x?, &(h?, c?), Mode::Train)?;
    joined([y.into_dyn(), h.into_dyn(), c.into_dyn()])
}

fn run_gru(layer: &Gru<f64>, x: &[DynTensor]) -> Result<DynTensor> {
    let (y, h) =
        layer.try_forward_from(&Tensor::from_dyn(x[0].clone())?, &Tensor::from_dyn(x[1].clone())?, Mode::Train)?;
    joined([y.into_dyn(), h.into_dyn()])
}

fn layers() -> (Lstm<f64>, Gru<f64>, [DynTensor; 3]) {
    let lstm = Lstm::with_projection(2, 3, 2, deep(), &mut Rng::seed(1));
    let gru = Gru::with_config(2, 2, deep(), &mut Rng::seed(2));
    let leaf = |x: Tensor<f64, 3>| x.requires_grad().into_dyn();
    (lstm, gru, [leaf(numbers([3, 2, 2], 3)), leaf(numbers([4, 2, 2], 4)), leaf(numbers([4, 2, 3], 5))])
}

#[test]
fn gradients_agree_with_differences_to_the_second_order() {
    let (lstm, gru, inputs) = layers();
    let options = GradcheckOptions::default();
    gradcheck(|x: &[DynTensor]| run_lstm(&lstm, x), &inputs, options).unwrap();
    gradgradcheck(|x: &[DynTensor]| run_lstm(&lstm, x), &inputs, options).unwrap();
    gradcheck(|x: &[DynTensor]| run_gru(&gru, x), &inputs[..2], options).unwrap();
    gradgradcheck(|x: &[DynTensor]| run_gru(&gru, x), &inputs[..2], options).unwrap();
}

/// The gradients by everything of a result in which the first state depends on the input, so that it is no leaf.
fn all_gradients(
    module: &impl Module,
    run: &dyn Fn(&[DynTensor]) -> Result<DynTensor>,
    inputs: &[DynTensor],
    create_graph: bool,
) -> Vec<Vec<f64>> {
    let own: Vec<DynTensor> = module.parameters().into_iter().chain(inputs.iter().cloned()).collect();
    let y = run(inputs).unwrap();
    let seed = numbers([y.size()], 9).into_dyn();
    let options = GradOptions { retain_graph: true, create_graph, allow_unused: false };
    let found = grads(&[&y], &own.iter().collect::<Vec<_>>(), &[&seed], options).unwrap();
    found.iter().map(|g| g.to_vec::<f64>().unwrap()).collect()
}

#[test]
fn the_one_operation_has_the_gradients_of_its_steps() {
    let (lstm, gru, inputs) = layers();
    let tied = |x: &[DynTensor]| -> Result<Vec<DynTensor>> {
        let h = x[1].reshape_to(&[2, 2, 2, 2])?.narrow(0, 0, 1)?.squeeze(0)?;
        let h = DynTensor::concat(&[&h, &x[0].narrow(0, 0, 2)?], 0)?;
        Ok([&[x[0].clone(), h], &x[2..]].concat())
    };
    let of_lstm = |x: &[DynTensor]| run_lstm(&lstm, &tied(x)?);
    let of_gru = |x: &[DynTensor]| run_gru(&gru, &tied(x)?);
    for create_graph in [false, true] {
        let pairs = [
            (all_gradients(&lstm, &of_lstm, &inputs, false), all_gradients(&lstm, &of_lstm, &inputs, create_graph)),
            (
                all_gradients(&gru, &of_gru, &inputs[..2], false),
                all_gradients(&gru, &of_gru, &inputs[..2], create_graph),
            ),
        ];
        for (one, steps) in pairs.iter().flat_map(|(one, steps)| one.iter().zip(steps)) {
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
            assert!(one.iter().zip(steps).all(close), "{one:?} {steps:?}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let layer: Lstm = Lstm::with_config(40, 70, deep(), &mut Rng::seed(1));
    let x = Tensor::<f32, 3>::randn([9, 33, 40], &mut Rng::seed(2)).requires_grad();
    let run = |threads| {
        with_num_threads(threads, || {
            layer.zero_grad();
            let (y, (_, c)) = layer.forward(&x, Mode::Train);
            y.backward_with(&y.ones_like());
            let grads =
                layer.parameters().iter().map(|p| p.grad().unwrap().to_vec::<f32>().unwrap()).collect::<Vec<_>>();
            (y.to_vec(), c.to_vec(), grads)
        })
    };
    let one = run(1);
    assert!([2, 7].into_iter().all(|threads| run(threads) == one));
}

#[test]
fn layers_drop_what_they_give_the_next_one_and_only_in_training() {
    let x = Tensor::<f32, 3>::ones([4, 2, 3]);
    let output = |dropout, num_layers, mode| {
        let config = RecurrentConfig { num_layers, dropout, ..Default::default() };
        let layer: Gru = Gru::with_config(3, 5, config, &mut Rng::seed(1));
        layer.forward(&x, mode).0
    };
    assert_eq!(output(0.5, 2, Mode::Eval), output(0.0, 2, Mode::Train));
    assert_ne!(output(0.5, 2, Mode::Train), output(0.0, 2, Mode::Train));
    assert_eq!(output(0.5, 1, Mode::Train), output(0.0, 1, Mode::Train), "nothing is dropped after the last layer");
}

#[test]
fn misfits_name_the_layer_the_shape_and_what_is_wanted() {
    let layer: Lstm = Lstm::new(3, 4, &mut Rng::seed(1));
    let message = |x: [usize; 3], h: [usize; 3], c: [usize; 3]| {
        let state = (Tensor::zeros(h), Tensor::zeros(c));
        layer.try_forward_from(&Tensor::zeros(x), &state, Mode::Eval).unwrap_err().to_string()
    };
    let good = [1, 2, 4];
    assert_eq!(
        message([5, 2, 2], good, good),
        "lstm: shape [5, 2, 2] must have 3 as its last size, the inputs of the layer"
    );
    assert!(message([0, 2, 3], good, good).contains("has no steps"));
    let error = message([5, 2, 3], good, [1, 3, 4]);
    assert!(error.contains("[1, 3, 4]") && error.contains("cell state must have shape [1, 2, 4]"), "{error}");
    assert!(message([5, 2, 3], [2, 2, 4], good).contains("hidden state"));
    let cell: GruCell = GruCell::new(3, 4, &mut Rng::seed(1));
    let error = cell.try_forward_from(&Tensor::zeros([2, 3]), &Tensor::zeros([2, 3])).unwrap_err().to_string();
    assert!(error.contains("gru_cell") && error.contains("[2, 4]"), "{error}");
}

#[test]
fn half_precision_is_taken() {
    let layer: Gru<trueno_core::bf16> = Gru::new(3, 4, &mut Rng::seed(1));
    let wide: Gru = {
        let mut wide = Gru::new(3, 4, &mut Rng::seed(1));
        wide.load_state_dict(&layer.state_dict(), true).unwrap();
        wide
    };
    let x = Tensor::<f32, 3>::ones([5, 2, 3]);
    let want = wide.forward(&x, Mode::Eval).0.to_vec();
    let got = layer.forward(&Tensor::ones([5, 2, 3]), Mode::Eval).0.to_vec();
    assert!(got.iter().zip(want).all(|(got, want)| (got.to_f32() - want).abs() < 0.03));
}

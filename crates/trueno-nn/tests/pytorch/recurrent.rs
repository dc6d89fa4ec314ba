//! Recurrent layers and their cells.
//!
//! The fixture's input is the sequence and the states before it in one row, its output the sequence and the states after it, so that
//! the gradients by the states are compared too.

use crate::case::{Case, in_both_types};
use trueno_core::{Float, Result};
use trueno_nn::tensor::{DynTensor, Tensor};
use trueno_nn::*;

in_both_types!(rnn, lstm, gru, cells);

/// A layer as the fixture sees it.
struct Joined<L, T: Float> {
    layer: L,
    shapes: Vec<Vec<usize>>,
    run: fn(&L, &[DynTensor]) -> Result<Vec<DynTensor>>,
    float: std::marker::PhantomData<T>,
}

impl<L: Module, T: Float> Module for Joined<L, T> {
    fn visit(&self, visitor: &mut dyn Visitor) {
        self.layer.visit(visitor);
    }

    fn visit_mut(&mut self, visitor: &mut dyn VisitorMut) {
        self.layer.visit_mut(visitor);
    }
}

impl<L: Module, T: Float> Layer<Tensor<T, 1>> for Joined<L, T> {
    type Output = Tensor<T, 1>;

    fn try_forward(&self, input: &Tensor<T, 1>, _: Mode) -> Result<Tensor<T, 1>> {
        let sizes: Vec<usize> = self.shapes.iter().map(|shape| shape.iter().product()).collect();
        let parts = input.as_dyn().split(&sizes, 0)?;
        let parts = parts.iter().zip(&self.shapes).map(|(part, shape)| part.reshape_to(shape));
        let results = (self.run)(&self.layer, &parts.collect::<Result<Vec<_>>>()?)?;
        let rows = results.iter().map(|x| x.reshape_to(&[x.size()])).collect::<Result<Vec<_>>>()?;
        Tensor::from_dyn(DynTensor::concat(&rows.iter().collect::<Vec<_>>(), 0)?)
    }
}

fn check<T: Float, L: Module>(
    name: &str,
    shapes: &[&[usize]],
    layer: L,
    run: fn(&L, &[DynTensor]) -> Result<Vec<DynTensor>>,
) {
    let shapes = shapes.iter().map(|shape| shape.to_vec()).collect();
    Case::<T>::new(name).check::<_, 1, 1>(Joined { layer, shapes, run, float: std::marker::PhantomData::<T> });
}

/// Runs a layer whose state is one tensor, from the given one if there is one.
macro_rules! of_one_state {
    () => {
        |layer, parts| {
            let x = Tensor::from_dyn(parts[0].clone())?;
            let (y, h) = match parts.get(1) {
                Some(h) => layer.try_forward_from(&x, &Tensor::from_dyn(h.clone())?, Mode::Train)?,
                None => layer.try_forward(&x, Mode::Train)?,
            };
            Ok(vec![y.into_dyn(), h.into_dyn()])
        }
    };
}

fn rng() -> Rng {
    Rng::seed(1)
}

fn deep() -> RecurrentConfig {
    RecurrentConfig { num_layers: 2, bidirectional: true, batch_first: true, ..Default::default() }
}

fn rnn<T: Float>() {
    check::<T, Rnn<T>>("rnn", &[&[5, 2, 3]], Rnn::new(3, 4, &mut rng()), of_one_state!());
    let layer = Rnn::with_config(3, 4, RnnActivation::Relu, deep(), &mut rng());
    check::<T, Rnn<T>>("rnn.relu", &[&[2, 5, 3], &[4, 2, 4]], layer, of_one_state!());
}

fn gru<T: Float>() {
    check::<T, Gru<T>>("gru", &[&[5, 2, 3]], Gru::new(3, 4, &mut rng()), of_one_state!());
    let layer = Gru::with_config(3, 4, deep(), &mut rng());
    check::<T, Gru<T>>("gru.deep", &[&[2, 5, 3], &[4, 2, 4]], layer, of_one_state!());
    let plain = RecurrentConfig { bias: false, ..Default::default() };
    let layer = Gru::with_config(3, 4, plain, &mut rng());
    check::<T, Gru<T>>("gru.no_bias", &[&[1, 2, 3], &[1, 2, 4]], layer, of_one_state!());
}

fn lstm<T: Float>() {
    fn run<T: Float>(layer: &Lstm<T>, parts: &[DynTensor]) -> Result<Vec<DynTensor>> {
        let x = Tensor::from_dyn(parts[0].clone())?;
        let (y, (h, c)) = match parts {
            [_, h, c] => {
                let state = (Tensor::from_dyn(h.clone())?, Tensor::from_dyn(c.clone())?);
                layer.try_forward_from(&x, &state, Mode::Train)?
            }
            _ => layer.try_forward(&x, Mode::Train)?,
        };
        Ok(vec![y.into_dyn(), h.into_dyn(), c.into_dyn()])
    }
    check::<T, _>("lstm", &[&[5, 2, 3]], Lstm::<T>::new(3, 4, &mut rng()), run::<T>);
    let layer = Lstm::with_config(3, 4, deep(), &mut rng());
    check::<T, _>("lstm.deep", &[&[2, 5, 3], &[4, 2, 4], &[4, 2, 4]], layer, run::<T>);
    let plain = RecurrentConfig { bias: false, ..Default::default() };
    let layer = Lstm::with_config(3, 17, plain, &mut rng());
    check::<T, _>("lstm.no_bias", &[&[3, 1, 3], &[1, 1, 17], &[1, 1, 17]], layer, run::<T>);
    let layer = Lstm::with_projection(3, 4, 2, RecurrentConfig { batch_first: false, ..deep() }, &mut rng());
    check::<T, _>("lstm.projected", &[&[5, 2, 3], &[4, 2, 2], &[4, 2, 4]], layer, run::<T>);
}

fn cells<T: Float>() {
    macro_rules! of_one_state {
        () => {
            |cell, parts| {
                let x = Tensor::from_dyn(parts[0].clone())?;
                let h = match parts.get(1) {
                    Some(h) => cell.try_forward_from(&x, &Tensor::from_dyn(h.clone())?)?,
                    None => cell.try_forward(&x, Mode::Train)?,
                };
                Ok(vec![h.into_dyn()])
            }
        };
    }
    check::<T, RnnCell<T>>("rnn_cell", &[&[2, 3]], RnnCell::new(3, 4, &mut rng()), of_one_state!());
    let cell = RnnCell::without_bias(3, 4, &mut rng()).with_activation(RnnActivation::Relu);
    check::<T, RnnCell<T>>("rnn_cell.relu", &[&[2, 3], &[2, 4]], cell, of_one_state!());
    check::<T, GruCell<T>>("gru_cell", &[&[2, 3], &[2, 4]], GruCell::new(3, 4, &mut rng()), of_one_state!());
    let cell = LstmCell::<T>::new(3, 4, &mut rng());
    check::<T, _>("lstm_cell", &[&[2, 3], &[2, 4], &[2, 4]], cell, |cell, parts| {
        let [x, h, c] = [0, 1, 2].map(|i| Tensor::from_dyn(parts[i].clone()));
        let (h, c) = cell.try_forward_from(&x?, &(h?, c?))?;
        Ok(vec![h.into_dyn(), c.into_dyn()])
    });
}

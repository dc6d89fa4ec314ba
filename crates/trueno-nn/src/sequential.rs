//! Layers one after another.

use crate::{Layer, Mode, Module, Visitor, VisitorMut};
use trueno_core::Result;

/// Layers of which each takes what the one before gives; made by [`sequential!`](crate::sequential). Parameters are
/// named by position, as in PyTorch: `0.weight`, `0.bias`, `2.weight`, ...
///
/// ```
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Layer, Linear, Mode, Module, Relu, Rng, sequential};
///
/// let mut rng = Rng::seed(0);
/// let net = sequential![Linear::new(4, 8, &mut rng), Relu, Linear::new(8, 2, &mut rng)];
/// let y: Tensor<f32, 2> = net.forward(&Tensor::zeros([10, 4]), Mode::Eval);
/// assert_eq!(y.shape(), [10, 2]);
/// let names: Vec<_> = net.named_parameters().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// ```
///
/// Layers whose ranks do not fit together do not compile:
///
/// ```compile_fail
/// use trueno_nn::tensor::Tensor;
/// use trueno_nn::{Flatten, Layer, MaxPool2d, Mode, sequential};
/// let net = sequential![Flatten, MaxPool2d::new(2)];
/// let y = net.forward(&Tensor::<f32, 4>::zeros([1, 1, 4, 4]), Mode::Eval);
/// ```
#[derive(Clone, Debug, Default, Module)]
pub struct Sequential<Layers>(pub Layers);

/// [`Sequential`] of the given layers, 16 at the most; nest them for more.
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),+ $(,)?) => { $crate::Sequential(($($layer,)+)) };
}

/// Implements [`Layer`] for a [`Sequential`] of one length.
macro_rules! chains {
    ($first:ident $first_output:ident $first_index:tt $(, $layer:ident $output:ident $index:tt)*) => {
        chains!(@link [$first_output] [
            $first: Layer<Input, Output = $first_output>,
        ] [$first $first_output $first_index $(, $layer $output $index)*] $($layer $output)*);
    };
    // Each step ties one layer's input to the output before it.
    (@link [$before:ident] [$($bounds:tt)*] $all:tt $layer:ident $output:ident $($rest:tt)*) => {
        chains!(@link [$output] [
            $($bounds)* $layer: Layer<$before, Output = $output>,
        ] $all $($rest)*);
    };
    (@link [$last:ident] [$($bounds:tt)*]
        [$first:ident $first_output:ident $first_index:tt $(, $layer:ident $output:ident $index:tt)*]
    ) => {
        impl<Input, $first, $first_output $(, $layer, $output)*> Layer<Input> for Sequential<($first, $($layer,)*)>
        where
            $($bounds)*
        {
            type Output = $last;

            fn try_forward(&self, input: &Input, mode: Mode) -> Result<$last> {
                let value = self.0.$first_index.try_forward(input, mode)?;
                $(let value = self.0.$index.try_forward(&value, mode)?;)*
                Ok(value)
            }
        }
    };
}

crate::for_each_tuple!(chains);

/// A function as a layer without parameters.
///
/// ```
/// use trueno_nn::tensor::{Tensor, tensor};
/// use trueno_nn::{Lambda, Layer, Mode, Relu, sequential};
/// let net = sequential![Relu, Lambda(|x: &Tensor<f32, 1>| x * 2.0)];
/// assert_eq!(net.forward(&tensor![-1.0, 3.0], Mode::Eval), tensor![0.0, 6.0]);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lambda<F>(pub F);

impl<F> Module for Lambda<F> {
    fn visit(&self, _: &mut dyn Visitor) {}
    fn visit_mut(&mut self, _: &mut dyn VisitorMut) {}
}

impl<Input, Output, F: Fn(&Input) -> Output> Layer<Input> for Lambda<F> {
    type Output = Output;

    fn try_forward(&self, input: &Input, _: Mode) -> Result<Output> {
        Ok((self.0)(input))
    }
}

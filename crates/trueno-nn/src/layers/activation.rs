//! Activations: rows of the table as layers.

use crate::{Layer, Mode, Module};
use trueno_core::table::UnaryOp;
use trueno_core::{Float, Result};
use trueno_tensor::Tensor;

/// Defines a layer per row of the unary table; parameters start from the row's defaults.
macro_rules! activations {
    ($($(#[doc = $doc:literal])+ $name:ident $({ $($(#[doc = $param_doc:literal])+ $param:ident),+ })?;)+) => {$(
        activations!(@layer [$($doc)+] $name $({ $([$($param_doc)+] $param),+ })?);
    )+};
    (@layer [$($doc:literal)+] $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default, Module)]
        pub struct $name;
        activations!(@forward $name, |_layer| []);
    };
    (@layer [$($doc:literal)+] $name:ident { $([$($param_doc:literal)+] $param:ident),+ }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Module)]
        pub struct $name {
            $($(#[doc = $param_doc])+ pub $param: f64,)+
        }

        /// The parameters of the operation table, which are PyTorch's.
        impl Default for $name {
            fn default() -> $name {
                let [$($param,)+ ..] = UnaryOp::$name.default_parameters();
                $name { $($param),+ }
            }
        }
        activations!(@forward $name, |layer| [$(layer.$param),+]);
    };
    (@forward $name:ident, |$layer:ident| [$($param:expr),*]) => {
        impl<T: Float, const N: usize> Layer<Tensor<T, N>> for $name {
            type Output = Tensor<T, N>;

            fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
                let $layer = self;
                let mut parameters = [0.0; 2];
                for (slot, value) in parameters.iter_mut().zip([$($param),*] as [f64; _]) {
                    *slot = value;
                }
                Tensor::from_dyn(input.as_dyn().unary(UnaryOp::$name, parameters)?)
            }
        }
    };
}

activations! {
    /// `max(x, 0)`.
    ///
    /// ```
    /// use trueno_nn::tensor::tensor;
    /// use trueno_nn::{Layer, Mode, Relu};
    /// assert_eq!(Relu.forward(&tensor![-1.0, 2.0], Mode::Eval), tensor![0.0, 2.0]);
    /// ```
    Relu;
    /// `x` where positive, `negative_slope * x` elsewhere.
    LeakyRelu {
        /// The slope below 0; 0.01 by default.
        negative_slope
    };
    /// `x` where positive, `alpha * (e^x - 1)` elsewhere (Clevert et al., 2015).
    Elu {
        /// Minus the limit far below 0; 1 by default.
        alpha
    };
    /// Scaled ELU (Klambauer et al., 2017).
    Selu;
    /// Gaussian error linear unit, `x * Phi(x)` (Hendrycks and Gimpel, 2016).
    Gelu;
    /// GELU by its tanh approximation.
    GeluTanh;
    /// Sigmoid linear unit, `x * sigmoid(x)`; also called swish.
    Silu;
    /// `ln(1 + e^(beta x)) / beta`, and `x` itself where `beta x > threshold`.
    Softplus {
        /// The sharpness of the bend; 1 by default.
        beta,
        /// Where it is straight; 20 by default.
        threshold
    };
    /// `x * tanh(softplus(x))` (Misra, 2019).
    Mish;
    /// `x * clamp(x + 3, 0, 6) / 6`.
    Hardswish;
    /// `clamp(x + 3, 0, 6) / 6`.
    Hardsigmoid;
    /// Logistic function, `1 / (1 + e^-x)`.
    Sigmoid;
    /// Hyperbolic tangent.
    Tanh;
    /// Logarithm of the logistic function, without its underflow.
    LogSigmoid;
    /// `x / (1 + |x|)`.
    Softsign;
}

/// `x` between two bounds, and the bounds beyond.
///
/// ```
/// use trueno_nn::tensor::tensor;
/// use trueno_nn::{Hardtanh, Layer, Mode};
/// assert_eq!(Hardtanh::RELU6.forward(&tensor![-1.0, 3.0, 7.0], Mode::Eval), tensor![0.0, 3.0, 6.0]);
/// ```
#[derive(Clone, Copy, Debug, Module)]
pub struct Hardtanh {
    /// The lower bound; -1 by default.
    pub min: f64,
    /// The upper bound; 1 by default.
    pub max: f64,
}

impl Hardtanh {
    /// `min(max(x, 0), 6)`: PyTorch's `ReLU6`.
    pub const RELU6: Hardtanh = Hardtanh { min: 0.0, max: 6.0 };
}

/// PyTorch's: -1 and 1.
impl Default for Hardtanh {
    fn default() -> Hardtanh {
        Hardtanh { min: -1.0, max: 1.0 }
    }
}

impl<T: Float, const N: usize> Layer<Tensor<T, N>> for Hardtanh {
    type Output = Tensor<T, N>;

    fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
        Tensor::from_dyn(input.as_dyn().unary(UnaryOp::Clamp, [self.min, self.max])?)
    }
}

/// The input as it is.
#[derive(Clone, Copy, Debug, Default, Module)]
pub struct Identity;

impl<Input: Clone> Layer<Input> for Identity {
    type Output = Input;

    fn try_forward(&self, input: &Input, _: Mode) -> Result<Input> {
        Ok(input.clone())
    }
}

/// Defines the layers that normalise along an axis.
macro_rules! along_an_axis {
    ($($(#[doc = $doc:literal])+ $name:ident $method:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Module)]
        pub struct $name {
            /// The axis; negative ones count from the end.
            #[module(skip)]
            pub axis: isize,
        }

        impl<T: Float, const N: usize> Layer<Tensor<T, N>> for $name {
            type Output = Tensor<T, N>;

            fn try_forward(&self, input: &Tensor<T, N>, _: Mode) -> Result<Tensor<T, N>> {
                input.$method(self.axis)
            }
        }
    )+};
}

along_an_axis! {
    /// Exponentials divided by their sum along an axis.
    Softmax try_softmax;
    /// Logarithm of [`Softmax`], without its underflow.
    LogSoftmax try_log_softmax;
}

//! What happens to the elements of a product on their way to memory, while they are still in registers.

use core::ops::Range;

use super::unit::{Finish, Unit};

/// A vector that is added to every row or every column of a product.
#[derive(Clone, Copy, Debug, Default)]
pub enum Bias<'a, T> {
    /// Nothing is added.
    #[default]
    None,
    /// `bias[i]` is added to all of row `i`: the bias of a convolution.
    PerRow(&'a [T]),
    /// `bias[j]` is added to all of column `j`: the bias of a linear layer.
    PerColumn(&'a [T]),
}

/// A function applied to every element of a product, after the bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// The element itself.
    #[default]
    Identity,
    /// `max(0, x)`, NaN for NaN.
    Relu,
}

/// The whole of what is fused into a product: the old value first, then the bias, then the activation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a, T> {
    /// Whether the product is added to what is there, or takes its place.
    pub accumulate: bool,
    /// What is added.
    pub bias: Bias<'a, T>,
    /// What is applied to the sum.
    pub activation: Activation,
}

impl<'a, T> Epilogue<'a, T> {
    /// `C = A B`.
    pub const STORE: Epilogue<'a, T> =
        Epilogue { accumulate: false, bias: Bias::None, activation: Activation::Identity };
    /// `C += A B`.
    pub const ADD: Epilogue<'a, T> = Epilogue { accumulate: true, ..Epilogue::STORE };
}

impl<T: Unit> Finish for Epilogue<'_, T> {
    #[inline]
    fn accumulates(&self) -> bool {
        self.accumulate
    }

    #[inline]
    fn is_identity(&self) -> bool {
        matches!((&self.bias, self.activation), (Bias::None, Activation::Identity))
    }

    fn block(&self, rows: Range<usize>, cols: Range<usize>) -> Self {
        let bias = match self.bias {
            Bias::None => Bias::None,
            Bias::PerRow(bias) => Bias::PerRow(&bias[rows]),
            Bias::PerColumn(bias) => Bias::PerColumn(&bias[cols]),
        };
        Epilogue { bias, ..*self }
    }

    fn check(&self, rows: usize, cols: usize) {
        match self.bias {
            Bias::None => {}
            Bias::PerRow(bias) => assert_eq!(bias.len(), rows, "one bias per row"),
            Bias::PerColumn(bias) => assert_eq!(bias.len(), cols, "one bias per column"),
        }
    }
}

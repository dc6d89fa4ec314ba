//! Two-dimensional convolution: its geometry, what its operands must be, and the shape of its result.

use alloc::format;
use alloc::string::String;

use crate::{Error, Result};

/// Geometry of a two-dimensional convolution, per axis (height, width).
///
/// ```
/// use trueno_core::Conv2dConfig;
///
/// let halving = Conv2dConfig { stride: [2, 2], padding: [1, 1], ..Conv2dConfig::default() };
/// assert_eq!(halving.output("example", &[8, 3, 32, 32], &[16, 3, 3, 3])?, [8, 16, 16, 16]);
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Zeros added on both sides.
    pub padding: [usize; 2],
    /// Distance between the elements of a window.
    pub dilation: [usize; 2],
    /// Channels are split into this many groups that do not mix.
    pub groups: usize,
}

impl Default for Conv2dConfig {
    fn default() -> Self {
        Conv2dConfig { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2dConfig {
    /// The shape `[N, O, H', W']` of what the operation `op` makes of images `[N, C, H, W]` and a weight `[O, C / groups, KH, KW]`
    /// (PyTorch's `conv2d`).
    ///
    /// # Errors
    /// If the operands have other ranks, their channels do not fit together or into groups, a kernel has no elements or does not fit into
    /// the padded image, or a distance or the number of groups is 0.
    pub fn output(&self, op: &'static str, input: &[usize], weight: &[usize]) -> Result<[usize; 4]> {
        let refuse =
            |reason: String| Err(Error::ShapePair { op, lhs: input.into(), rhs: weight.into(), reason: reason.into() });
        let (&[batch, channels, height, width], &[outputs, inner, rows, cols]) = (input, weight) else {
            return refuse("images [N, C, H, W] and a weight [O, C / groups, KH, KW] are needed".into());
        };
        let Conv2dConfig { stride, padding, dilation, groups } = *self;
        if stride.contains(&0) || dilation.contains(&0) || groups == 0 {
            let reason = format!("stride {stride:?}, dilation {dilation:?} and groups {groups} must be at least 1");
            return Err(Error::Argument { op, reason: reason.into() });
        }
        if inner.checked_mul(groups) != Some(channels) {
            return refuse(format!("{channels} channels are not {groups} group(s) of {inner}"));
        }
        if !outputs.is_multiple_of(groups) {
            return refuse(format!("{outputs} output channels do not divide into {groups} groups"));
        }
        let mut output = [batch, outputs, 0, 0];
        for (axis, (size, kernel)) in [(height, rows), (width, cols)].into_iter().enumerate() {
            let name = ["height", "width"][axis];
            if kernel == 0 {
                return refuse(format!("the kernel has {name} 0"));
            }
            let reach = (kernel - 1).checked_mul(dilation[axis]).and_then(|reach| reach.checked_add(1));
            let padded = padding[axis].checked_mul(2).and_then(|border| border.checked_add(size));
            let room = reach.zip(padded).and_then(|(reach, padded)| padded.checked_sub(reach));
            let Some(room) = room else {
                return refuse(format!(
                    "{name} {size} with padding {} is less than the kernel's {kernel} with dilation {}",
                    padding[axis], dilation[axis]
                ));
            };
            output[2 + axis] = room / stride[axis] + 1;
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    const PLAIN: Conv2dConfig = Conv2dConfig { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 };

    #[test]
    fn results_have_the_sizes_that_pytorch_gives() {
        let strided = Conv2dConfig { stride: [2, 3], padding: [3, 0], dilation: [1, 2], groups: 2 };
        assert_eq!(strided.output("test", &[5, 4, 10, 11], &[6, 2, 3, 4]).unwrap(), [5, 6, 7, 2]);
        assert_eq!(PLAIN.output("test", &[0, 1, 3, 3], &[2, 1, 3, 3]).unwrap(), [0, 2, 1, 1]);
    }

    #[test]
    fn operands_that_do_not_fit_are_errors_that_say_why() {
        let why = |config: Conv2dConfig, input: &[usize], weight: &[usize]| {
            config.output("test", input, weight).unwrap_err().to_string()
        };
        let (image, weight) = ([1, 4, 5, 5], [6, 4, 3, 3]);
        for (text, reason) in [
            (why(PLAIN, &image[1..], &weight), "images [N, C, H, W]"),
            (why(Conv2dConfig { stride: [0, 1], ..PLAIN }, &image, &weight), "must be at least 1"),
            (why(Conv2dConfig { groups: 3, ..PLAIN }, &image, &weight), "4 channels are not 3 group(s) of 4"),
            (
                why(Conv2dConfig { groups: 4, ..PLAIN }, &image, &[6, 1, 3, 3]),
                "6 output channels do not divide into 4 groups",
            ),
            (why(PLAIN, &image, &[6, 4, 3, 0]), "the kernel has width 0"),
            (why(Conv2dConfig { dilation: [3, 1], ..PLAIN }, &image, &weight), "height 5 with padding 0 is less than"),
            (why(Conv2dConfig { padding: [usize::MAX, 0], ..PLAIN }, &image, &weight), "height 5 with padding"),
        ] {
            assert!(text.contains(reason), "{text}");
        }
    }
}

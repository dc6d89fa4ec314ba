//! What a convolution's operands must be, and what its result is.

use crate::{Conv2dConfig, ConvTranspose2dConfig};
use trueno_core::{Error, Result};
use trueno_kernels::conv::Conv2dShape;

/// A convolution whose operands were found to fit.
#[derive(Clone, Copy)]
pub(in crate::exec) struct Geometry {
    pub config: Conv2dConfig,
    pub input: [usize; 4],
    pub weight: [usize; 4],
    pub output: [usize; 4],
}

impl Geometry {
    pub fn new(op: &'static str, config: &Conv2dConfig, input: &[usize], weight: &[usize]) -> Result<Geometry> {
        let output = config.output(op, input, weight)?;
        // As many sizes as the result has.
        let [input, weight] = [input, weight].map(|sizes| std::array::from_fn(|axis| sizes[axis]));
        Ok(Geometry { config: *config, input, weight, output })
    }

    pub fn shape(&self) -> Conv2dShape {
        let ([batch, in_channels, height, width], [out_channels, _, rows, cols]) = (self.input, self.weight);
        let Conv2dConfig { stride, padding, dilation, groups } = self.config;
        let kernel = [rows, cols];
        Conv2dShape { batch, in_channels, height, width, out_channels, kernel, stride, padding, dilation, groups }
    }
}

/// The shape of a transposed convolution's result: the images that a convolution with this weight gives `input` of.
pub(in crate::exec) fn transposed(
    op: &'static str,
    config: &ConvTranspose2dConfig,
    input: &[usize],
    weight: &[usize],
) -> Result<[usize; 4]> {
    let refuse =
        |reason: String| Err(Error::ShapePair { op, lhs: input.into(), rhs: weight.into(), reason: reason.into() });
    let (&[batch, channels, height, width], &[ins, outs, rows, cols]) = (input, weight) else {
        return refuse("images [N, C, H, W] and a weight [C, O / groups, KH, KW] are needed".into());
    };
    let ConvTranspose2dConfig { stride, padding, output_padding, dilation, groups } = *config;
    if stride.contains(&0) || dilation.contains(&0) || groups == 0 {
        let reason = format!("stride {stride:?}, dilation {dilation:?} and groups {groups} must be at least 1");
        return Err(Error::Argument { op, reason: reason.into() });
    }
    if ins != channels {
        return refuse(format!("{channels} channels are not the weight's {ins}"));
    }
    let Some(out_channels) = outs.checked_mul(groups) else {
        return refuse(format!("{groups} groups of {outs} channels are too many"));
    };
    let mut output = [batch, out_channels, 0, 0];
    for (axis, (size, kernel)) in [(height, rows), (width, cols)].into_iter().enumerate() {
        let name = ["height", "width"][axis];
        if output_padding[axis] >= stride[axis] {
            let reason = format!("output padding {output_padding:?} must be less than stride {stride:?}");
            return Err(Error::Argument { op, reason: reason.into() });
        }
        if size == 0 || kernel == 0 {
            return refuse(format!("image and kernel must have a {name}"));
        }
        let reach = (kernel - 1).checked_mul(dilation[axis]);
        let spread = (size - 1).checked_mul(stride[axis]);
        let whole = reach
            .zip(spread)
            .and_then(|(reach, spread)| reach.checked_add(spread)?.checked_add(output_padding[axis] + 1));
        let border = padding[axis].checked_mul(2);
        let left = whole.zip(border).and_then(|(whole, border)| whole.checked_sub(border)).filter(|&left| left > 0);
        let Some(left) = left else {
            return refuse(format!("padding {} leaves nothing of the {name}", padding[axis]));
        };
        output[2 + axis] = left;
    }
    Ok(output)
}

//! What a convolution's operands must be, what its result is, and which elements a window has.

pub use trueno_core::Conv2dConfig as Config;
use trueno_core::{Error, Result};

/// A convolution whose operands were found to fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub config: Config,
    pub input: [usize; 4],
    pub weight: [usize; 4],
    pub output: [usize; 4],
}

/// Sizes and distances of the padded image that shaders can count to, with room for a window on either side.
const LARGEST: usize = 1 << 30;

impl Geometry {
    pub fn new(op: &'static str, config: &Config, input: &[usize], weight: &[usize]) -> Result<Self> {
        let output = config.output(op, input, weight)?;
        // As many sizes as the result has.
        let [input, weight] = [input, weight].map(|sizes| std::array::from_fn(|axis| sizes[axis]));
        let geometry = Self { config: *config, input, weight, output };
        let is_too_large = |axis| input[2 + axis] + 2 * config.padding[axis] > LARGEST || config.stride[axis] > LARGEST;
        if is_too_large(0) || is_too_large(1) {
            let reason = "a padded image or a stride of more than 2^30 is too large for a GPU".into();
            return Err(Error::Argument { op, reason });
        }
        Ok(geometry)
    }

    /// Channels of a group, of the input and of the output.
    pub fn channels(&self) -> [usize; 2] {
        [self.weight[1], self.weight[0] / self.config.groups]
    }

    /// Where the windows of the results lie in the input, along height and width.
    pub fn forward(&self) -> [Windows; 2] {
        [0, 1].map(|axis| Windows {
            count: self.output[2 + axis],
            size: self.input[2 + axis],
            step: self.config.stride[axis] as i64,
            base: -(self.config.padding[axis] as i64),
            taps: Taps { count: self.weight[2 + axis], first: 0, step: 1, delta: self.config.dilation[axis] as i64 },
            placed: [0, 1],
        })
    }

    /// Where the results that an element of the input went to lie in the output. The elements of an axis whose position has
    /// one remainder by the stride are alike: they meet the same taps, and neighbours of them meet neighbours.
    pub fn backward(&self, remainder: [usize; 2]) -> [Windows; 2] {
        [0, 1].map(|axis| {
            let [stride, padding, dilation] =
                [self.config.stride, self.config.padding, self.config.dilation].map(|per_axis| per_axis[axis]);
            let kernel = self.weight[2 + axis];
            let shifted = remainder[axis] as i64 + padding as i64;
            let meets = |tap: usize| (shifted - (tap * dilation) as i64).rem_euclid(stride as i64) == 0;
            let step = stride / greatest_common_divisor(stride, dilation);
            let first = (0..kernel.min(step)).find(|&tap| meets(tap));
            let taps = Taps {
                count: first.map_or(0, |first| (kernel - first).div_ceil(step)),
                first: first.unwrap_or(0),
                step,
                delta: -((dilation * step / stride) as i64),
            };
            Windows {
                count: self.input[2 + axis].saturating_sub(remainder[axis]).div_ceil(stride),
                size: self.output[2 + axis],
                step: 1,
                base: first.map_or(0, |first| (shifted - (first * dilation) as i64) / stride as i64),
                taps,
                placed: [remainder[axis], stride],
            }
        })
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// Windows along one axis of an image: tap `t` of window `i` is its element `i * step + base + t * delta`, if it has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    pub count: usize,
    /// Of the image.
    pub size: usize,
    pub step: i64,
    pub base: i64,
    pub taps: Taps,
    /// Where the result of the first window lies, and how far the next ones are.
    pub placed: [usize; 2],
}

/// The elements of a kernel that windows have: every `step`th from the `first`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taps {
    pub count: usize,
    pub first: usize,
    pub step: usize,
    pub delta: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pairs of result and element of the input that a tap of one axis joins, sorted.
    fn pairs(windows: Windows, turned: bool) -> Vec<[i64; 3]> {
        let mut pairs = Vec::new();
        for i in 0..windows.count as i64 {
            for t in 0..windows.taps.count as i64 {
                let at = i * windows.step + windows.base + t * windows.taps.delta;
                let own = windows.placed[0] as i64 + i * windows.placed[1] as i64;
                let tap = windows.taps.first as i64 + t * windows.taps.step as i64;
                if (0..windows.size as i64).contains(&at) {
                    pairs.push(if turned { [at, own, tap] } else { [own, at, tap] });
                }
            }
        }
        pairs.sort_unstable();
        pairs
    }

    proptest! {
        /// Whatever the forward pass joins the backward pass joins, once, over all remainders.
        #[test]
        fn backward_windows_are_the_forward_ones_turned(
            size in 1_usize..20, kernel in 1_usize..5, stride in 1_usize..5, padding in 0_usize..4, dilation in 1_usize..4,
        ) {
            prop_assume!(size + 2 * padding > (kernel - 1) * dilation);
            let config =
                Config { stride: [stride, 1], padding: [padding, 0], dilation: [dilation, 1], groups: 1 };
            let geometry = Geometry::new("test", &config, &[1, 1, size, 1], &[1, 1, kernel, 1]).unwrap();
            let forward = pairs(geometry.forward()[0], false);
            let backward = (0..stride).flat_map(|remainder| pairs(geometry.backward([remainder, 0])[0], true));
            let mut backward: Vec<_> = backward.collect();
            backward.sort_unstable();
            prop_assert_eq!(forward, backward);
        }
    }
}

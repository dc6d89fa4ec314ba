//! Random tensors: pure functions of a seed and of how many numbers were drawn before, on any number of threads.

use super::{Tensor, twins};
use crate::DynTensor;
use crate::dyn_tensor::checked_size;
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use trueno_core::math::Math;
use trueno_core::{DType, Element, Error, Float, Philox, Result, dispatch_dtype};

/// The stream under a seed that tensors are drawn from, so that nothing else that the seed is used for repeats it.
const STREAM: u64 = u64::from_be_bytes(*b"\0\0tensor");

/// Rough cost of a value, in units of an addition.
const COST: usize = 32;

/// A source of random numbers: a seed and a position, which every draw moves on.
///
/// Everything random takes one, and there is no global one, so one seed reproduces everything.
///
/// ```
/// use trueno_tensor::prelude::*;
/// let mut rng = Rng::seed(42);
/// let x: Tensor<f32, 2> = Tensor::randn([2, 3], &mut rng);
/// assert_eq!(x, Tensor::randn([2, 3], &mut Rng::seed(42)));
/// assert_ne!(x, Tensor::randn([2, 3], &mut rng)); // the position has moved on
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng {
    seed: u64,
    position: u64,
}

/// What is drawn, and with which parameters.
#[derive(Clone, Copy)]
enum Distribution {
    Uniform { low: f64, high: f64 },
    Normal { mean: f64, std: f64 },
}

impl Rng {
    /// The numbers of a seed, from their beginning.
    pub const fn seed(seed: u64) -> Rng {
        Rng { seed, position: 0 }
    }

    /// The numbers of a seed from a position on: how a checkpoint goes on.
    pub const fn at(seed: u64, position: u64) -> Rng {
        Rng { seed, position }
    }

    /// The seed and the position, as [`Rng::at`] takes them.
    pub const fn state(&self) -> (u64, u64) {
        (self.seed, self.position)
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let position = self.position;
        let [high, low, ..] = self.advance(1).block(position);
        join(high, low)
    }

    /// Another source, with a seed drawn from this one.
    #[must_use]
    pub fn split(&mut self) -> Rng {
        Rng::seed(self.next_u64())
    }

    twins! {
        /// Uniform in `low..high` (up to rounding to `T`).
        pub fn uniform[T: Float, const N: usize](&mut self, shape: [usize; N], low: f64, high: f64) -> Tensor<T, N> {
            self.draw("uniform", &shape, T::DTYPE, Distribution::Uniform { low, high }).map(Tensor::new)
        }

        /// Normal, by the transform of Box and Muller.
        pub fn normal[T: Float, const N: usize](&mut self, shape: [usize; N], mean: f64, std: f64) -> Tensor<T, N> {
            self.draw("normal", &shape, T::DTYPE, Distribution::Normal { mean, std }).map(Tensor::new)
        }

        /// Integers uniform in `low..high`, which must not be empty.
        pub fn randint[const N: usize](&mut self, low: i64, high: i64, shape: [usize; N]) -> Tensor<i64, N> {
            if low >= high {
                let reason = format!("the range {low}..{high} is empty").into();
                return Err(Error::Argument { op: "randint", reason });
            }
            let span = high.wrapping_sub(low) as u64;
            let mut buffer = Buffer::new("randint", DType::I64, checked_size("randint", &shape)?)?;
            self.fill(buffer.as_mut_slice::<i64>(), |[a, b, c, d]| {
                [join(a, b), join(c, d)].map(|bits| low.wrapping_add(below(bits, span) as i64))
            });
            Ok(Tensor::new(DynTensor::from_buffer(buffer, &shape)))
        }

        /// The numbers `0..size` in random order (Fisher and Yates).
        pub fn permutation(&mut self, size: usize) -> Tensor<i64, 1> {
            let mut buffer = Buffer::new("permutation", DType::I64, checked_size("permutation", &[size])?)?;
            let order = buffer.as_mut_slice::<i64>();
            order.iter_mut().zip(0..).for_each(|(slot, i)| *slot = i);
            for last in (1..size).rev() {
                order.swap(last, below(self.next_u64(), last as u64 + 1) as usize);
            }
            Ok(Tensor::new(DynTensor::from_buffer(buffer, &[size])))
        }
    }

    /// The stream, with `blocks` more of it used up.
    fn advance(&mut self, blocks: u64) -> Philox {
        self.position = self.position.wrapping_add(blocks);
        Philox::new(self.seed).stream(STREAM)
    }

    /// Floats; those of 64 bits use two words each, so that all their digits vary.
    fn draw(&mut self, op: &'static str, shape: &[usize], dtype: DType, what: Distribution) -> Result<DynTensor> {
        let mut buffer = Buffer::new(op, dtype, checked_size(op, shape)?)?;
        dispatch_dtype!(dtype, float T => {
            let out = buffer.as_mut_slice::<T>();
            match dtype {
                DType::F64 => self.fill(out, |words| what.wide(words).map(T::from_f64)),
                _ => self.fill(out, |words| what.narrow(words).map(T::from_f64)),
            }
        }, else return Err(crate::exec::unsupported(op, dtype, "it makes floats")));
        Ok(DynTensor::from_buffer(buffer, shape))
    }

    /// Element `i` is item `i % K` of what `make` gives for block `i / K` from the position on.
    fn fill<T: Element, const K: usize>(&mut self, out: &mut [T], make: impl Fn([u32; 4]) -> [T; K] + Send + Sync) {
        let first = self.position;
        let stream = self.advance(out.len().div_ceil(K) as u64);
        // Pieces begin where blocks of the stream do.
        let piece = piece_size(out.len(), COST).next_multiple_of(K);
        for_each_piece(out, piece, COST, |index, part| {
            let start = first.wrapping_add((index * piece / K) as u64);
            for (block, out) in part.chunks_mut(K).enumerate() {
                let values = make(stream.block(start.wrapping_add(block as u64)));
                out.copy_from_slice(&values[..out.len()]);
            }
        });
    }
}

impl Distribution {
    /// Four values of 24 random bits, from one block.
    fn narrow(self, words: [u32; 4]) -> [f64; 4] {
        let units = words.map(|word| f64::from(Philox::unit_f32(word)));
        match self {
            Distribution::Uniform { low, high } => units.map(|unit| low + unit * (high - low)),
            Distribution::Normal { mean, std } => {
                // All 32 bits, so that the tails reach 6.6 standard deviations.
                let open = |word: u32| (f64::from(word) + 1.0) * (1.0 / 4_294_967_296.0);
                let [a, b] = box_muller(open(words[0]), units[1]);
                let [c, d] = box_muller(open(words[2]), units[3]);
                [a, b, c, d].map(|value| mean + value * std)
            }
        }
    }

    /// Two values of 53 random bits, from one block.
    fn wide(self, [a, b, c, d]: [u32; 4]) -> [f64; 2] {
        let units = [Philox::unit_f64(a, b), Philox::unit_f64(c, d)];
        match self {
            Distribution::Uniform { low, high } => units.map(|unit| low + unit * (high - low)),
            Distribution::Normal { mean, std } => box_muller(1.0 - units[0], units[1]).map(|value| mean + value * std),
        }
    }
}

fn join(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Two independent standard normal numbers from two uniform ones, the first in (0, 1].
fn box_muller(radius: f64, angle: f64) -> [f64; 2] {
    let radius = Math::sqrt(-2.0 * Math::ln(radius));
    let angle = angle * std::f64::consts::TAU;
    [radius * Math::cos(angle), radius * Math::sin(angle)]
}

/// A number in `0..span` from 64 bits, by their product's upper half (Lemire, 2019).
fn below(bits: u64, span: u64) -> u64 {
    ((u128::from(bits) * u128::from(span)) >> 64) as u64
}

impl<T: Float, const N: usize> Tensor<T, N> {
    twins! {
        /// Uniform in `0..1`.
        pub fn rand(shape: [usize; N], rng: &mut Rng) -> Self {
            rng.try_uniform(shape, 0.0, 1.0)
        }

        /// Standard normal.
        pub fn randn(shape: [usize; N], rng: &mut Rng) -> Self {
            rng.try_normal(shape, 0.0, 1.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::with_num_threads;

    fn moments(x: &[f64]) -> [f64; 4] {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let central = |power: i32| x.iter().map(|v| (v - mean).powi(power)).sum::<f64>() / x.len() as f64;
        [mean, central(2), central(3), central(4)]
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut rng = Rng::seed(1);
        let close = |got: [f64; 4], want: [f64; 4]| {
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 0.03), "{got:?} {want:?}");
        };
        close(moments(&rng.normal::<f64, 1>([200_001], 0.0, 1.0).to_vec()), [0.0, 1.0, 0.0, 3.0]);
        close(moments(&rng.normal::<f32, 1>([200_001], 0.0, 1.0).cast::<f64>().to_vec()), [0.0, 1.0, 0.0, 3.0]);
        let uniform = rng.uniform::<f32, 1>([200_001], -1.0, 1.0);
        close(moments(&uniform.cast::<f64>().to_vec()), [0.0, 1.0 / 3.0, 0.0, 0.2]);
        assert!(uniform.to_vec().iter().all(|v| (-1.0..1.0).contains(v)));
        let mut seen = [0; 7];
        for value in rng.randint(-3, 4, [70_000]).to_vec() {
            seen[(value + 3) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (9_500..10_500).contains(n)), "{seen:?}");
    }

    #[test]
    fn values_do_not_depend_on_threads_or_on_how_much_is_drawn() {
        let draw = |size| Rng::seed(7).normal::<f32, 1>([size], 1.0, 2.0).to_vec();
        let long = draw(300_003);
        assert_eq!(long[..999], draw(999));
        assert_eq!(with_num_threads(1, || draw(300_003)), with_num_threads(3, || draw(300_003)));
    }

    #[test]
    fn positions_move_on_and_can_be_returned_to() {
        let mut rng = Rng::seed(3);
        let _: Tensor<f32, 1> = Tensor::rand([5], &mut rng);
        assert_eq!(rng.state(), (3, 2));
        let (seed, position) = rng.state();
        let next: Tensor<f64, 1> = Tensor::rand([5], &mut rng);
        assert_eq!(Tensor::rand([5], &mut Rng::at(seed, position)), next);
        assert_ne!(rng.split().next_u64(), rng.split().next_u64());
    }

    #[test]
    fn a_permutation_names_each_number_once() {
        let order = Rng::seed(5).permutation(1000).to_vec();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(sorted, order);
        assert!(Rng::seed(0).permutation(0).is_empty());
    }

    #[test]
    fn ranges_reach_their_ends_and_empty_ones_are_refused() {
        assert!(Rng::seed(0).try_randint(3, 3, [2]).unwrap_err().to_string().contains("3..3"));
        let all = Rng::seed(0).randint(i64::MIN, i64::MAX, [64]).to_vec();
        assert!(all.iter().any(|&v| v < 0) && all.iter().any(|&v| v > 0));
    }
}

//! 3x3 convolutions of stride 1 with a quarter of the multiplications (Winograd's minimal filtering F(4x4, 3x3); Lavin and Gray,
//! "Fast Algorithms for Convolutional Neural Networks", 2016).
//!
//! A tile of 4x4 results depends on 6x6 elements of each channel. Both it and the weights are transformed so that, summed over
//! channels, 36 products take the place of 144: for each of the 36 positions a product of matrices, channels of the result by channels of
//! the image by tiles. See `transform` for the points that the transforms evaluate at, and why those.
//!
//! An infinity or a NaN would spread over its whole tile, and so would an overflow within the transforms. So the results are looked at
//! while they are in registers, and the caller is told to take the direct way where one is not finite.

mod product;
mod transform;

use super::geometry::{Geometry, Run};
use super::{Conv2dShape, Filter};
use crate::Isa;
use crate::simd::Real;
use product::{LANES_MOST, products, tile_size};
use transform::{AREA, OUT, Place, TILE, transform_images, transform_results, transform_weights};

/// Elements of transformed images that are worked on at a time: half of the second cache of most machines, in `f32`.
const BLOCK: usize = 1 << 18;

/// Tiles that images are put together for, so that transformed weights are used often enough once they are read.
const TILES: usize = 64;

/// A convolution, or the gradient of one by its images, that is computed this way.
///
/// ```
/// use trueno_kernels::{Isa, conv::{Conv2dShape, Filter, Winograd}};
///
/// let isa = Isa::best();
/// let shape = Conv2dShape { in_channels: 16, out_channels: 16, height: 32, width: 32, kernel: [3, 3], padding: [1, 1], ..Conv2dShape::UNIT };
/// let winograd = Winograd::forward::<f32>(isa, &shape).expect("3x3, stride 1 and enough channels");
/// let (images, weight) = (vec![1.0; shape.image_elements()], vec![0.5; shape.weight_elements()]);
/// let mut weights = vec![0.0; winograd.panels() * winograd.panel_len()];
/// winograd.transform_weights(&weight, 0, &mut weights);
/// let (mut result, mut scratch) = (vec![0.0; shape.output_elements()], vec![0.0; winograd.scratch_len(1)]);
/// assert!(winograd.convolve(&images, &Filter::new(&weights), &mut result, &mut scratch));
/// assert!((result[32 + 1] - 9.0 * 16.0 * 0.5_f32).abs() < 1e-4);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Winograd {
    isa: Isa,
    shape: Conv2dShape,
    /// Whether the weights are those of the convolution whose gradient this is.
    transposed: bool,
    rows: usize,
    lanes: usize,
}

impl Winograd {
    /// The convolution `shape`, if it is 3x3, of stride 1, not dilated nor in groups, and so large that this way is the faster one.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn forward<T: Real>(isa: Isa, shape: &Conv2dShape) -> Option<Winograd> {
        Winograd::new::<T>(isa, *shape, false).filter(Winograd::pays)
    }

    /// The gradient of the convolution `shape` by its images, under the same conditions: itself a convolution, of the result's gradient
    /// with the weights turned around.
    ///
    /// # Panics
    /// If the shape is not valid.
    pub fn input_gradient<T: Real>(isa: Isa, shape: &Conv2dShape) -> Option<Winograd> {
        Winograd::new::<T>(isa, shape.input_gradient()?, true).filter(Winograd::pays)
    }

    pub(super) fn new<T: Real>(isa: Isa, shape: Conv2dShape, transposed: bool) -> Option<Winograd> {
        let fits = shape.kernel == [3, 3] && shape.stride == [1, 1] && shape.dilation == [1, 1] && shape.groups == 1;
        let sizes = [shape.batch, shape.in_channels, shape.out_channels];
        if !fits || sizes.contains(&0) || shape.output().contains(&0) {
            return None;
        }
        let [most, lanes] = tile_size::<T>(isa);
        let rows = shape.out_channels.div_ceil(shape.out_channels.div_ceil(most));
        Some(Winograd { isa, shape, transposed, rows: rows.max(most.div_ceil(2)), lanes })
    }

    /// Whether this takes less time than a product with the image's elements, in multiply-adds of such a product.
    fn pays(&self) -> bool {
        let Conv2dShape { batch, in_channels, out_channels, .. } = self.shape;
        let pixels: usize = self.shape.output().iter().product();
        let tiles = (batch * self.tiles()).next_multiple_of(self.lanes);
        // Transforms are memory-bound: seen from products they cost several times their arithmetic. Those of weights are written to far
        // memory, four times as large as the weights, and read back.
        let transforms = tiles * (300 * in_channels + 400 * out_channels) + 4000 * in_channels * out_channels;
        let products = AREA * tiles * in_channels * out_channels;
        in_channels >= 8 && out_channels >= 8 && transforms + products < 9 * batch * pixels * in_channels * out_channels
    }

    /// The convolution that is computed: of the images, or of the gradient of the result.
    pub fn shape(&self) -> &Conv2dShape {
        &self.shape
    }

    /// Channels of the result whose weights lie together.
    pub fn panel_channels(&self) -> usize {
        self.rows
    }

    /// Runs of [`Winograd::panel_channels`] channels, the last of which may be shorter.
    pub fn panels(&self) -> usize {
        self.shape.out_channels.div_ceil(self.rows)
    }

    /// Elements of the transformed weights of a panel.
    pub fn panel_len(&self) -> usize {
        AREA * self.shape.in_channels * self.rows
    }

    /// Images that are best given to one call of [`Winograd::convolve`].
    pub fn images_together(&self) -> usize {
        TILES.div_ceil(self.tiles()).min(self.shape.batch)
    }

    /// Elements of scratch that [`Winograd::convolve`] needs for so many images.
    pub fn scratch_len(&self, images: usize) -> usize {
        let geometry = self.geometry();
        let width = self.block_tiles(images);
        images * geometry.len() + LANES_MOST + AREA * (self.shape.in_channels * width + self.rows * 2 * self.lanes)
    }

    /// Tiles of one image.
    fn tiles(&self) -> usize {
        self.shape.output().map(|size| size.div_ceil(OUT)).iter().product()
    }

    /// Tiles of so many images that are transformed before they are multiplied.
    fn block_tiles(&self, images: usize) -> usize {
        let panel = 2 * self.lanes;
        let fitting = (BLOCK / (AREA * self.shape.in_channels) / panel).max(1) * panel;
        fitting.min((images * self.tiles()).next_multiple_of(panel))
    }

    fn geometry(&self) -> Geometry {
        Geometry::tiles(&self.shape, OUT, TILE)
    }

    /// The transformed weights of panels from the `first` on: as many as `out` has room for.
    ///
    /// `weight` are the weights of the convolution, whole, even where its gradient is computed.
    ///
    /// # Panics
    /// If `weight` is not as long as the shape says, or `out` not a number of panels that there are.
    pub fn transform_weights<T: Real>(&self, weight: &[T], first: usize, out: &mut [T]) {
        assert_eq!(weight.len(), self.shape.weight_elements(), "weights of {:?}", self.shape);
        let count = out.len() / self.panel_len();
        assert!(out.len() == count * self.panel_len() && first + count <= self.panels(), "not whole panels");
        for (index, out) in out.chunks_exact_mut(self.panel_len()).enumerate() {
            let start = (first + index) * self.rows;
            let channels = start..self.shape.out_channels.min(start + self.rows);
            transform_weights(self.isa, weight, self.shape.in_channels, channels, self.transposed, out);
        }
    }

    /// Convolves images with transformed weights and says whether every result is finite; if not, the results are not to be used.
    ///
    /// The filter's weights are those of consecutive panels; `output` gets their channels alone,
    /// `[images, channels, output[0], output[1]]`, and the bias has one element for each. Only these decide a result, not what
    /// other images and channels there are, bit for bit.
    ///
    /// # Panics
    /// If slices do not fit each other or the shape (its batch does not matter), or `scratch` is too short.
    #[must_use]
    pub fn convolve<T: Real>(&self, images: &[T], filter: &Filter<'_, T>, output: &mut [T], scratch: &mut [T]) -> bool {
        let image_len = self.shape.image_elements();
        let (count, pixels) = (images.len() / image_len, self.shape.output().iter().product::<usize>());
        let channels = output.len() / (count * pixels).max(1);
        assert!(images.len() == count * image_len && output.len() == count * channels * pixels, "not whole images");
        assert_eq!(filter.weight.len(), channels.div_ceil(self.rows) * self.panel_len(), "transformed weights");
        assert!(filter.bias.is_none_or(|bias| bias.len() == channels), "one bias per channel");
        if output.is_empty() {
            return true;
        }
        let geometry = self.geometry();
        let (arranged, scratch) = scratch.split_at_mut(count * geometry.len() + LANES_MOST);
        for (image, arranged) in images.chunks_exact(image_len).zip(arranged.chunks_exact_mut(geometry.len())) {
            geometry.arrange(self.isa, image, arranged);
        }
        arranged[count * geometry.len()..].fill(T::ZERO);
        let (block, panel) = (self.block_tiles(count), 2 * self.lanes);
        let (transformed, sums) = scratch.split_at_mut(AREA * self.shape.in_channels * block);
        let total = count * self.tiles();
        let mut finite = true;
        for first in (0..total).step_by(block) {
            let end = total.min(first + block);
            let panels = || (first..end).step_by(panel).map(|start| start..end.min(start + panel));
            for (tiles, out) in panels().zip(transformed.chunks_mut(AREA * self.shape.in_channels * panel)) {
                transform_images(self.isa, &geometry, arranged, &Runs::new(&geometry, tiles), out);
            }
            for (index, weights) in filter.weight.chunks_exact(self.panel_len()).enumerate() {
                let rows = index * self.rows..channels.min((index + 1) * self.rows);
                let part = Filter { weight: weights, bias: filter.bias.map(|bias| &bias[rows.clone()]), ..*filter };
                for (tiles, input) in panels().zip(transformed.chunks(AREA * self.shape.in_channels * panel)) {
                    let runs = Runs::new(&geometry, tiles);
                    products(self.isa, weights, self.rows, input, runs.width(self.lanes), sums);
                    let place = Place { shape: &self.shape, channels, rows: rows.clone(), runs: &runs };
                    finite &= transform_results(self.isa, sums, self.rows, &part, &place, output);
                }
            }
        }
        finite
    }
}

/// Tiles of a panel, as runs of neighbours in a row of tiles.
struct Runs {
    list: [TileRun; LANES_MOST * 2],
    len: usize,
    tiles: usize,
}

/// Neighbouring tiles in one row of one image.
#[derive(Clone, Copy, Default)]
struct TileRun {
    /// Where the run starts in the panel, and in the arranged images.
    run: Run,
    image: usize,
    row: usize,
    col: usize,
}

impl Runs {
    fn new(geometry: &Geometry, tiles: core::ops::Range<usize>) -> Runs {
        let [rows, cols] = geometry.output();
        let mut runs = Runs { list: [TileRun::default(); LANES_MOST * 2], len: 0, tiles: tiles.len() };
        let mut tile = tiles.start;
        while tile < tiles.end {
            let (image, row, col) = (tile / (rows * cols), tile / cols % rows, tile % cols);
            let len = (cols - col).min(tiles.end - tile);
            let source = image * geometry.len() + geometry.pixel_row(row) + col;
            runs.list[runs.len] = TileRun { run: Run { at: tile - tiles.start, source, len }, image, row, col };
            runs.len += 1;
            tile += len;
        }
        runs
    }

    /// Columns of the panel: its tiles, rounded up to whole vectors.
    fn width(&self, lanes: usize) -> usize {
        self.tiles.next_multiple_of(lanes)
    }

    fn iter(&self) -> core::slice::Iter<'_, TileRun> {
        self.list[..self.len].iter()
    }
}

#[cfg(test)]
mod tests;

//! Where the element lies that a weight meets at a pixel.
//!
//! The channels of a group are copied once, with their padding, and with the columns of a row sorted by their remainder
//! modulo the stride. Then the elements that one weight meets along a row of the result are adjacent, whatever stride, padding
//! and dilation: element `tap(k) + pixel(oy, ox)` belongs to weight `k` and pixel `[oy, ox]`, and everything that
//! follows needs to know no more. Without padding and with stride 1 the image has that form already and is not copied.
//!
//! The pixels of several small images can be counted through, as if they were those of one.

use core::ops::Range;

use super::Conv2dShape;
use crate::Isa;
use crate::lanes::{read, write};
use crate::simd::{Real, RealVector, kernel};

/// The arrangement of one group of one image, or of a few images one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    images: usize,
    channels: usize,
    size: [usize; 2],
    kernel: [usize; 2],
    dilation: [usize; 2],
    padding: [usize; 2],
    output: [usize; 2],
    /// Remainders modulo the stride of the columns, and columns of each.
    phases: usize,
    phase_len: usize,
    /// Elements of a row, of a channel, and from one row of the result to the next.
    row: usize,
    plane: usize,
    pixel_row: usize,
}

/// Adjacent pixels of one row of the result, from the `at`-th of a range, whose elements start at `source`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run {
    pub at: usize,
    pub source: usize,
    pub len: usize,
}

impl Geometry {
    pub fn new(shape: &Conv2dShape) -> Geometry {
        let phases = shape.stride[1];
        let phase_len = (shape.width + 2 * shape.padding[1]).div_ceil(phases);
        let row = phases * phase_len;
        Geometry {
            images: 1,
            channels: shape.in_channels / shape.groups,
            size: [shape.height, shape.width],
            kernel: shape.kernel,
            dilation: shape.dilation,
            padding: shape.padding,
            output: shape.output(),
            phases,
            phase_len,
            row,
            plane: (shape.height + 2 * shape.padding[0]) * row,
            pixel_row: shape.stride[0] * row,
        }
    }

    /// The arrangement of so many images, each as this one.
    pub fn of_images(self, images: usize) -> Geometry {
        Geometry { images, ..self }
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The arrangement of overlapping tiles of `tile` rows and columns, one for every `out` rows and columns of the result: element
    /// `[y, x]` of a tile of channel `c` is what a kernel of that size and stride would call weight `[c, y, x]`.
    ///
    /// Rows and columns that the last tiles have beyond the padded image are zeros.
    pub fn tiles(shape: &Conv2dShape, out: usize, tile: usize) -> Geometry {
        let output = shape.output().map(|size| size.div_ceil(out));
        let [height, width] = output.map(|count| (count.max(1) - 1) * out + tile);
        let phase_len = width.div_ceil(out);
        let row = out * phase_len;
        Geometry {
            images: 1,
            channels: shape.in_channels / shape.groups,
            size: [shape.height, shape.width],
            kernel: [tile, tile],
            dilation: [1, 1],
            padding: shape.padding,
            output,
            phases: out,
            phase_len,
            row,
            plane: height * row,
            pixel_row: out * row,
        }
    }

    /// Whether the image itself has this arrangement.
    pub fn is_image(&self) -> bool {
        self.phases == 1 && self.padding == [0, 0]
    }

    /// Elements of the arranged group of one image.
    pub fn len(&self) -> usize {
        self.channels * self.plane
    }

    /// Elements to be set aside for the arranged images.
    pub fn buffer_len(&self) -> usize {
        if self.is_image() { 0 } else { self.images * self.len() }
    }

    /// Weights of one output channel.
    pub fn taps(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }

    /// Rows and columns of the result of one image.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Pixels of the results of all images.
    pub fn pixels(&self) -> usize {
        self.images * self.output[0] * self.output[1]
    }

    /// Where the elements of weight `k` start.
    #[inline(always)]
    pub fn tap(&self, k: usize) -> usize {
        let (channel, rest) = (k / (self.kernel[0] * self.kernel[1]), k % (self.kernel[0] * self.kernel[1]));
        let (row, col) = (rest / self.kernel[1] * self.dilation[0], rest % self.kernel[1] * self.dilation[1]);
        channel * self.plane + row * self.row + col % self.phases * self.phase_len + col / self.phases
    }

    /// Where the elements of weight `first` and of those after it start, without end.
    #[inline(always)]
    pub fn taps_from(&self, first: usize) -> Taps<'_> {
        let (area, rest) = (self.kernel[0] * self.kernel[1], first % (self.kernel[0] * self.kernel[1]));
        let (ky, kx) = (rest / self.kernel[1], rest % self.kernel[1]);
        let col = kx * self.dilation[1];
        Taps {
            geometry: self,
            row: first / area * self.plane + ky * self.dilation[0] * self.row,
            ky,
            kx,
            phase: col % self.phases,
            col: col / self.phases,
            step: [self.dilation[1] % self.phases, self.dilation[1] / self.phases],
        }
    }

    /// How far the elements of row `oy` of the result are from its first.
    #[inline(always)]
    pub fn pixel_row(&self, oy: usize) -> usize {
        oy * self.pixel_row
    }

    /// The rows of the result that `pixels` touches.
    #[inline(always)]
    pub fn runs(&self, pixels: Range<usize>) -> Runs {
        let [rows, cols] = self.output.map(|size| size.max(1));
        let row = pixels.start / cols;
        Runs {
            at: 0,
            image: row / rows * self.len(),
            row: row % rows,
            col: pixels.start % cols,
            left: pixels.len(),
            size: [rows, cols],
            pixel_row: self.pixel_row,
            image_len: self.len(),
        }
    }

    /// The elements of the group in `image`, or in all images, arranged: `image` itself or a copy in `buffer`.
    pub fn arrange<'a, T: Real>(&self, isa: Isa, image: &'a [T], buffer: &'a mut [T]) -> &'a [T] {
        assert_eq!(image.len(), self.images * self.channels * self.size[0] * self.size[1]);
        if self.is_image() {
            return image;
        }
        let buffer = &mut buffer[..self.images * self.len()];
        arrange_rows(isa, self, image, buffer);
        buffer
    }

    /// The inverse of [`Geometry::arrange`], without the padding.
    pub fn restore<T: Real>(&self, isa: Isa, buffer: &[T], image: &mut [T]) {
        assert_eq!(image.len(), self.images * self.channels * self.size[0] * self.size[1]);
        restore_rows(isa, self, buffer, image);
    }

    /// Calls `f` for every row of the image and every remainder with: where the row lies in the image, where its elements of that remainder
    /// lie in the arranged group, the stride and the first of those elements in the row.
    #[inline(always)]
    fn each_row(&self, mut f: impl FnMut(Range<usize>, Range<usize>, usize, usize)) {
        let ([height, width], [above, left]) = (self.size, self.padding);
        for row in 0..self.images * self.channels * height {
            let start = row / height * self.plane + (row % height + above) * self.row;
            for phase in 0..self.phases {
                // The first column of this remainder at or after the left padding.
                let first = (phase + self.phases - left % self.phases) % self.phases;
                let count = width.saturating_sub(first).div_ceil(self.phases);
                let arranged = start + phase * self.phase_len + (left + first) / self.phases;
                if count > 0 {
                    f(row * width..(row + 1) * width, arranged..arranged + count, self.phases, first);
                }
            }
        }
    }
}

kernel! {
    /// See [`Geometry::arrange`].
    fn arrange_rows<T: Real>(simd: S, geometry: &Geometry, image: &[T], buffer: &mut [T]) {
        buffer.fill(T::ZERO);
        let ([height, width], [above, left]) = (geometry.size, geometry.padding);
        if width == 0 {
            return;
        }
        for (index, row) in image.chunks_exact(width).enumerate() {
            let start = index / height * geometry.plane + (index % height + above) * geometry.row;
            let target = &mut buffer[start..start + geometry.row];
            match geometry.phases {
                1 => copy_row::<T::Vector<S>>(simd, row, &mut target[left..left + width]),
                2 => sort_row::<T, 2>(row, left, target),
                4 => sort_row::<T, 4>(row, left, target),
                phases => {
                    for (i, &element) in row.iter().enumerate() {
                        target[(left + i) % phases * geometry.phase_len + (left + i) / phases] = element;
                    }
                }
            }
        }
    }
}

/// Copies a row, which is often shorter than a call is worth.
#[inline(always)]
fn copy_row<V: RealVector>(simd: V::Token, row: &[V::Elem], target: &mut [V::Elem]) {
    for at in (0..row.len()).step_by(V::LANES) {
        write(read::<V>(simd, row, at), target, at);
    }
}

/// Sorts the elements of a row, which start at column `left`, by the remainders of their columns modulo `P`.
#[inline(always)]
fn sort_row<T: Real, const P: usize>(row: &[T], left: usize, target: &mut [T]) {
    /// Elements of each remainder that are moved together, so that moving them is straight code.
    const BLOCK: usize = 4;
    let pitch = target.len() / P;
    let (head, rest) = row.split_at(((P - left % P) % P).min(row.len()));
    for (i, &element) in head.iter().enumerate() {
        target[(left + i) % P * pitch + (left + i) / P] = element;
    }
    let first = (left + head.len()) / P;
    let (groups, tail) = rest.as_chunks::<P>();
    let (blocks, single) = groups.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        for phase in 0..P {
            let values: [T; BLOCK] = [block[0][phase], block[1][phase], block[2][phase], block[3][phase]];
            target[phase * pitch + first + index * BLOCK..][..BLOCK].copy_from_slice(&values);
        }
    }
    for (index, group) in single.iter().enumerate() {
        for (phase, &element) in group.iter().enumerate() {
            target[phase * pitch + first + blocks.len() * BLOCK + index] = element;
        }
    }
    for (phase, &element) in tail.iter().enumerate() {
        target[phase * pitch + first + groups.len()] = element;
    }
}

kernel! {
    /// See [`Geometry::restore`].
    fn restore_rows<T: Real>(simd: S, geometry: &Geometry, buffer: &[T], image: &mut [T]) {
        let _ = simd;
        geometry.each_row(|inside, arranged, phases, first| {
            let row = &mut image[inside];
            if phases == 1 {
                row.copy_from_slice(&buffer[arranged]);
                return;
            }
            for (&value, element) in buffer[arranged].iter().zip(row[first..].iter_mut().step_by(phases)) {
                *element = value;
            }
        });
    }
}

/// See [`Geometry::taps_from`]. Counts where [`Geometry::tap`] divides.
#[derive(Clone, Debug)]
pub(super) struct Taps<'a> {
    geometry: &'a Geometry,
    /// Start of the row that the weights of this row of the kernel meet.
    row: usize,
    ky: usize,
    kx: usize,
    /// Remainder and quotient of the column by the stride, and what a weight adds to them.
    phase: usize,
    col: usize,
    step: [usize; 2],
}

impl Iterator for Taps<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let geometry = self.geometry;
        let tap = self.row + self.phase * geometry.phase_len + self.col;
        self.kx += 1;
        self.phase += self.step[0];
        self.col += self.step[1];
        if self.phase >= geometry.phases {
            self.phase -= geometry.phases;
            self.col += 1;
        }
        if self.kx == geometry.kernel[1] {
            [self.kx, self.phase, self.col] = [0; 3];
            self.ky += 1;
            self.row += geometry.dilation[0] * geometry.row;
            if self.ky == geometry.kernel[0] {
                self.row = self.row + geometry.plane - self.ky * geometry.dilation[0] * geometry.row;
                self.ky = 0;
            }
        }
        Some(tap)
    }
}

/// See [`Geometry::runs`].
#[derive(Clone, Debug)]
pub(super) struct Runs {
    at: usize,
    /// Where the image starts, and the place in its result.
    image: usize,
    row: usize,
    col: usize,
    left: usize,
    size: [usize; 2],
    pixel_row: usize,
    image_len: usize,
}

impl Iterator for Runs {
    type Item = Run;

    #[inline(always)]
    fn next(&mut self) -> Option<Run> {
        if self.left == 0 {
            return None;
        }
        let len = (self.size[1] - self.col).min(self.left);
        let run = Run { at: self.at, source: self.image + self.row * self.pixel_row + self.col, len };
        self.at += len;
        self.left -= len;
        self.row += 1;
        self.col = 0;
        if self.row == self.size[0] {
            self.row = 0;
            self.image += self.image_len;
        }
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    #[test]
    fn every_weight_finds_its_element_at_every_pixel() {
        for stride in 1..4 {
            for padding in 0..3 {
                for dilation in 1..3 {
                    let shape = Conv2dShape {
                        in_channels: 2,
                        height: 7,
                        width: 8,
                        kernel: [2, 3],
                        stride: [stride, stride],
                        padding: [padding, padding],
                        dilation: [dilation, dilation],
                        ..Conv2dShape::UNIT
                    };
                    let geometry = Geometry::new(&shape).of_images(2);
                    let image: Vec<f32> = (1..=224).map(|v| v as f32).collect();
                    let mut buffer = vec![-1.0; geometry.buffer_len()];
                    let arranged = geometry.arrange(Isa::best(), &image, &mut buffer);
                    for first in [0, 1, 7] {
                        let counted: Vec<usize> = geometry.taps_from(first).take(5).collect();
                        assert!(counted.iter().enumerate().all(|(k, &tap)| tap == geometry.tap(first + k)));
                    }
                    for k in 0..geometry.taps() {
                        for run in geometry.runs(0..geometry.pixels()) {
                            for i in 0..run.len {
                                let [rows, cols] = geometry.output();
                                let (at, start) = (run.at + i, (run.at + i) / (rows * cols) * 112);
                                let (oy, ox) = (at / cols % rows, at % cols);
                                let y = (oy * stride + k % 6 / 3 * dilation).wrapping_sub(padding);
                                let x = (ox * stride + k % 3 * dilation).wrapping_sub(padding);
                                let want = if y < 7 && x < 8 { image[start + k / 6 * 56 + y * 8 + x] } else { 0.0 };
                                assert_eq!(arranged[geometry.tap(k) + run.source + i], want, "{shape:?} {k} {oy} {ox}");
                            }
                        }
                    }
                    let mut back = vec![0.0; image.len()];
                    geometry.restore(Isa::best(), arranged, &mut back);
                    assert_eq!(back, image);
                }
            }
        }
    }
}

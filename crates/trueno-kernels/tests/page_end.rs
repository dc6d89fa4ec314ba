//! Kernels read and write nothing after the end of a slice: every operand ends where a page does, and the next one is nobody's.
#![cfg(all(unix, not(miri)))]

use std::{ptr, slice};

use trueno_core::table::{BinaryOp, ReduceOp, TernaryOp, UnaryOp};
use trueno_core::{bf16, f16};
use trueno_kernels::conv::{Conv2dShape, Filter, PairConvolution, conv2d};
use trueno_kernels::elementwise::{binary, convert, select, ternary, unary};
use trueno_kernels::matmul::{
    ByteVector, Epilogue, Grouped, MatMut, MatRef, MatRefs, PackedB, Pair, Plan, Side, Unit, Word,
    bf16_product_with_vector, gemm, gemm_packed_b, is_small, product_with_vector, small_products, small_scratch_len,
    wrapping_product, wrapping_scratch_len,
};
use trueno_kernels::simd::Real;
use trueno_kernels::{AxisBlocks, Isa, Operand, Plane, copy_plane, norm, reduce, softmax, sort, transpose};

/// Memory before a page that may not be touched.
struct Fenced {
    start: *mut libc::c_void,
    bytes: usize,
}

impl Fenced {
    /// Room for `bytes`, in whole pages.
    fn new(bytes: usize) -> Fenced {
        // SAFETY: a question without operands that could be wrong.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
        let bytes = bytes.max(1).next_multiple_of(page);
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, wherever the system likes.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes + page, access, kind, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        // SAFETY: the last page of that memory.
        assert_eq!(unsafe { libc::mprotect(start.byte_add(bytes), page, libc::PROT_NONE) }, 0);
        Fenced { start, bytes }
    }

    /// `len` elements that end at the fence.
    fn slice<T: Copy>(&mut self, len: usize, value: impl Fn(usize) -> T) -> &mut [T] {
        let bytes = len * size_of::<T>();
        assert!(bytes <= self.bytes && self.bytes.is_multiple_of(align_of::<T>()));
        // SAFETY: `bytes` before the fence, a multiple of the alignment, which `&mut self` lends once; fresh memory is zeros, and the
        // numbers of these tests may be any bits.
        let slice = unsafe { slice::from_raw_parts_mut(self.start.byte_add(self.bytes - bytes).cast::<T>(), len) };
        slice.iter_mut().enumerate().for_each(|(i, x)| *x = value(i));
        slice
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: the pages that are still there, and nobody has a slice of them.
        unsafe { libc::munmap(self.start, self.bytes) };
    }
}

/// Lengths around whole vectors of every level.
fn lengths() -> impl Iterator<Item = usize> {
    (1..70).chain([127, 128, 129, 257])
}

fn number<T: Real>(i: usize) -> T {
    T::from_f64((i % 13) as f64 * 0.25 - 1.0)
}

fn arrays_of<T: Real>() {
    let mut fences = [(); 4].map(|()| Fenced::new(1 << 16));
    for (isa, n) in Isa::available().flat_map(|isa| lengths().map(move |n| (isa, n))) {
        let [a, b, c, out] = fences.each_mut().map(|fence| fence.slice(n, number::<T>));
        for &op in UnaryOp::ALL {
            unary(isa, op, op.default_parameters(), Operand::Slice(a), out);
        }
        for &op in BinaryOp::ALL {
            binary(isa, op, Operand::Slice(a), Operand::Slice(b), out);
        }
        for &op in TernaryOp::ALL {
            ternary(isa, op, Operand::Slice(a), Operand::Slice(b), Operand::Slice(c), out);
        }
        for &op in ReduceOp::ALL {
            let center = [T::ZERO];
            reduce::accumulate_rows(isa, op, a, n, Some(&center), &mut out[n - 1..]);
            reduce::accumulate_columns(isa, op, a, Some(b), out);
        }
        reduce::arg_rows(isa, true, a, n, &mut [0]);
        reduce::cumsum(isa, a, 1, out);
        out[0] = reduce::dot(isa, a, b);
        softmax::softmax(isa, a, AxisBlocks::rows(1, n), out);
        let lines = AxisBlocks { outer: 1, len: 3, inner: n / 3 };
        softmax::softmax(isa, &a[n % 3..], lines, &mut out[n % 3..]);
        softmax::log_softmax(isa, a, AxisBlocks { outer: 1, len: 1, inner: n }, out);
        softmax::softmax_gradient(isa, &a[n % 3..], &b[n % 3..], lines, &mut out[n % 3..]);
        norm::layer_norm(isa, a, n, Some(b), Some(c), 1e-5, out, [&mut [T::ZERO], &mut [T::ZERO]]);
        copy_plane(isa, a, Plane { first: n - 1, steps: [0, -1] }, out, Plane { first: 0, steps: [0, 1] }, [1, n]);
    }
}

#[test]
fn arrays_end_where_a_page_does() {
    arrays_of::<f32>();
    arrays_of::<f64>();
}

fn products_of<T: Real>() {
    let mut fences = [(); 4].map(|()| Fenced::new(1 << 16));
    let sizes = [1, 2, 5, 8, 15, 17, 33];
    for isa in Isa::available() {
        for (m, n, k) in sizes.iter().flat_map(|&m| sizes.iter().flat_map(move |&n| sizes.map(|k| (m, n, k)))) {
            let plan = Plan::new::<T>(isa, m, n, k);
            let [a, b, c, turned] = &mut fences;
            let (a, b, c) = (a.slice(m * k, number), b.slice(k * n, number), c.slice(m * n, number));
            let left = MatRef::row_major(&*a, m, k);
            for right in [MatRef::row_major(&*b, k, n), MatRef::row_major(&*b, n, k).transposed()] {
                let mut scratch = vec![T::ZERO; plan.scratch_len()];
                gemm(isa, &plan, left, right, MatMut::row_major(c, m, n), &Epilogue::STORE, &mut scratch);
                let steps = [0, right.row_stride(), right.col_stride()];
                let right = MatRefs::new(&*b, 0, [1, k, n], steps);
                let left = MatRefs::new(&*a, 0, [1, m, k], [0, k as isize, 1]);
                if is_small([m, n, k]) {
                    small_products(isa, left, right, c, &mut vec![T::ZERO; small_scratch_len(n, k)]);
                }
            }
            transpose(isa, a, k, turned.slice(m * k, number::<T>), m, [m, k]);
        }
    }
}

#[test]
fn products_end_where_a_page_does() {
    products_of::<f32>();
    products_of::<f64>();
}

#[test]
fn integers_end_where_a_page_does() {
    let mut fences = [(); 3].map(|()| Fenced::new(1 << 19));
    for (isa, n) in Isa::available().flat_map(|isa| lengths().map(move |n| (isa, n))) {
        let [x, keys, matrix] = &mut fences;
        let (x, keys) = (x.slice(n, |i| (i * 7 % 31) as f32), keys.slice(n, |_| 0_i32));
        sort::keys(isa, false, x, keys);
        sort::sort(isa, keys, &mut vec![0; n], 0, |_| {});
        convert(isa, keys, x);
        let mask = vec![true; n];
        select(isa, Operand::Slice(&mask), Operand::Slice(x), Operand::InPlace, &mut vec![0.0; n]);
        let out = &mut vec![0.0_f32; n];
        let halves = matrix.slice(n, |i| f16::from_bits(i as u16));
        convert(isa, halves, out);
        reduce::accumulate_rows(isa, ReduceOp::Sum, halves, n, None, &mut out[..1]);
        let halves = matrix.slice(n, |i| bf16::from_bits(i as u16));
        convert(isa, halves, out);
        reduce::accumulate_rows(isa, ReduceOp::Sum, halves, n, None, &mut out[..1]);
        let wide = MatRef::row_major(&*keys, 1, n);
        let scratch = &mut vec![0; wrapping_scratch_len::<i32>(n)];
        wrapping_product(isa, wide, wide.transposed(), &mut [0], scratch);
        wrapping_product(isa, wide.transposed(), wide, matrix.slice(n * n, |_| 0_i32), scratch);
        let bytes = matrix.slice(5 * n, |i| i as i8);
        let mut words = vec![Word::NOTHING; ByteVector::len(isa, n)];
        let vector = vec![1_i8; n];
        let vector = ByteVector::new(isa, &vector, &mut words);
        product_with_vector(isa, MatRef::row_major(&*bytes, 5, n), vector, &mut [0; 5]);
    }
}

/// Pairs of a matrix whose rows run along the summed axis, made of memory that ends at one fence in memory that ends at another, or read
/// where they lie.
fn pairs<'f>(isa: Isa, x: MatRef<'f, bf16>, fence: &'f mut Fenced) -> MatRef<'f, Pair> {
    let made = Pair::of_mut(fence.slice(x.rows() * Pair::steps(isa, x.cols()), |_| 0.0_f32));
    let made = Pair::lines(isa, Side::Left, x, made);
    Pair::in_place(isa, Side::Left, x).unwrap_or(made)
}

#[test]
fn products_of_bfloat16_end_where_a_page_does() {
    let mut fences = [(); 7].map(|()| Fenced::new(1 << 16));
    let sizes = [1, 2, 5, 15, 17, 33, 70];
    let without_tiles = Isa::available().filter(|isa| isa.has_amx()).map(Isa::without_amx);
    for isa in Isa::available().chain(without_tiles) {
        for (m, n, k) in sizes.iter().flat_map(|&m| sizes.iter().flat_map(move |&n| sizes.map(|k| (m, n, k)))) {
            let [a, b, left, right, sums, out, panels] = &mut fences;
            let half = |i| bf16::from_f32(number(i));
            let (a, b) = (&*a.slice(m * k, half), &*b.slice(k * n, half));
            let (steps, sums) = (Pair::steps(isa, k), sums.slice(m * n, |_| 0.0));
            let plan = Plan::new::<Pair>(isa, m, n, steps);
            let mut scratch = vec![Pair::NOTHING; plan.scratch_len()];
            let left = pairs(isa, MatRef::row_major(a, m, k), left);
            for b in [MatRef::row_major(b, k, n), MatRef::row_major(b, n, k).transposed()] {
                let right = pairs(isa, b.transposed(), right).transposed();
                let c = MatMut::row_major(Pair::of_mut(sums), m, n);
                gemm(isa, &plan, left, right, c, &Epilogue::STORE, &mut scratch);
            }
            if n > 1 {
                let panels = Pair::of_mut(panels.slice(PackedB::<Pair>::len(isa, steps, n), |_| 0.0_f32));
                let packed = PackedB::pack_elements(isa, MatRef::row_major(b, k, n), panels);
                let c = MatMut::row_major(Pair::of_mut(sums), m, n);
                gemm_packed_b(isa, &plan, left, &packed, c, &Epilogue::STORE, &mut scratch);
            }
            Pair::round(isa, MatRef::row_major(&*sums, m, n), MatMut::row_major(out.slice(m * n, half), m, n));
        }
        for n in lengths() {
            let [x, matrix, out, ..] = &mut fences;
            let (x, matrix) = (&*x.slice(n, |_| bf16::ONE), &*matrix.slice(5 * n, |i| bf16::from_f32(number(i))));
            bf16_product_with_vector(isa, MatRef::row_major(matrix, 5, n), x, out.slice(5, |_| 0.0));
            let across = MatRef::row_major(matrix, n, 5).transposed();
            bf16_product_with_vector(isa, across, x, out.slice(5, |_| 0.0));
        }
    }
}

#[test]
fn convolutions_end_where_a_page_does() {
    let mut fences = [(); 5].map(|()| Fenced::new(1 << 18));
    let one = Conv2dShape { in_channels: 3, height: 6, out_channels: 5, ..Conv2dShape::UNIT };
    let shapes = [1, 5, 16, 31, 40].map(|width| {
        [
            Conv2dShape { width, kernel: [3, 3], padding: [1, 1], ..one },
            Conv2dShape { width: width + 2, kernel: [2, 3], ..one },
            Conv2dShape { width, kernel: [1, 1], stride: [1, 2], ..one },
            Conv2dShape { width: width + 4, kernel: [5, 5], stride: [2, 2], padding: [0, 1], ..one },
        ]
    });
    let without_tiles = Isa::available().filter(|isa| isa.has_amx()).map(Isa::without_amx);
    for isa in Isa::available().chain(without_tiles) {
        for shape in shapes.as_flattened() {
            let [x, weight, out, scratch, pairs] = &mut fences;
            let (images, elements) = (&*x.slice(shape.image_elements(), number::<f32>), shape.weight_elements());
            let filter = Filter::new(&*weight.slice(elements, number::<f32>));
            let room = scratch.slice(shape.scratch_len::<f32>(isa), |_| 0.0);
            conv2d(isa, shape, images, &filter, out.slice(shape.output_elements(), |_| 0.0), room);

            let Some(way) = PairConvolution::new(isa, shape) else { continue };
            let half = |i| bf16::from_f32(number(i));
            let group = &*x.slice(way.sizes()[0], half);
            let mut words = vec![Pair::NOTHING; way.weights_len()];
            way.write_weights(&*weight.slice(elements, half), &mut words);
            let arranged = pairs.slice(way.arranged_len(), |_| Pair::NOTHING);
            way.arrange(group, arranged, scratch.slice(way.plane_len(), |_| Pair::NOTHING));
            let weight = weight.slice(words.len(), |i| words[i]);
            let room = scratch.slice(way.scratch_len(way.pixels()), |_| Pair::NOTHING);
            let sums = out.slice(way.outs() * way.pixels(), |_| 0.0);
            way.convolve(arranged, weight, None, 0..way.pixels(), sums, room);
        }
    }
}

//! Matrix products: batch axes broadcast without copies, strides go straight to the packing.

use super::isa::isa;
use super::product::{JOB, Lasting, cost, product};
use super::reduce::dot;
use super::symmetric::product_with_transpose;
use super::{bf16, mixed, movement, unsupported};
use crate::DynTensor;
use crate::dyn_tensor::checked_size;
use crate::parallel::try_for_each_piece;
use crate::storage::{Buffer, PackedPlace};
use std::borrow::Cow;
use trueno_core::{DType, Dims, Element, Error, Layout, Result, Strides, broadcast_shapes, dispatch_dtype};
use trueno_kernels::elementwise::Integer;
use trueno_kernels::matmul::{
    Bias, Epilogue, MatMut, MatRef, MatRefs, Plan, gemm, is_small, small_products, small_scratch_len, wrapping_product,
    wrapping_scratch_len,
};
use trueno_kernels::simd::Real;

/// Multiply-adds from which one product of a batch is itself cut among threads.
const LARGE: usize = 1 << 22;
/// Rows of a product of integers that are computed together.
const INTEGER_ROWS: usize = 64;

/// One operand: its elements and how its matrices lie in them.
#[derive(Clone, Copy)]
pub(super) struct Factor<'a, T> {
    elements: &'a [T],
    first: usize,
    size: [usize; 2],
    steps: [isize; 2],
}

impl<'a, T: Element> Factor<'a, T> {
    /// The matrices over the last two axes.
    pub fn of(x: &'a DynTensor) -> Factor<'a, T> {
        let (shape, strides, row) = (x.shape(), x.layout().strides(), x.rank() - 2);
        let (size, steps) = ([shape[row], shape[row + 1]], [strides[row], strides[row + 1]]);
        Factor { elements: x.storage().as_slice::<T>(), first: x.layout().offset(), size, steps }
    }

    /// The elements of a single row or column without gaps.
    fn line(&self) -> Option<&[T]> {
        let length = match (self.size, self.steps) {
            ([1, length], [_, 1]) | ([length, 1], [1, _]) => length,
            _ => return None,
        };
        Some(&self.elements[self.first..][..length])
    }

    pub fn transposed(self) -> Factor<'a, T> {
        let ([rows, cols], [down, along]) = (self.size, self.steps);
        Factor { size: [cols, rows], steps: [along, down], ..self }
    }

    /// Where it lies, as the right operand of products that may come again.
    pub fn lasting(&self, x: &'a DynTensor) -> Lasting<'a> {
        let Factor { first, size, steps, .. } = *self;
        Lasting { buffer: x.storage(), place: PackedPlace { isa: isa(), first, size, steps } }
    }

    /// `count` matrices from the one at `offset` on, each `step` elements from the one before.
    fn matrices(&self, offset: isize, count: usize, step: isize) -> MatRefs<'_, T> {
        let ([rows, cols], [down, along]) = (self.size, self.steps);
        let first = self.first.wrapping_add_signed(offset);
        MatRefs::new(self.elements, first, [count, rows, cols], [step, down, along])
    }

    pub fn matrix(&self, offset: isize) -> MatRef<'_, T> {
        MatRef::new(self.elements, self.first.wrapping_add_signed(offset), self.size, self.steps)
    }
}

/// The shape of the product over the last two axes; leading axes broadcast.
pub(super) fn product_shape(op: &'static str, lhs: &[usize], rhs: &[usize]) -> Result<Dims> {
    let refuse = |reason| Error::ShapePair { op, lhs: lhs.into(), rhs: rhs.into(), reason };
    let ([lead_a @ .., m, k], [lead_b @ .., rows, n]) = (lhs, rhs) else {
        return Err(refuse("both need at least two axes".into()));
    };
    if k != rows {
        return Err(refuse(format!("axis -1 of the left is {k}, axis -2 of the right is {rows}").into()));
    }
    let mut shape = broadcast_shapes(op, lead_a, lead_b).map_err(|error| match error {
        Error::Broadcast { op, axis, .. } => Error::Broadcast { op, lhs: lhs.into(), rhs: rhs.into(), axis: axis - 2 },
        other => other,
    })?;
    shape.extend([*m, *n]);
    Ok(shape)
}

/// Operands of `linear` (and its likes) that fit: how many rows of how many inputs there are, and the result's shape.
pub(super) struct LinearShape {
    pub rows: usize,
    pub inputs: usize,
    pub output: Dims,
}

impl LinearShape {
    pub fn new(op: &'static str, x: &[usize], weight: &[usize], bias: Option<&[usize]>) -> Result<LinearShape> {
        let refuse = |other: &[usize], reason: String| {
            let (lhs, rhs) = (other.into(), weight.into());
            Error::ShapePair { op, lhs, rhs, reason: reason.into() }
        };
        let ([lead @ .., k], [n, inputs]) = (x, weight) else {
            return Err(refuse(x, "it takes an input of at least one axis and a weight of two".into()));
        };
        if k != inputs {
            return Err(refuse(x, format!("the last axis must have size {inputs}, that of the weight's axis 1")));
        }
        if let Some(bias) = bias.filter(|bias| *bias != [*n]) {
            return Err(refuse(bias, format!("the bias must have shape [{n}], one element per row of the weight")));
        }
        let mut output = Dims::from_slice(lead);
        output.push(*n);
        checked_size(op, &output)?;
        Ok(LinearShape { rows: lead.iter().product(), inputs: *k, output })
    }
}

/// The product over the last two axes; leading axes broadcast.
pub(crate) fn matmul(a: &DynTensor, b: &DynTensor) -> Result<DynTensor> {
    let problem = Problem::new("matmul", a, b)?;
    if a.dtype() != b.dtype() {
        return Err(mixed("matmul", a.dtype(), b.dtype()));
    }
    let mut buffer = Buffer::new("matmul", a.dtype(), checked_size("matmul", &problem.shape)?)?;
    if a.dtype() == DType::BF16 {
        bf16::matmul(&problem, buffer.as_mut_slice())?;
    } else if buffer.len() > 0 {
        dispatch_dtype!(a.dtype(), real T => {
            problem.run::<T>(buffer.as_mut_slice::<T>())?;
        }, else dispatch_dtype!(a.dtype(), int T => {
            problem.run_int::<T>(buffer.as_mut_slice::<T>())?;
        }, else return Err(unsupported("matmul", a.dtype(), "it takes numbers; cast it first"))));
    }
    Ok(DynTensor::from_buffer(buffer, &problem.shape))
}

/// `x wᵀ + b` over the last axis; the bias is added while the sums are still in registers.
pub(crate) fn linear(x: &DynTensor, w: &DynTensor, bias: Option<&DynTensor>) -> Result<DynTensor> {
    let LinearShape { rows, inputs, output: shape } =
        LinearShape::new("linear", x.shape(), w.shape(), bias.map(DynTensor::shape))?;
    if let Some(other) = [Some(w), bias].into_iter().flatten().find(|other| other.dtype() != x.dtype()) {
        return Err(mixed("linear", x.dtype(), other.dtype()));
    }
    let outputs = w.shape()[0];
    let mut buffer = Buffer::new("linear", x.dtype(), checked_size("linear", &shape)?)?;
    if x.dtype() == DType::BF16 {
        let x = movement::reshape(&[rows, inputs], x)?;
        bf16::linear(&x, w, bias, buffer.as_mut_slice())?;
    } else if buffer.len() > 0 {
        let x = movement::reshape(&[rows, inputs], x)?;
        let bias = bias.map(|bias| movement::copy("linear", bias)).transpose()?;
        dispatch_dtype!(x.dtype(), real T => {
            let (a, b) = (Factor::<T>::of(&x), Factor::<T>::of(w));
            let bias = bias.as_ref().map_or(Bias::None, |bias| Bias::PerColumn(bias.storage().as_slice::<T>()));
            let c = MatMut::row_major(buffer.as_mut_slice::<T>(), rows, outputs);
            let b = b.transposed();
            product(a.matrix(0), b.matrix(0), Some(b.lasting(w)), c, &Epilogue { bias, ..Epilogue::STORE })?;
        }, else return Err(unsupported("linear", x.dtype(), "it takes floating point numbers; cast it first")));
    }
    Ok(DynTensor::from_buffer(buffer, &shape))
}

/// A batch of products `[m, k] x [k, n]`.
pub(super) struct Problem<'a> {
    a: Cow<'a, DynTensor>,
    pub b: Cow<'a, DynTensor>,
    pub shape: Dims,
    batch: Dims,
    strides: [Strides; 2],
    pub m: usize,
    pub n: usize,
    pub k: usize,
}

impl<'a> Problem<'a> {
    pub fn new(op: &'static str, a: &'a DynTensor, b: &'a DynTensor) -> Result<Problem<'a>> {
        let shape = product_shape(op, a.shape(), b.shape())?;
        let (lead, n) = (&shape[..shape.len() - 2], shape[shape.len() - 1]);
        let (batch, [a, b]) = match stacked(a, b) {
            Some(operands) => (Dims::new(), operands.map(Cow::Owned)),
            None => (Dims::from_slice(lead), [Cow::Borrowed(a), Cow::Borrowed(b)]),
        };
        let (batch, strides) = collapsed(&batch, [&a, &b].map(|x| batch_strides(x.layout(), &batch)));
        let (m, k) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1]);
        Ok(Problem { a, b, shape, batch, strides, m, n, k })
    }

    /// Elements from the first matrix of each operand to the one at position `index` of the batch.
    pub fn offsets(&self, index: usize) -> [isize; 2] {
        let (mut rest, mut offsets) = (index, [0; 2]);
        for axis in (0..self.batch.len()).rev() {
            let position = (rest % self.batch[axis]) as isize;
            rest /= self.batch[axis];
            for (offset, strides) in offsets.iter_mut().zip(&self.strides) {
                *offset += position * strides[axis];
            }
        }
        offsets
    }

    pub fn factors<T: Element>(&self) -> [Factor<'_, T>; 2] {
        [Factor::of(&self.a), Factor::of(&self.b)]
    }

    fn run<T: Real>(&self, out: &mut [T]) -> Result<()> {
        let (m, n, k) = (self.m, self.n, self.k);
        let [a, b] = self.factors::<T>();
        if let ([out], Some(a), Some(b)) = (&mut *out, a.line(), b.line()) {
            *out = dot(a, b);
            return Ok(());
        }
        if is_small([m, n, k]) {
            return self.run_small([a, b], out);
        }
        let cost = cost([m, n, k]);
        if cost >= LARGE {
            // One of many matrices would take the place of another.
            let lasting = (out.len() == m * n).then(|| b.lasting(&self.b));
            for (index, out) in out.chunks_mut(m * n).enumerate() {
                let [skip_a, skip_b] = self.offsets(index);
                let (a, b) = (a.matrix(skip_a), b.matrix(skip_b));
                if b.is_transpose_of(&a) && m > 1 {
                    product_with_transpose(a, out)?;
                } else {
                    product(a, b, lasting, MatMut::row_major(out, m, n), &Epilogue::STORE)?;
                }
            }
            return Ok(());
        }
        let plan = Plan::new::<T>(isa(), m, n, k);
        let together = (JOB / cost.max(1)).max(1);
        try_for_each_piece(out, together * m * n, k.max(1), |piece, out| {
            let mut scratch = Buffer::new("matmul", T::DTYPE, plan.scratch_len())?;
            for (i, out) in out.chunks_mut(m * n).enumerate() {
                let [skip_a, skip_b] = self.offsets(piece * together + i);
                let c = MatMut::row_major(out, m, n);
                let scratch = scratch.as_mut_slice::<T>();
                gemm(isa(), &plan, a.matrix(skip_a), b.matrix(skip_b), c, &Epilogue::STORE, scratch);
            }
            Ok(())
        })
    }

    /// Runs `product` for every matrix of the batch: one after the other where each is worth all threads, else many on each thread. It gets
    /// the factors, where the right one lies if it may be met again, and what it fills.
    pub fn each<T: Element, C: Send>(
        &self,
        out: &mut [C],
        product: impl Fn(MatRef<'_, T>, MatRef<'_, T>, Option<Lasting<'_>>, &mut [C]) -> Result<()> + Sync + Send,
    ) -> Result<()> {
        let (size, [a, b]) = (self.m * self.n, self.factors::<T>());
        let cost = cost([self.m, self.n, self.k]);
        if cost >= LARGE || out.len() == size {
            // One of many matrices would take the place of another.
            let lasting = (out.len() == size).then(|| b.lasting(&self.b));
            for (index, out) in out.chunks_mut(size).enumerate() {
                let [skip_a, skip_b] = self.offsets(index);
                product(a.matrix(skip_a), b.matrix(skip_b), lasting, out)?;
            }
            return Ok(());
        }
        let together = (JOB / cost.max(1)).max(1);
        try_for_each_piece(out, together * size, self.k.max(1), |piece, out| {
            for (i, out) in out.chunks_mut(size).enumerate() {
                let [skip_a, skip_b] = self.offsets(piece * together + i);
                product(a.matrix(skip_a), b.matrix(skip_b), None, out)?;
            }
            Ok(())
        })
    }

    /// Runs of the innermost batch axis, whose matrices are equally far apart.
    fn run_small<T: Real>(&self, [a, b]: [Factor<'_, T>; 2], out: &mut [T]) -> Result<()> {
        let ([m, n, k], size) = ([self.m, self.n, self.k], self.m * self.n);
        let length = self.batch.last().copied().unwrap_or(1);
        let [step_a, step_b] = self.strides.each_ref().map(|strides| strides.last().copied().unwrap_or(0));
        let together = (JOB / cost([m, n, k]).max(1)).max(1);
        try_for_each_piece(out, together * size, k.max(1), |piece, out| {
            let mut scratch = Buffer::new("matmul", T::DTYPE, small_scratch_len(n, k))?;
            let (mut index, mut rest) = (piece * together, out);
            while !rest.is_empty() {
                let count = (length - index % length).min(rest.len() / size);
                let [skip_a, skip_b] = self.offsets(index);
                let (a, b) = (a.matrices(skip_a, count, step_a), b.matrices(skip_b, count, step_b));
                let (out, more) = rest.split_at_mut(count * size);
                small_products(isa(), a, b, out, scratch.as_mut_slice());
                (index, rest) = (index + count, more);
            }
            Ok(())
        })
    }

    /// Wrapping on overflow as NumPy does.
    fn run_int<T: Integer>(&self, out: &mut [T]) -> Result<()> {
        let (m, n, k) = (self.m, self.n, self.k);
        let [a, b] = self.factors::<T>();
        let mut jobs = Vec::new();
        for (index, out) in out.chunks_mut(m * n).enumerate() {
            let rows = (0..m).step_by(INTEGER_ROWS);
            jobs.extend(rows.zip(out.chunks_mut(INTEGER_ROWS * n)).map(|(row, out)| (index, row, out)));
        }
        try_for_each_piece(&mut jobs, 1, cost([m.min(INTEGER_ROWS), n, k]), |_, jobs| {
            let mut scratch = Buffer::new("matmul", T::DTYPE, wrapping_scratch_len::<T>(k))?;
            for (index, row, out) in jobs {
                let [skip_a, skip_b] = self.offsets(*index);
                let rows = *row..*row + out.len() / n;
                let (a, b) = (a.matrix(skip_a).block(rows, 0..k), b.matrix(skip_b));
                wrapping_product(isa(), a, b, out, scratch.as_mut_slice());
            }
            Ok(())
        })
    }
}

/// Both operands as single matrices, if all matrices of `a` meet the same one of `b` and lie so that they stack: one
/// large product packs `b` once.
fn stacked(a: &DynTensor, b: &DynTensor) -> Option<[DynTensor; 2]> {
    let (lead, matrix) = b.shape().split_at(b.rank() - 2);
    if a.rank() == 2 || b.rank() > a.rank() || lead.iter().any(|&size| size != 1) {
        return None;
    }
    let (rows, cols) = a.shape().split_at(a.rank() - 1);
    let a = a.view(a.layout().reshape(&[rows.iter().product(), cols[0]])?);
    Some([a, b.view(b.layout().reshape(matrix)?)])
}

/// Steps of a layout's leading axes when they are broadcast to `batch`.
fn batch_strides(layout: &Layout, batch: &[usize]) -> Strides {
    let lead = layout.rank() - 2;
    let missing = batch.len() - lead;
    let step = |axis: usize| match axis.checked_sub(missing) {
        Some(own) if layout.shape()[own] != 1 => layout.strides()[own],
        _ => 0,
    };
    (0..batch.len()).map(step).collect()
}

/// The batch with neighbouring axes merged where one step of the outer is a whole run of the inner in both operands.
fn collapsed(batch: &[usize], strides: [Strides; 2]) -> (Dims, [Strides; 2]) {
    let (mut sizes, mut merged) = (Dims::new(), [Strides::new(), Strides::new()]);
    for (axis, &size) in batch.iter().enumerate().filter(|&(_, &size)| size != 1) {
        let steps = strides.each_ref().map(|strides| strides[axis]);
        let follows = |(merged, step): (&Strides, isize)| merged.last() == Some(&(step * size as isize));
        match sizes.last_mut() {
            Some(last) if merged.iter().zip(steps).all(follows) => {
                *last *= size;
                merged.iter_mut().for_each(|strides| strides.truncate(strides.len() - 1));
            }
            _ => sizes.push(size),
        }
        merged.iter_mut().zip(steps).for_each(|(strides, step)| strides.push(step));
    }
    (sizes, merged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::{assert_close, assert_refused, assert_threads_agree, numbers, single};
    use crate::with_prepacking;
    use trueno_core::SliceItem;
    use trueno_core::table::BinaryOp;

    /// Element by element over operands copied to the whole batch.
    fn naive(a: &DynTensor, b: &DynTensor) -> Vec<f64> {
        let (lead_a, lead_b) = (&a.shape()[..a.rank() - 2], &b.shape()[..b.rank() - 2]);
        let batch = broadcast_shapes("test", lead_a, lead_b).unwrap();
        let wide = |x: &DynTensor| {
            let shape: Vec<usize> = batch.iter().chain(&x.shape()[x.rank() - 2..]).copied().collect();
            x.broadcast_to(&shape).unwrap().to_vec::<f64>().unwrap()
        };
        let (m, k, n) = (a.shape()[a.rank() - 2], a.shape()[a.rank() - 1], b.shape()[b.rank() - 1]);
        let (a, b) = (wide(a), wide(b));
        let at = |i: usize| {
            let (matrix, row, col) = (i / (m * n), i / n % m, i % n);
            (0..k).map(|step| a[(matrix * m + row) * k + step] * b[(matrix * k + step) * n + col]).sum()
        };
        (0..batch.iter().product::<usize>() * m * n).map(at).collect()
    }

    #[test]
    fn any_strides_and_batches_agree_with_sums() {
        let cases = [
            (numbers(&[3, 4]), numbers(&[4, 5])),
            (numbers(&[1, 1]), numbers(&[1, 1])),
            (numbers(&[4, 3]).transpose().unwrap(), numbers(&[5, 4]).transpose().unwrap()),
            (numbers(&[7, 33]).flip(&[0, 1]).unwrap(), numbers(&[33, 2])),
            (numbers(&[65, 70]), numbers(&[70, 67])),
            (numbers(&[6, 2, 3, 4]), numbers(&[2, 4, 5])),
            (numbers(&[1, 3, 4]), numbers(&[6, 4, 5])),
            (numbers(&[6, 1, 3, 4]), numbers(&[1, 5, 4, 2])),
            (numbers(&[2, 3, 4]), numbers(&[4, 5])),
            (numbers(&[3, 2, 4]).permute(&[1, 0, 2]).unwrap(), numbers(&[1, 4, 5])),
            (numbers(&[5, 1]).broadcast_to(&[5, 6]).unwrap(), numbers(&[6, 3])),
            (numbers(&[40, 1, 50]), numbers(&[40, 50, 3])),
            (numbers(&[4, 3, 2, 5, 6]), numbers(&[4, 3, 2, 6, 7])),
            (numbers(&[4, 3, 2, 5, 6]), numbers(&[3, 1, 6, 7])),
            (numbers(&[3, 4, 5, 6]).permute(&[1, 0, 2, 3]).unwrap(), numbers(&[4, 3, 6, 1])),
            (numbers(&[9, 5, 6]).flip(&[0]).unwrap(), numbers(&[9, 7, 6]).permute(&[0, 2, 1]).unwrap()),
        ];
        for (a, b) in cases {
            let want = naive(&a, &b);
            assert_close(&matmul(&a, &b).unwrap(), &want, 1e-12);
            let [a, b] = single([&a, &b]);
            assert_close(&matmul(&a, &b).unwrap(), &want, 1e-5);
        }
    }

    #[test]
    fn sums_of_nothing_are_zero_and_empty_stays_empty() {
        let zeros = matmul(&numbers(&[2, 3, 0]), &numbers(&[0, 4])).unwrap();
        assert_eq!(zeros.shape(), [2, 3, 4]);
        assert_eq!(zeros.to_vec::<f64>().unwrap(), [0.0; 24]);
        assert_eq!(matmul(&numbers(&[0, 3]), &numbers(&[3, 4])).unwrap().shape(), [0, 4]);
        assert_eq!(matmul(&numbers(&[0, 2, 3]), &numbers(&[3, 4])).unwrap().shape(), [0, 2, 4]);
        assert_eq!(matmul(&numbers(&[5, 2, 3]), &numbers(&[5, 3, 0])).unwrap().shape(), [5, 2, 0]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let cases = [
            (numbers(&[300, 301]), numbers(&[301, 1030])),
            (numbers(&[3, 1000]), numbers(&[1000, 3000])),
            (numbers(&[5000, 900]), numbers(&[900, 1])),
            (numbers(&[70, 64, 65]), numbers(&[70, 65, 66])),
            (numbers(&[900, 16, 17]), numbers(&[900, 17, 18])),
            (numbers(&[3, 200, 160]), numbers(&[160, 200])),
        ];
        for (a, b) in cases {
            assert_threads_agree(|| matmul(&a, &b).unwrap());
            let last = a.narrow(-2, a.shape()[a.rank() - 2] - 1, 1).unwrap();
            let product = matmul(&a, &b).unwrap();
            let row = product.narrow(-2, product.shape()[product.rank() - 2] - 1, 1).unwrap();
            assert_close(&row, &naive(&last, &b), 1e-12);
        }
    }

    #[test]
    fn integers_wrap_as_in_numpy() {
        let a = DynTensor::from_slice(&[200_u8, 100, 1, 2], &[2, 2]).unwrap();
        let product = matmul(&a, &a.transpose().unwrap()).unwrap();
        assert_eq!(product.to_vec::<u8>().unwrap(), [80, 144, 144, 5]);
        let a = DynTensor::from_slice(&[1_i64, -2, 3], &[1, 3]).unwrap();
        assert_eq!(matmul(&a, &a.transpose().unwrap()).unwrap().to_vec::<i64>().unwrap(), [14]);
        assert_threads_agree(|| matmul(&a, &a.transpose().unwrap()).unwrap().cast(trueno_core::DType::F64).unwrap());
    }

    #[test]
    fn products_of_integers_are_those_of_floats_where_these_are_exact() {
        for (a, b) in [
            (numbers(&[150, 37]), numbers(&[37, 33])),
            (numbers(&[3, 5, 70]), numbers(&[3, 70, 1])),
            (numbers(&[1, 9]), numbers(&[9, 20])),
            (numbers(&[4, 0]), numbers(&[0, 3])),
            (numbers(&[2, 66, 3]), numbers(&[5, 3]).transpose().unwrap()),
        ] {
            let whole =
                |x: &DynTensor| x.binary_scalar(BinaryOp::Mul, 50.0).unwrap().cast(trueno_core::DType::I32).unwrap();
            let (a, b) = (whole(&a), whole(&b));
            let floats = |x: &DynTensor| x.cast(trueno_core::DType::F64).unwrap();
            let want = matmul(&floats(&a), &floats(&b)).unwrap().to_vec::<f64>().unwrap();
            let got = floats(&matmul(&a, &b).unwrap());
            assert_eq!(got.to_vec::<f64>().unwrap(), want);
            assert_threads_agree(|| floats(&matmul(&a, &b).unwrap()));
        }
    }

    #[test]
    fn linear_is_the_product_and_then_the_bias_bit_for_bit() {
        for (rows, inputs, outputs) in [(1, 5, 3), (2, 7, 40), (9, 300, 33), (200, 130, 170)] {
            let x = numbers(&[rows, 1, inputs]);
            let (w, b) = (numbers(&[inputs, outputs]).transpose().unwrap(), numbers(&[2 * outputs]));
            let b = b.slice(&[SliceItem::Range { start: None, stop: None, step: 2 }]).unwrap();
            let [x, w, b] = single([&x, &w, &b]);
            for w in [&w, &w.contiguous().unwrap()] {
                let apart = x.matmul(&w.transpose().unwrap()).unwrap().binary(BinaryOp::Add, &b).unwrap();
                let fused = x.linear(w, Some(&b)).unwrap();
                assert_eq!(fused.shape(), [rows, 1, outputs]);
                assert_eq!(fused.to_vec::<f32>().unwrap(), apart.to_vec::<f32>().unwrap());
                assert_threads_agree(|| x.linear(w, Some(&b)).unwrap());
            }
        }
        let nothing = numbers(&[2, 0]).linear(&numbers(&[3, 0]), Some(&numbers(&[3]))).unwrap();
        assert_eq!(nothing.to_vec::<f64>().unwrap(), numbers(&[3]).to_vec::<f64>().unwrap().repeat(2));
    }

    #[test]
    fn a_kept_packing_changes_no_bit_and_goes_with_the_first_write() {
        for (rows, inputs, outputs) in [(2, 5, 3), (9, 300, 33), (64, 130, 1170), (20, 700, 500), (256, 64, 70)] {
            let [x, mut w, b] = single([&numbers(&[rows, inputs]), &numbers(&[outputs, inputs]), &numbers(&[outputs])]);
            let packed_each_time =
                |w: &DynTensor| with_prepacking(false, || x.linear(w, Some(&b)).unwrap().to_vec::<f32>().unwrap());
            for _ in 0..2 {
                let want = packed_each_time(&w);
                for threads in [1, 2, 7, 1] {
                    let found = crate::with_num_threads(threads, || x.linear(&w, Some(&b)).unwrap());
                    assert_eq!(found.to_vec::<f32>().unwrap(), want, "{rows} {inputs} {outputs}");
                }
                // A view of other rows is another matrix of the same elements.
                let part = w.narrow(0, outputs / 2, 1).unwrap();
                assert_eq!(x.linear(&part, None).unwrap().shape(), [rows, 1]);
                let turned = w.transpose().unwrap().contiguous().unwrap();
                assert_eq!(x.linear(&turned.transpose().unwrap(), Some(&b)).unwrap().to_vec::<f32>().unwrap(), want);
                w.make_mut::<f32>().unwrap()[inputs - 1] += 1.0;
                assert_ne!(packed_each_time(&w), want);
            }
        }
        // Large enough for a product of its own.
        let (a, b) = (numbers(&[64, 400]), numbers(&[200, 400]).transpose().unwrap());
        let want = with_prepacking(false, || matmul(&a, &b).unwrap().to_vec::<f64>().unwrap());
        for _ in 0..3 {
            assert_eq!(matmul(&a, &b).unwrap().to_vec::<f64>().unwrap(), want);
        }
    }

    #[test]
    fn linear_names_what_does_not_fit() {
        let run = |x: &[usize], w: &[usize], b: &[usize]| numbers(x).linear(&numbers(w), Some(&numbers(b)));
        assert_refused(run(&[2, 3], &[4, 5], &[4]), &["linear", "[2, 3]", "[4, 5]", "size 5"]);
        assert_refused(run(&[2, 3], &[4, 3], &[3]), &["[4, 3]", "[3]", "[4], one element per row"]);
        assert_refused(run(&[], &[4, 3], &[4]), &["at least one axis"]);
        let ints = DynTensor::from_slice(&[1_i32], &[1, 1]).unwrap();
        assert_refused(ints.linear(&ints, None), &["linear", "int32", "floating point"]);
    }

    #[test]
    fn errors_name_both_shapes_and_the_axis() {
        let run = |a: &[usize], b: &[usize]| matmul(&numbers(a), &numbers(b));
        assert_refused(run(&[2, 3], &[4, 5]), &["matmul", "[2, 3]", "[4, 5]", "axis -1"]);
        assert_refused(run(&[2, 3, 4], &[5, 4, 3]), &["[2, 3, 4]", "[5, 4, 3]", "axis -3"]);
        let ints = DynTensor::from_slice(&[1_i32], &[1, 1]).unwrap();
        assert_refused(matmul(&numbers(&[1, 1]), &ints), &["float64", "int32"]);
        assert_refused(matmul(&numbers(&[1]), &ints), &["[1]", "two axes"]);
    }
}

//! Formulas of the user's own: broadcast, walk in blocks, run their one kernel on each.

use super::caches::{AT_HAND, Writing};
use super::elementwise::{common_shape, same_dtype, unary_cost};
use super::isa::isa;
use super::operand::{BLOCK, Source, blocks, is_direct};
use super::{FLOATS, unsupported};
use crate::DynTensor;
use crate::fused::{Fusion, Kernel};
use crate::parallel::{for_each_piece, piece_size};
use crate::storage::Buffer;
use smallvec::{SmallVec, smallvec};
use trueno_core::fuse::{Listing, MAX_OPERANDS, Node};
use trueno_core::{Dims, Element, Layout, Result, dispatch_dtype};
use trueno_kernels::Operand;
use trueno_kernels::simd::MAX_LANES;

/// Operands of a kernel: those of the formula, and the gradient by its value.
type Operands<'a, T> = SmallVec<[Operand<'a, T>; MAX_OPERANDS + 1]>;

/// A part of each result, where it is wanted.
pub(crate) type Outs<'a, T> = [Option<&'a mut [T]>; MAX_OPERANDS];

/// The value of a formula.
pub(crate) fn fused(fusion: &Fusion, operands: &[&DynTensor]) -> Result<DynTensor> {
    let shape = common_shape("fused", operands)?;
    dispatch_dtype!(same_dtype("fused", operands)?, real T => {
        let mut buffer = new_buffer::<T>(&shape)?;
        let inputs: Inputs<'_> = operands.iter().copied().map(Some).collect();
        value::<T>(fusion, &inputs, &shape, buffer.as_mut_slice::<T>())?;
        Ok(DynTensor::from_buffer(buffer, &shape))
    }, else Err(unsupported("fused", operands[0].dtype(), FLOATS)))
}

/// The value of a formula in the memory of its first operand, which has the result's shape and is nobody else's. Says `false`, and
/// leaves the operand as it is, where that cannot be.
pub(crate) fn fused_in_place(fusion: &Fusion, first: &mut DynTensor, rest: &[&DynTensor]) -> Result<bool> {
    if rest.len() + 1 != fusion.listing().operands() {
        return Ok(false);
    }
    dispatch_dtype!(first.dtype(), real T => {
        let shape = Dims::from_slice(first.shape());
        let Some(out) = first.as_mut_slice::<T>() else { return Ok(false) };
        let inputs: Inputs<'_> = [None].into_iter().chain(rest.iter().copied().map(Some)).collect();
        value::<T>(fusion, &inputs, &shape, out)?;
        Ok(true)
    }, else Ok(false))
}

/// The gradients of a formula by the wanted operands, of the common shape; `None` for the others. Operands that no wanted
/// gradient reads may be missing.
pub(crate) fn fused_grad(
    fusion: &Fusion,
    operands: &[Option<DynTensor>],
    g: &DynTensor,
    wanted: &[bool],
) -> Result<Vec<Option<DynTensor>>> {
    let zero = g.constant(0.0)?;
    let all: SmallVec<[&DynTensor; MAX_OPERANDS + 1]> =
        operands.iter().map(|x| x.as_ref().unwrap_or(&zero)).chain([g]).collect();
    dispatch_dtype!(same_dtype("fused", &all)?, real T => {
        let shape = g.shape();
        let mut buffers = wanted
            .iter()
            .map(|&wanted| wanted.then(|| new_buffer::<T>(shape)).transpose())
            .collect::<Result<Vec<_>>>()?;
        let mut outs: Outs<'_, T> = [const { None }; MAX_OPERANDS];
        for (out, buffer) in outs.iter_mut().zip(&mut buffers) {
            *out = buffer.as_mut().map(Buffer::as_mut_slice::<T>);
        }
        let inputs: Inputs<'_> = all.iter().copied().map(Some).collect();
        // Backwards every step costs about twice what it costs forwards.
        map::<T>(&inputs, shape, outs, 3 * cost(fusion.listing()), &|operands, outs| {
            T::differentiate(fusion, isa(), operands, outs);
        })?;
        Ok(buffers.into_iter().map(|buffer| buffer.map(|buffer| DynTensor::from_buffer(buffer, shape))).collect())
    }, else Err(unsupported("fused", g.dtype(), FLOATS)))
}

fn new_buffer<T: Element>(shape: &[usize]) -> Result<Buffer> {
    Buffer::new("fused", T::DTYPE, crate::dyn_tensor::checked_size("fused", shape)?)
}

fn value<T: Kernel>(fusion: &Fusion, inputs: &Inputs<'_>, shape: &[usize], out: &mut [T]) -> Result<()> {
    let mut outs: Outs<'_, T> = [const { None }; MAX_OPERANDS];
    // A result in the memory of an operand is read first, so the caches have it already.
    let operands: Option<usize> = inputs.iter().map(|x| x.map(DynTensor::size)).sum();
    let writing = operands.map_or(Writing::Cached, |operands| Writing::of((operands + out.len()) * size_of::<T>()));
    outs[0] = Some(out);
    map::<T>(inputs, shape, outs, cost(fusion.listing()), &|operands, [out, ..]| {
        if let Some(out) = out {
            writing.fill(out, AT_HAND, |start, block| {
                let operands: Operands<'_, T> = operands.iter().map(|x| x.part(start, block.len())).collect();
                T::compute(fusion, isa(), &operands, block);
            });
        }
    })
}

/// Rough cost of one element, in units of an addition.
fn cost(listing: &Listing) -> usize {
    let step = |node: &Node| match node {
        Node::Unary(op, ..) => unary_cost(*op),
        Node::Binary(..) | Node::Select(_) | Node::Compare(..) => 1,
        Node::Ternary(..) => 2,
        Node::And(_) | Node::Or(_) | Node::Xor(_) | Node::Not(_) => 1,
        Node::Operand(_) | Node::Parameter(_) | Node::Literal(_) => 0,
    };
    listing.nodes().iter().map(step).sum::<usize>().max(1)
}

/// Operands of a kernel; `None` is the first result's own memory.
type Inputs<'a> = SmallVec<[Option<&'a DynTensor>; MAX_OPERANDS + 1]>;

/// The operands as they are, if their elements lie in the order of a result of this shape or are one value each.
fn in_order<'a, T: Element>(inputs: &Inputs<'a>, shape: &[usize]) -> Option<Operands<'a, T>> {
    let operand = |input: &Option<&'a DynTensor>| {
        let Some(x) = input else { return Some(Operand::InPlace) };
        let elements = &x.storage().as_slice::<T>()[x.layout().offset()..];
        match x.size() {
            1 => Some(Operand::Scalar(elements[0])),
            size if x.shape() == shape && x.layout().is_contiguous() => Some(Operand::Slice(&elements[..size])),
            _ => None,
        }
    };
    inputs.iter().map(operand).collect()
}

/// A piece size that cuts the work into an even number of equal pieces, or not at all: a formula has seldom more than a few, and
/// of five pieces two threads do three and two.
fn even_piece(size: usize, cost: usize) -> usize {
    let count = size.div_ceil(piece_size(size, cost));
    if count == 1 { size } else { size.div_ceil(count.next_multiple_of(2)).next_multiple_of(MAX_LANES) }
}

/// What computes a block: its operands, and its part of every result.
type BlockKernel<'a, T> = dyn Fn(&[Operand<'_, T>], Outs<'_, T>) + Sync + 'a;

/// Fills the results piece by piece, on several threads if `cost` per element makes that pay.
fn map<T: Kernel>(
    inputs: &Inputs<'_>,
    shape: &[usize],
    mut outs: Outs<'_, T>,
    cost: usize,
    kernel: &BlockKernel<'_, T>,
) -> Result<()> {
    let size: usize = shape.iter().product();
    if size == 0 {
        return Ok(());
    }
    let piece = even_piece(size, cost);
    let mut pieces: SmallVec<[Outs<'_, T>; 1]> = smallvec![];
    for start in (0..size).step_by(piece) {
        let length = piece.min(size - start);
        pieces.push(outs.each_mut().map(|out| out.as_mut().and_then(|rest| rest.split_off_mut(..length))));
    }
    if let Some(operands) = in_order::<T>(inputs, shape) {
        for_each_piece(&mut pieces, 1, piece.saturating_mul(cost), |index, part| {
            let length = piece.min(size - index * piece);
            let operands: Operands<'_, T> = operands.iter().map(|x| x.part(index * piece, length)).collect();
            part.iter_mut().for_each(|outs| kernel(&operands, std::mem::take(outs)));
        });
        return Ok(());
    }
    let layout = |input: &Option<&DynTensor>| input.map(|x| x.layout().broadcast_to("fused", shape)).transpose();
    let layouts: SmallVec<[Option<Layout>; MAX_OPERANDS + 1]> = inputs.iter().map(layout).collect::<Result<_>>()?;
    let source = |(input, layout): (&Option<_>, &Option<Layout>)| Some(Source::new((*input)?, layout.as_ref()?));
    let sources: SmallVec<[Option<Source<'_, T>>; MAX_OPERANDS + 1]> =
        inputs.iter().zip(&layouts).map(source).collect();
    let run = sources.iter().flatten().map(Source::run).min().unwrap_or(size);
    for_each_piece(&mut pieces, 1, piece.saturating_mul(cost), |index, part| {
        let (start, length) = (index * piece, piece.min(size - index * piece));
        // Blocks of whole runs are borrowed.
        let gathered = if is_direct(run) { 0 } else { sources.len() };
        let mut scratch = vec![[T::default(); BLOCK]; gathered];
        for outs in part {
            for (position, len) in blocks(start, start + length, run) {
                let block = |(source, scratch)| match (source, scratch) {
                    (Some(source), scratch) => Source::block(source, position, len, scratch),
                    (None, _) => Operand::InPlace,
                };
                let nowhere = std::iter::repeat_with(|| &mut [][..]);
                let scratch = scratch.iter_mut().map(|block| &mut block[..]).chain(nowhere);
                let pairs = sources.iter().map(Option::as_ref).zip(scratch);
                let operands: Operands<'_, T> = pairs.map(block).collect();
                kernel(&operands, outs.each_mut().map(|out| out.as_mut().and_then(|rest| rest.split_off_mut(..len))));
            }
        }
    });
    Ok(())
}

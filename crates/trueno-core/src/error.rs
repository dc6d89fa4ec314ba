//! The one error type. Each variant carries what a person needs to find the mistake: the operation,
//! the shapes, the axis, or the file and the offset.

use crate::DType;
use alloc::{borrow::Cow, boxed::Box, string::String};

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// What went wrong, in terms of what the caller asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two shapes do not broadcast: at `axis` (counted from the last, -1) neither size is 1 and they differ.
    #[error("{op}: shapes {lhs:?} and {rhs:?} do not broadcast: axis {axis} is {} on the left and {} on the right \
             (sizes must be equal or 1)", size_at(lhs, *axis), size_at(rhs, *axis))]
    Broadcast {
        /// The operation.
        op: &'static str,
        /// Shape of the left operand.
        lhs: Box<[usize]>,
        /// Shape of the right operand.
        rhs: Box<[usize]>,
        /// The first axis from the end that disagrees, negative.
        axis: isize,
    },
    /// A shape is not what the operation needs.
    #[error("{op}: shape {got:?} {reason}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// The shape that was given.
        got: Box<[usize]>,
        /// What is wrong with it and what would be right.
        reason: Cow<'static, str>,
    },
    /// Two operands do not fit together.
    #[error("{op}: shapes {lhs:?} and {rhs:?} do not fit: {reason}")]
    ShapePair {
        /// The operation.
        op: &'static str,
        /// Shape of the left operand.
        lhs: Box<[usize]>,
        /// Shape of the right operand.
        rhs: Box<[usize]>,
        /// Which axes disagree and what would be right.
        reason: Cow<'static, str>,
    },
    /// An axis does not exist.
    #[error("{op}: axis {axis} is out of range for a value of rank {rank} (allowed: {}..{rank})", -(*rank as isize))]
    Axis {
        /// The operation.
        op: &'static str,
        /// The axis that was asked for.
        axis: isize,
        /// The rank of the operand.
        rank: usize,
    },
    /// An index lies outside its axis.
    #[error("{op}: index {index} is out of range for axis {axis} of size {size}")]
    Index {
        /// The operation.
        op: &'static str,
        /// The index that was asked for.
        index: i64,
        /// The axis it was for.
        axis: usize,
        /// The size of that axis.
        size: usize,
    },
    /// The operation is not defined for this element type.
    #[error("{op}: not defined for {got}; {expected}")]
    DType {
        /// The operation.
        op: &'static str,
        /// The type that was given.
        got: DType,
        /// What would be accepted.
        expected: Cow<'static, str>,
    },
    /// An argument other than a shape or a type is out of its range.
    #[error("{op}: {reason}")]
    Argument {
        /// The operation.
        op: &'static str,
        /// What is wrong and what would be right.
        reason: Cow<'static, str>,
    },
    /// The gradient graph does not allow this.
    #[error("{op}: {reason}")]
    Gradient {
        /// The operation.
        op: &'static str,
        /// What is wrong and what to do.
        reason: Cow<'static, str>,
    },
    /// Memory for the result cannot be had.
    #[error("{op}: cannot allocate {bytes} bytes")]
    OutOfMemory {
        /// The operation.
        op: &'static str,
        /// The size that was asked for.
        bytes: usize,
    },
    /// A device is missing, lost, or refused what was asked of it.
    #[error("{op}: {device}: {reason}")]
    Device {
        /// The operation.
        op: &'static str,
        /// The device, as its driver names it, or what was looked for.
        device: String,
        /// What went wrong and what to do.
        reason: String,
    },
    /// A file is missing, unreadable or not what it claims to be.
    #[error("{path}{}: {reason}", At(*offset))]
    File {
        /// The file.
        path: String,
        /// The byte at which the trouble lies, where one is known.
        offset: Option<u64>,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// The same error under the name of the operation that was called, where that is made of others.
    ///
    /// ```
    /// use trueno_core::Error;
    /// let inner = Error::Axis { op: "unsqueeze", axis: 5, rank: 2 };
    /// assert_eq!(inner.named("stack"), Error::Axis { op: "stack", axis: 5, rank: 2 });
    /// ```
    #[must_use]
    pub fn named(mut self, name: &'static str) -> Error {
        match &mut self {
            Error::Broadcast { op, .. }
            | Error::Shape { op, .. }
            | Error::ShapePair { op, .. }
            | Error::Axis { op, .. }
            | Error::Index { op, .. }
            | Error::DType { op, .. }
            | Error::Argument { op, .. }
            | Error::Gradient { op, .. }
            | Error::OutOfMemory { op, .. }
            | Error::Device { op, .. } => *op = name,
            Error::File { .. } => {}
        }
        self
    }
}

struct At(Option<u64>);

impl core::fmt::Display for At {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(offset) => write!(f, " at byte {offset}"),
            None => Ok(()),
        }
    }
}

/// The size at a negative axis, or 1 where the shape is too short (as broadcasting reads it).
fn size_at(shape: &[usize], axis: isize) -> usize {
    let index = shape.len() as isize + axis;
    if index < 0 { 1 } else { shape[index as usize] }
}

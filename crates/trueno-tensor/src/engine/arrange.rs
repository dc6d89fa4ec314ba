//! Arrangements that are made of other operations, and so have their gradients.

use crate::DynTensor;
use smallvec::SmallVec;
use trueno_core::table::{BinaryOp, CompareOp, ReduceOp, UnaryOp};
use trueno_core::{Dims, Error, Result, SliceItem};

/// Positions along an axis.
fn positions(size: usize) -> Result<DynTensor> {
    DynTensor::from_slice(&(0..size as i64).collect::<Vec<_>>(), &[size])
}

/// How many columns each place of a matrix is right of the diagonal.
fn from_diagonal(rows: usize, cols: usize) -> Result<DynTensor> {
    positions(cols)?.binary(BinaryOp::Sub, &positions(rows)?.unsqueeze(1)?)
}

impl DynTensor {
    /// The last two axes, for an operation on matrices.
    fn matrix(&self, op: &'static str) -> Result<[usize; 2]> {
        match *self.shape() {
            [.., rows, cols] => Ok([rows, cols]),
            _ => Err(Error::Shape { op, got: self.shape().into(), reason: "is no matrix: it needs two axes".into() }),
        }
    }

    fn triangle(&self, op: &'static str, side: CompareOp, diagonal: i64) -> Result<DynTensor> {
        let [rows, cols] = self.matrix(op)?;
        // Of each row the column that the diagonal goes through: compared with all columns as they are, without their difference.
        let crossed: Vec<i64> = (0..rows as i64).map(|row| row.saturating_add(diagonal)).collect();
        let keep = || {
            let crossed = DynTensor::from_slice(&crossed, &[rows, 1])?;
            let mask = positions(cols)?.compare(side, &crossed)?.to(&self.device())?;
            mask.select(self, &self.detach().constant(0.0)?)
        };
        keep().map_err(|error| error.named(op))
    }

    /// Matrices (the last two axes) with zeros above a diagonal: 0 is the main one, 1 the next to the right.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is below 2.
    pub fn tril(&self, diagonal: i64) -> Result<DynTensor> {
        self.triangle("tril", CompareOp::Le, diagonal)
    }

    /// Matrices (the last two axes) with zeros below a diagonal: 0 is the main one, 1 the next to the right.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is below 2.
    pub fn triu(&self, diagonal: i64) -> Result<DynTensor> {
        self.triangle("triu", CompareOp::Ge, diagonal)
    }

    /// A diagonal of matrices (the last two axes), which becomes the last axis: 0 is the main one, 1 the next to the
    /// right. A view where strides allow.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is below 2.
    pub fn diagonal(&self, offset: isize) -> Result<DynTensor> {
        let [rows, cols] = self.matrix("diagonal")?;
        let (down, right) = (offset.min(0).unsigned_abs(), offset.max(0).unsigned_abs());
        let length = rows.saturating_sub(down).min(cols.saturating_sub(right));
        let start = if length == 0 { 0 } else { down * cols + right };
        let step = cols + 1;
        let stop = if length == 0 { 0 } else { start + (length - 1) * step + 1 };
        let mut flat = Dims::from_slice(&self.shape()[..self.rank() - 2]);
        flat.push(rows * cols);
        let range = SliceItem::Range { start: Some(start as isize), stop: Some(stop as isize), step: step as isize };
        let picked = || self.reshape_to(&flat)?.slice(&[SliceItem::Ellipsis, range]);
        picked().map_err(|error| error.named("diagonal"))
    }

    /// A matrix with a vector on its main diagonal, and zeros elsewhere.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rank is not 1.
    pub fn diag(&self) -> Result<DynTensor> {
        let &[size] = self.shape() else {
            return Err(Error::Shape { op: "diag", got: self.shape().into(), reason: "is no vector".into() });
        };
        let on = from_diagonal(size, size)?.compare(CompareOp::Eq, &DynTensor::scalar(0_i64)?)?.to(&self.device())?;
        on.select(self, &self.detach().constant(0.0)?).map_err(|error| error.named("diag"))
    }

    /// Elements moved along an axis by `shift`; what leaves at one end comes in at the other.
    ///
    /// # Errors
    /// [`Error::Axis`].
    pub fn roll(&self, shift: isize, axis: isize) -> Result<DynTensor> {
        let axis = self.layout().axis("roll", axis)?;
        let size = self.shape()[axis];
        let shift = if size == 0 { 0 } else { shift.rem_euclid(size as isize) as usize };
        if shift == 0 {
            return Ok(self.clone());
        }
        let joined = || {
            let (back, front) =
                (self.narrow(axis as isize, size - shift, shift)?, self.narrow(axis as isize, 0, size - shift)?);
            DynTensor::concat(&[&back, &front], axis as isize)
        };
        joined().map_err(|error| error.named("roll"))
    }

    /// Each slice of an axis `times` times in a row (NumPy's `repeat`, PyTorch's `repeat_interleave`).
    ///
    /// # Errors
    /// [`Error::Axis`]; [`Error::OutOfMemory`].
    pub fn repeat(&self, times: usize, axis: isize) -> Result<DynTensor> {
        let axis = self.layout().axis("repeat", axis)?;
        let (mut wide, mut joined) = (Dims::from_slice(self.shape()), Dims::from_slice(self.shape()));
        wide.insert(axis + 1, times);
        joined[axis] = joined[axis].checked_mul(times).ok_or(Error::OutOfMemory { op: "repeat", bytes: usize::MAX })?;
        let repeated = || self.unsqueeze(axis as isize + 1)?.broadcast_to(&wide)?.reshape_to(&joined);
        repeated().map_err(|error| error.named("repeat"))
    }

    /// Copies of the whole beside each other, `times` along each axis (NumPy's `tile`).
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is one number per axis; [`Error::OutOfMemory`].
    pub fn tile(&self, times: &[usize]) -> Result<DynTensor> {
        if times.len() != self.rank() {
            let reason = format!("{times:?} copies of shape {:?}: one number per axis is needed", self.shape());
            return Err(Error::Argument { op: "tile", reason: reason.into() });
        }
        let pairs = || self.shape().iter().zip(times);
        let apart: Dims = pairs().flat_map(|(&size, _)| [1, size]).collect();
        let wide: Dims = pairs().flat_map(|(&size, &times)| [times, size]).collect();
        let joined = pairs().map(|(&size, &times)| size.checked_mul(times)).collect::<Option<Dims>>();
        let joined = joined.ok_or(Error::OutOfMemory { op: "tile", bytes: usize::MAX })?;
        let tiled = || self.reshape_to(&apart)?.broadcast_to(&wide)?.reshape_to(&joined);
        tiled().map_err(|error| error.named("tile"))
    }

    /// True where an element is NaN, which no integer is.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn isnan(&self) -> Result<DynTensor> {
        self.compare(CompareOp::Ne, self)
    }

    /// True where an element is infinite, which no integer is.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn isinf(&self) -> Result<DynTensor> {
        self.against_infinity(CompareOp::Eq, CompareOp::Ne)
    }

    /// True where an element is neither NaN nor infinite, as every integer is.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn isfinite(&self) -> Result<DynTensor> {
        self.against_infinity(CompareOp::Lt, CompareOp::Eq)
    }

    /// The magnitude compared with infinity; for other types than floats, the value with itself.
    fn against_infinity(&self, float: CompareOp, other: CompareOp) -> Result<DynTensor> {
        if !self.dtype().is_float() {
            return self.compare(other, self);
        }
        let x = self.detach();
        x.unary(UnaryOp::Abs, [0.0; 2])?.compare(float, &x.constant(f64::INFINITY)?)
    }

    /// True where two elements are near each other: equal, or `|a - b| <= absolute + relative * |b|` (NumPy's `isclose`).
    ///
    /// # Errors
    /// [`Error::Broadcast`], or [`Error::DType`] if the types differ or are not floats.
    pub fn isclose(&self, other: &DynTensor, relative: f64, absolute: f64) -> Result<DynTensor> {
        let (a, b) = (self.detach(), other.detach());
        let near = || {
            let difference = a.binary(BinaryOp::Sub, &b)?.unary(UnaryOp::Abs, [0.0; 2])?;
            let scaled = b.unary(UnaryOp::Abs, [0.0; 2])?.binary_scalar(BinaryOp::Mul, relative)?;
            let near = difference.compare(CompareOp::Le, &scaled.binary_scalar(BinaryOp::Add, absolute)?)?;
            // An infinite bound says nothing: beside an infinity only itself is near.
            let near = near.compare(CompareOp::LogicalAnd, &b.isfinite()?)?;
            near.compare(CompareOp::LogicalOr, &a.compare(CompareOp::Eq, &b)?)
        };
        near().map_err(|error| error.named("isclose"))
    }

    /// Whether all elements are near each other, as [`DynTensor::isclose`] has it.
    ///
    /// # Errors
    /// As [`DynTensor::isclose`].
    pub fn allclose(&self, other: &DynTensor, relative: f64, absolute: f64) -> Result<bool> {
        let near = self.isclose(other, relative, absolute).map_err(|error| error.named("allclose"))?;
        near.reduce(ReduceOp::All, &near.all_axes(), false, 0.0)?.item::<bool>()
    }

    /// Differences of neighbours along an axis, which gets one shorter (NumPy's `diff`).
    ///
    /// # Errors
    /// [`Error::Axis`]; [`Error::DType`] for `bool`.
    pub fn diff(&self, axis: isize) -> Result<DynTensor> {
        let axis = self.layout().axis("diff", axis)?;
        let length = self.shape()[axis].saturating_sub(1);
        let part = |start: usize| self.narrow(axis as isize, start.min(self.shape()[axis]), length);
        let between = || part(1)?.binary(BinaryOp::Sub, &part(0)?);
        between().map_err(|error| error.named("diff"))
    }

    /// One element, at an index per axis; negative ones count from the end.
    ///
    /// # Errors
    /// [`Error::Index`] beyond an axis; [`Error::Argument`] unless there is one index per axis; [`Error::DType`] if the
    /// elements are not of type `T`.
    pub fn at<T: trueno_core::Element>(&self, index: &[isize]) -> Result<T> {
        if index.len() != self.rank() {
            let reason = format!("{index:?} in shape {:?}: one index per axis is needed", self.shape());
            return Err(Error::Argument { op: "at", reason: reason.into() });
        }
        let items: SmallVec<[SliceItem; 6]> = index.iter().map(|&index| SliceItem::Index(index)).collect();
        self.view(self.layout().slice("at", &items)?).item::<T>().map_err(|error| error.named("at"))
    }
}

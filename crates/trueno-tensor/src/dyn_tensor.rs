//! The engine's one value: a tensor whose type and rank are known at run time.

#[cfg(feature = "gpu")]
use crate::exec;
use crate::storage::{Buffer, Memory, Storage};
use crate::{Device, Op, Recorder, apply};
use std::fmt;
use std::sync::Arc;
use trueno_core::{DType, Element, Error, Layout, Result, dispatch_dtype};

/// A tensor of any element type and rank.
///
/// Cloning shares memory. Users who know type and rank take `Tensor<T, N>`, a shell over this.
#[derive(Clone)]
pub struct DynTensor {
    storage: Storage,
    layout: Layout,
    recorder: Option<Arc<dyn Recorder>>,
    /// Whether the value is of `float32` although its memory holds half precision.
    narrow: bool,
}

// What is larger is moved by a call, which small operations would notice.
const _: () = assert!(size_of::<DynTensor>() <= 128);

/// The number of elements of a shape, whose strides are numbers too: axes of size 0 do not excuse the others.
pub(crate) fn checked_size(op: &'static str, shape: &[usize]) -> Result<usize> {
    let reach = shape.iter().try_fold(1_usize, |n, &size| n.checked_mul(size.max(1)));
    match reach {
        Some(n) if isize::try_from(n).is_ok() => Ok(if shape.contains(&0) { 0 } else { n }),
        _ => {
            let reason = "has more elements than memory can address".into();
            Err(Error::Shape { op, got: shape.into(), reason })
        }
    }
}

impl DynTensor {
    /// A buffer seen through a layout. The caller vouches that every index of the layout lies in the buffer.
    pub(crate) fn from_parts(storage: Storage, layout: Layout) -> DynTensor {
        debug_assert!(layout.extent().is_none_or(|(_, high)| high < storage.len()));
        DynTensor { storage, layout, recorder: None, narrow: false }
    }

    /// A fresh row-major tensor of a filled buffer.
    pub(crate) fn from_buffer(buffer: Buffer, shape: &[usize]) -> DynTensor {
        debug_assert_eq!(buffer.len(), shape.iter().product::<usize>());
        DynTensor::from_parts(Arc::new(Memory::Host(buffer)), Layout::contiguous(shape))
    }

    /// A fresh row-major tensor of a buffer on a GPU.
    #[cfg(feature = "gpu")]
    pub(crate) fn from_gpu(buffer: trueno_gpu::Buffer, shape: &[usize]) -> DynTensor {
        debug_assert_eq!(buffer.len(), shape.iter().product::<usize>());
        DynTensor::from_parts(Arc::new(Memory::Gpu(buffer)), Layout::contiguous(shape))
    }

    /// A copy of elements in row-major order.
    ///
    /// # Errors
    /// [`Error::Shape`] if their number is not that of the shape.
    pub fn from_slice<T: Element>(elements: &[T], shape: &[usize]) -> Result<DynTensor> {
        let size = checked_size("from_slice", shape)?;
        if size != elements.len() {
            let reason = format!("has {size} elements, but {} were given", elements.len());
            return Err(Error::Shape { op: "from_slice", got: shape.into(), reason: reason.into() });
        }
        Ok(DynTensor::from_buffer(Buffer::from_slice("from_slice", elements)?, shape))
    }

    /// A tensor whose elements are all `value`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], or [`Error::Shape`] if the shape is beyond addressing.
    pub fn full(shape: &[usize], dtype: DType, value: f64) -> Result<DynTensor> {
        dispatch_dtype!(dtype, all T => DynTensor::filled(shape, T::from_f64(value)))
    }

    /// A tensor whose elements are all `value`, of its type.
    ///
    /// # Errors
    /// As [`DynTensor::full`].
    pub fn filled<T: Element>(shape: &[usize], value: T) -> Result<DynTensor> {
        let mut buffer = Buffer::new("full", T::DTYPE, checked_size("full", shape)?)?;
        buffer.as_mut_slice::<T>().fill(value);
        Ok(DynTensor::from_buffer(buffer, shape))
    }

    /// A tensor of zeros.
    ///
    /// # Errors
    /// As [`DynTensor::full`].
    pub fn zeros(shape: &[usize], dtype: DType) -> Result<DynTensor> {
        let buffer = Buffer::zeros("zeros", dtype, checked_size("zeros", shape)?)?;
        Ok(DynTensor::from_buffer(buffer, shape))
    }

    /// A value of rank 0.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn scalar<T: Element>(value: T) -> Result<DynTensor> {
        DynTensor::from_slice(&[value], &[])
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        if self.narrow { DType::F32 } else { self.storage.dtype() }
    }

    /// The type that the elements are kept in: theirs, or `float16` or `bfloat16` for results of
    /// [`autocast`](crate::autocast()), which are of `float32`. [`cast`](DynTensor::cast) and
    /// [`contiguous`](DynTensor::contiguous) give a value that is kept in its own type.
    pub fn storage_dtype(&self) -> DType {
        self.storage.dtype()
    }

    /// Whether the elements are kept in fewer bits than their type has.
    pub(crate) fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// A value of half precision as one of `float32` in the same memory.
    pub(crate) fn into_narrow(self) -> DynTensor {
        debug_assert!(matches!(self.storage.dtype(), DType::F16 | DType::BF16));
        DynTensor { narrow: true, ..self }
    }

    /// The elements in the type that they are kept in, in the same memory and outside any gradient graph.
    pub(crate) fn as_stored(&self) -> DynTensor {
        DynTensor { narrow: false, ..self.detach() }
    }

    /// The value kept in its own type, outside any gradient graph.
    pub(crate) fn widened(&self) -> Result<DynTensor> {
        if self.narrow { self.as_stored().cast(DType::F32) } else { Ok(self.detach()) }
    }

    /// Where the memory is, to tell it from others'.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.storage).addr()
    }

    /// Whether one element is all there is, however often.
    pub(crate) fn repeats(&self) -> bool {
        self.shape().iter().zip(self.layout.strides()).all(|(&size, &stride)| size == 1 || stride == 0)
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        self.layout.shape()
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.layout.rank()
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.layout.size()
    }

    /// Where the elements lie in the storage.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Where the tensor lives.
    pub fn device(&self) -> Device {
        match &*self.storage {
            Memory::Host(_) => Device::Cpu,
            #[cfg(feature = "gpu")]
            Memory::Gpu(buffer) => Device::Gpu(buffer.device().clone()),
        }
    }

    /// The same value on a device; shares memory if it is there already. Gradients flow back to where it was.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; [`Error::Device`] for what a GPU refuses.
    pub fn to(&self, device: &Device) -> Result<DynTensor> {
        if self.device() == *device { Ok(self.clone()) } else { apply(&Op::To(device.clone()), &[self]) }
    }

    /// The same memory under another layout, which must stay inside it; carries no recorder.
    pub(crate) fn view(&self, layout: Layout) -> DynTensor {
        DynTensor { narrow: self.narrow, ..DynTensor::from_parts(self.storage.clone(), layout) }
    }

    /// As [`view`](Self::view) of a value that is given away.
    pub(crate) fn into_view(self, layout: Layout) -> DynTensor {
        debug_assert!(layout.extent().is_none_or(|(_, high)| high < self.storage.len()));
        DynTensor { layout, recorder: None, ..self }
    }

    /// The whole storage, in which `layout` finds the elements.
    ///
    /// # Panics
    /// For a value of another device: [`apply`] sends those to kernels of their own.
    pub(crate) fn storage(&self) -> &Buffer {
        self.storage.host().expect("kernels of the processor are given values in main memory")
    }

    /// The elements as kernels of a GPU see them, if they are there: for crates that have kernels of their own.
    ///
    /// # Errors
    /// None for a tensor that this crate made; [`Error::Shape`] names a layout that leaves its memory.
    #[cfg(feature = "gpu")]
    pub fn gpu_view(&self, op: &'static str) -> Result<Option<trueno_gpu::View<'_>>> {
        self.gpu_storage().map(|buffer| trueno_gpu::View::new(op, buffer, &self.layout)).transpose()
    }

    /// The elements on a GPU to write, row-major and alone in their buffer; copied first if anybody shares them or they are not.
    /// The recorder is dropped.
    ///
    /// # Errors
    /// [`Error::Device`] if they are not on a GPU, or for what that refuses; [`Error::OutOfMemory`].
    #[cfg(feature = "gpu")]
    pub fn gpu_make_mut(&mut self, op: &'static str) -> Result<&mut trueno_gpu::Buffer> {
        let Some(buffer) = self.gpu_storage() else {
            let (device, reason) = (self.device().to_string(), "its elements are not on a GPU; move it first");
            return Err(Error::Device { op, device, reason: reason.into() });
        };
        let alone = self.layout.is_contiguous() && self.size() == buffer.len() && !buffer.is_constant();
        self.recorder = None;
        if self.narrow {
            *self = self.widened()?;
        }
        if !alone || Arc::get_mut(&mut self.storage).is_none() {
            *self = apply(&Op::Contiguous, &[self])?;
        }
        match Arc::get_mut(&mut self.storage) {
            Some(Memory::Gpu(buffer)) => Ok(buffer),
            Some(Memory::Host(_)) | None => Err(Error::OutOfMemory { op, bytes: 0 }),
        }
    }

    /// The storage on a GPU, if it is there.
    #[cfg(feature = "gpu")]
    pub(crate) fn gpu_storage(&self) -> Option<&trueno_gpu::Buffer> {
        match &*self.storage {
            Memory::Host(_) => None,
            Memory::Gpu(buffer) => Some(buffer),
        }
    }

    /// The elements, if they lie in main memory in row-major order without gaps, are of type `T` and kept so.
    ///
    /// ```
    /// use trueno_tensor::DynTensor;
    /// let x = DynTensor::from_slice(&[1.0_f32, 2.0], &[2])?;
    /// assert_eq!(x.as_slice::<f32>(), Some(&[1.0, 2.0][..]));
    /// assert_eq!(x.as_slice::<f64>(), None);
    /// # Ok::<(), trueno_tensor::core::Error>(())
    /// ```
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        let buffer = self.storage.host()?;
        let fits = self.dtype() == T::DTYPE && !self.narrow && self.layout.is_contiguous();
        fits.then(|| {
            let start = if self.size() == 0 { 0 } else { self.layout.offset() };
            &buffer.as_slice::<T>()[start..start + self.size()]
        })
    }

    /// The elements to write in place, if they lie in main memory in row-major order, are of type `T`, nobody else
    /// shares them, and no gradient graph may have kept them.
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        let fits = self.dtype() == T::DTYPE && !self.narrow && self.layout.is_contiguous() && self.recorder.is_none();
        let (start, size) = (self.layout.offset(), self.size());
        let buffer = Arc::get_mut(&mut self.storage).filter(|_| fits)?.host_mut()?;
        let start = if size == 0 { 0 } else { start };
        Some(&mut buffer.as_mut_slice::<T>()[start..start + size])
    }

    /// The elements to write, copied first if anybody shares them or they are not in row-major order. The recorder is dropped.
    ///
    /// # Errors
    /// [`Error::DType`] if the elements are not of type `T`; [`Error::Device`] if they are not in main memory;
    /// [`Error::OutOfMemory`].
    pub fn make_mut<T: Element>(&mut self) -> Result<&mut [T]> {
        if self.dtype() != T::DTYPE {
            let expected = format!("asked for as {}", T::DTYPE).into();
            return Err(Error::DType { op: "make_mut", got: self.dtype(), expected });
        }
        if self.storage.host().is_none() {
            let (device, reason) = (self.device().to_string(), "its elements are not in main memory; move it first");
            return Err(Error::Device { op: "make_mut", device, reason: reason.into() });
        }
        self.recorder = None;
        if self.narrow {
            *self = self.widened()?;
        }
        if Arc::get_mut(&mut self.storage).is_none() || !self.layout.is_contiguous() {
            *self = crate::exec::movement::copy("make_mut", self)?;
        }
        let (start, size) = (if self.size() == 0 { 0 } else { self.layout.offset() }, self.size());
        let buffer = Arc::get_mut(&mut self.storage).and_then(Memory::host_mut);
        let buffer = buffer.ok_or(Error::OutOfMemory { op: "make_mut", bytes: 0 })?;
        Ok(&mut buffer.as_mut_slice::<T>()[start..start + size])
    }

    /// True if no other tensor shares this one's memory.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.storage) == 1
    }

    /// The elements in row-major order. Those on a GPU are waited for.
    ///
    /// # Errors
    /// [`Error::DType`] if they are not of type `T`; [`Error::Device`] for what went wrong on a GPU.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if self.dtype() != T::DTYPE {
            let expected = format!("asked for as {}; cast it first", T::DTYPE).into();
            return Err(Error::DType { op: "to_vec", got: self.dtype(), expected });
        }
        match self.as_slice::<T>() {
            Some(elements) => Ok(elements.to_vec()),
            None => self.detach().to(&Device::Cpu)?.contiguous()?.to_vec(),
        }
    }

    /// As [`DynTensor::to_vec`], for those who do not wait but await: the only form in a browser.
    ///
    /// # Errors
    /// As there.
    pub async fn to_vec_async<T: Element>(&self) -> Result<Vec<T>> {
        #[cfg(feature = "gpu")]
        if self.gpu_storage().is_some() && self.dtype() == T::DTYPE {
            return exec::gpu::download::<T>(&self.widened()?)?.await;
        }
        self.to_vec()
    }

    /// The only element.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is exactly one; [`Error::DType`] if it is not of type `T`.
    pub fn item<T: Element>(&self) -> Result<T> {
        match self.to_vec::<T>()?.as_slice() {
            [value] => Ok(*value),
            _ => {
                Err(Error::Shape { op: "item", got: self.shape().into(), reason: "has not exactly one element".into() })
            }
        }
    }

    /// The place in a gradient graph, if gradients are tracked.
    pub fn recorder(&self) -> Option<&Arc<dyn Recorder>> {
        self.recorder.as_ref()
    }

    /// The same value with another place in a gradient graph, or none.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Option<Arc<dyn Recorder>>) -> DynTensor {
        self.recorder = recorder;
        self
    }

    /// Puts the value at another place in a gradient graph, or at none, and gives the place it had.
    pub(crate) fn replace_recorder(&mut self, recorder: Option<Arc<dyn Recorder>>) -> Option<Arc<dyn Recorder>> {
        std::mem::replace(&mut self.recorder, recorder)
    }

    /// The same value outside any gradient graph.
    #[must_use]
    pub fn detach(&self) -> DynTensor {
        self.clone().with_recorder(None)
    }
}

impl fmt::Debug for DynTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynTensor")
            .field("dtype", &self.dtype())
            .field("shape", &self.shape())
            .field("strides", &self.layout.strides())
            .field("storage_dtype", &self.storage_dtype())
            .finish_non_exhaustive()
    }
}

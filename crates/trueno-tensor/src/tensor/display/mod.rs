//! Printing as NumPy prints, with 4 digits (`np.set_printoptions(precision=4)`) or as many as `{:.8}` asks for.
//!
//! `Display` is NumPy's `str`: brackets and aligned columns. `Debug` is its `repr`: with `array(`, the type where it is
//! not one that the elements imply, and the shape where brackets do not show it.

mod number;

use super::Tensor;
use crate::DynTensor;
use number::{Format, Numbers, scalar};
use std::fmt;
use trueno_core::{DType, Element, Result};

/// Digits after the point, unless the format string says otherwise.
const PRECISION: usize = 4;
/// More elements than this are summarised.
const THRESHOLD: usize = 1000;
/// Elements shown at either end of a summarised axis.
const EDGE: usize = 3;
/// Columns of a line.
const LINE_WIDTH: usize = 75;

impl<T: Element, const N: usize> fmt::Display for Tensor<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display(&self.inner, f.precision()).map_err(|_| fmt::Error)?)
    }
}

impl<T: Element, const N: usize> fmt::Debug for Tensor<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&debug(&self.inner, f.precision()).map_err(|_| fmt::Error)?)
    }
}

fn display(x: &DynTensor, precision: Option<usize>) -> Result<String> {
    match (x.rank(), precision) {
        (0, None) => Ok(scalar(&Numbers::read(&x.detach())?)),
        _ => body(x, precision, "", " ", LINE_WIDTH),
    }
}

fn debug(x: &DynTensor, precision: Option<usize>) -> Result<String> {
    let prefix = "array(";
    let mut text = format!("{prefix}{}", body(x, precision, prefix, ", ", LINE_WIDTH - 1)?);
    let mut extras = Vec::new();
    if (x.size() == 0 && x.shape() != [0]) || x.size() > THRESHOLD {
        let comma = if x.rank() == 1 { "," } else { "" };
        let sizes: Vec<String> = x.shape().iter().map(usize::to_string).collect();
        extras.push(format!("shape=({}{comma})", sizes.join(", ")));
    }
    let implied = matches!(x.dtype(), DType::F64 | DType::I64 | DType::Bool);
    if !implied || x.size() == 0 {
        extras.push(format!("dtype={}", x.dtype()));
    }
    if !extras.is_empty() {
        text.push(',');
        let extras = extras.join(", ");
        let last_line = text.rsplit('\n').next().map_or(0, str::len);
        let fits = last_line + extras.len() + ")".len() + " ".len() <= LINE_WIDTH;
        text.push_str(&if fits { " ".into() } else { format!("\n{}", " ".repeat(prefix.len())) });
        text.push_str(&extras);
    }
    text.push(')');
    Ok(text)
}

/// Brackets and elements.
fn body(x: &DynTensor, precision: Option<usize>, prefix: &str, separator: &str, width: usize) -> Result<String> {
    if x.size() == 0 {
        return Ok("[]".into());
    }
    let summarised = x.size() > THRESHOLD;
    let shown = if summarised { edges(&x.detach())? } else { x.detach() };
    let numbers = Numbers::read(&shown)?;
    let format = Format::of(&numbers, precision.unwrap_or(PRECISION), x.rank() == 0);
    let mut page = Page { shape: x.shape(), summarised, separator, words: format.words(&numbers), next: 0 };
    Ok(page.nested(0, &" ".repeat(1 + prefix.len()), width))
}

/// The elements that a summary shows: both ends of each axis that is cut.
fn edges(x: &DynTensor) -> Result<DynTensor> {
    let mut shown = x.clone();
    for axis in 0..x.rank() {
        let size = x.shape()[axis];
        if size > 2 * EDGE {
            let axis = axis as isize;
            let (head, tail) = (shown.narrow(axis, 0, EDGE)?, shown.narrow(axis, size - EDGE, EDGE)?);
            shown = DynTensor::concat(&[&head, &tail], axis)?;
        }
    }
    Ok(shown)
}

/// A value being laid out, from the words of its elements in row-major order.
struct Page<'a> {
    shape: &'a [usize],
    summarised: bool,
    separator: &'a str,
    words: Vec<String>,
    next: usize,
}

impl Page<'_> {
    /// The brackets of `axis`. Lines after the first begin with `indent`, and none is wider than `width`.
    fn nested(&mut self, axis: usize, indent: &str, width: usize) -> String {
        let Some(&size) = self.shape.get(axis) else {
            self.next += 1;
            return std::mem::take(&mut self.words[self.next - 1]);
        };
        let cut = self.summarised && size > 2 * EDGE;
        let shown = if cut { 2 * EDGE } else { size };
        let text = match axis + 1 == self.shape.len() {
            true => self.row(shown, cut, indent, width),
            false => self.rows(axis, shown, cut, indent, width),
        };
        format!("[{}]", &text[indent.len()..])
    }

    /// The innermost axis: words, wrapped.
    fn row(&mut self, shown: usize, cut: bool, indent: &str, width: usize) -> String {
        let width = width - self.separator.trim_end().len().max("]".len());
        let (mut text, mut line) = (String::new(), indent.to_owned());
        let mut put = |word: &str, separator: &str| {
            if line.len() + word.len() > width && line.len() > indent.len() {
                text.push_str(line.trim_end());
                text.push('\n');
                line = indent.to_owned();
            }
            line.push_str(word);
            line.push_str(separator);
        };
        for i in 0..shown {
            if cut && i == EDGE {
                put("...", self.separator);
            }
            let word = std::mem::take(&mut self.words[self.next]);
            self.next += 1;
            put(&word, if i + 1 < shown { self.separator } else { "" });
        }
        text + &line
    }

    /// An outer axis: one block per position, with more empty lines the further out.
    fn rows(&mut self, axis: usize, shown: usize, cut: bool, indent: &str, width: usize) -> String {
        let depth = self.shape.len() - axis;
        let line_end = format!("{}{}", self.separator.trim_end(), "\n".repeat(depth - 1));
        let mut blocks = Vec::new();
        for i in 0..shown {
            if cut && i == EDGE {
                blocks.push(format!("{indent}..."));
            }
            let inner = self.nested(axis + 1, &format!("{indent} "), width - "]".len());
            blocks.push(format!("{indent}{inner}"));
        }
        blocks.join(&line_end)
    }
}

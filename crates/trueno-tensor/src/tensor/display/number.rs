//! How the elements of one value are written, so that they line up.

use crate::DynTensor;
use trueno_core::{DType, Element, Result, bf16, dispatch_dtype, f16};

/// The elements that are shown.
pub(super) enum Numbers {
    Floats(Vec<f64>, DType),
    Integers(Vec<i64>),
    Truths(Vec<bool>),
}

impl Numbers {
    pub(super) fn read(x: &DynTensor) -> Result<Numbers> {
        Ok(match x.dtype() {
            DType::F16 | DType::BF16 | DType::F32 | DType::F64 => {
                Numbers::Floats(x.cast(DType::F64)?.to_vec::<f64>()?, x.dtype())
            }
            DType::U8 | DType::I8 | DType::I32 | DType::U32 | DType::I64 => {
                Numbers::Integers(x.cast(DType::I64)?.to_vec::<i64>()?)
            }
            DType::Bool => Numbers::Truths(x.to_vec::<bool>()?),
        })
    }
}

/// A single element as NumPy writes scalars: every digit that the type needs.
pub(super) fn scalar(numbers: &Numbers) -> String {
    match numbers {
        Numbers::Floats(values, dtype) => match values[0] {
            value if !value.is_finite() => special(value).into(),
            value if value != 0.0 && !(1e-4..10_f64.powi(whole_digits(*dtype))).contains(&value.abs()) => {
                Digits::shortest(value, *dtype).scientific(0, 2).replace(".e", "e")
            }
            value => {
                let text = Digits::shortest(value, *dtype).positional();
                if text.ends_with('.') { text + "0" } else { text }
            }
        },
        Numbers::Integers(values) => values[0].to_string(),
        Numbers::Truths(values) => truth(values[0]).into(),
    }
}

fn truth(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

fn special(value: f64) -> &'static str {
    match value {
        v if v.is_nan() => "nan",
        v if v > 0.0 => "inf",
        _ => "-inf",
    }
}

/// Decimal digits of a finite number: `0.d1d2d3... * 10^point`, with a sign.
struct Digits {
    negative: bool,
    digits: String,
    point: i32,
}

impl Digits {
    /// From Rust's scientific form, such as `-1.25e-3`.
    fn parse(text: &str) -> Digits {
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let negative = mantissa.starts_with('-');
        let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_end_matches('0');
        let point = if digits.is_empty() { 1 } else { exponent.parse().unwrap_or(0) + 1 };
        Digits { negative, digits: digits.to_owned(), point }
    }

    /// The fewest digits that name the value among those of its type.
    fn shortest(value: f64, dtype: DType) -> Digits {
        let text = match dtype {
            DType::F32 => format!("{:e}", value as f32),
            DType::F16 => shortest_half(value, |v| f16::from_f64(v).to_f64()),
            DType::BF16 => shortest_half(value, |v| bf16::from_f64(v).to_f64()),
            DType::F64 | DType::Bool | DType::U8 | DType::I8 | DType::I32 | DType::U32 | DType::I64 => {
                format!("{value:e}")
            }
        };
        Digits::parse(&text)
    }

    /// The shortest digits, or the value rounded to `precision` digits after the point of its scientific form if those are fewer.
    fn scientific_digits(value: f64, dtype: DType, precision: usize) -> Digits {
        let shortest = Digits::shortest(value, dtype);
        if shortest.digits.len() <= precision + 1 { shortest } else { Digits::parse(&format!("{value:.precision$e}")) }
    }

    /// As [`Digits::scientific_digits`], for the positional form.
    fn positional_digits(value: f64, dtype: DType, precision: usize) -> Digits {
        let shortest = Digits::shortest(value, dtype);
        if shortest.digits.len() as i32 - shortest.point <= precision as i32 {
            return shortest;
        }
        let rounded = format!("{value:.precision$}");
        let (whole, fraction) = rounded.split_once('.').unwrap_or((&rounded, ""));
        let digits: String = whole.chars().chain(fraction.chars()).filter(char::is_ascii_digit).collect();
        let point = whole.trim_start_matches('-').len() as i32;
        Digits { negative: shortest.negative, digits: digits.trim_end_matches('0').to_owned(), point }
    }

    fn sign(&self) -> &'static str {
        if self.negative { "-" } else { "" }
    }

    /// `-12.5`, `3.`: always a point, no zeros at the end.
    fn positional(&self) -> String {
        let digit = |place: i32| self.digits.as_bytes().get(place as usize).map_or('0', |&d| d.into());
        let whole: String = (0..self.point.max(1)).map(|i| if self.point <= 0 { '0' } else { digit(i) }).collect();
        let gap = "0".repeat((-self.point).max(0) as usize);
        let fraction = self.digits.get(self.point.max(0) as usize..).unwrap_or("");
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let gap = if fraction.is_empty() { "" } else { &gap };
        format!("{}{whole}.{gap}{fraction}", self.sign())
    }

    /// Digits after the point of the scientific form.
    fn fraction(&self) -> usize {
        self.digits.len().saturating_sub(1)
    }

    fn exponent(&self) -> i32 {
        if self.digits.is_empty() { 0 } else { self.point - 1 }
    }

    /// `-1.25e-03`, `2.e+08`: always a point, at least `fraction` digits after it, and `width` in the exponent.
    fn scientific(&self, fraction: usize, width: usize) -> String {
        let (first, rest) = self.digits.split_at_checked(1).unwrap_or(("0", ""));
        let sign = if self.exponent() < 0 { '-' } else { '+' };
        format!("{}{first}.{rest:0<fraction$}e{sign}{:0width$}", self.sign(), self.exponent().abs())
    }
}

fn shortest_half(value: f64, round: impl Fn(f64) -> f64) -> String {
    let candidates = (0..6_usize).map(|digits| format!("{value:.digits$e}"));
    let names = |text: &String| text.parse::<f64>().is_ok_and(|v| round(v) == value);
    candidates.into_iter().find(names).unwrap_or_else(|| format!("{value:e}"))
}

/// One way of writing for all the elements of a value.
pub(super) enum Format {
    /// Widths left and right of the point.
    Positional { precision: usize, left: usize, right: usize },
    /// The width left of the point, digits after it, digits of the exponent.
    Scientific { left: usize, fraction: usize, exponent: usize },
    /// Right-aligned.
    Width(usize),
}

impl Format {
    pub(super) fn of(numbers: &Numbers, precision: usize, alone: bool) -> Format {
        match numbers {
            Numbers::Floats(values, dtype) => Format::floats(values, *dtype, precision),
            Numbers::Integers(values) => Format::Width(values.iter().map(|v| v.to_string().len()).max().unwrap_or(0)),
            Numbers::Truths(_) => Format::Width(if alone { 0 } else { "False".len() }),
        }
    }

    fn floats(values: &[f64], dtype: DType, precision: usize) -> Format {
        let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        let sizes = || finite.iter().map(|v| v.abs()).filter(|&v| v != 0.0);
        let (largest, smallest) = (sizes().fold(0.0, f64::max), sizes().fold(f64::INFINITY, f64::min));
        let scientific = largest > 0.0
            && (largest >= 10_f64.powi(whole_digits(dtype).min(8))
                || smallest < rounded(1e-4, dtype)
                || rounded(largest / smallest, dtype) > 1000.0);
        let mut format = if scientific {
            let digits: Vec<Digits> = finite.iter().map(|&v| Digits::scientific_digits(v, dtype, precision)).collect();
            let exponents = digits.iter().map(|d| d.exponent().abs().to_string().len());
            Format::Scientific {
                left: digits.iter().map(|d| d.sign().len() + 1).max().unwrap_or(0),
                fraction: digits.iter().map(Digits::fraction).max().unwrap_or(0),
                exponent: exponents.max().unwrap_or(0).max(2),
            }
        } else {
            let words = finite.iter().map(|&v| Digits::positional_digits(v, dtype, precision).positional());
            let (mut left, mut right) = (0, 0);
            for word in words {
                let point = word.find('.').unwrap_or(word.len());
                (left, right) = (left.max(point), right.max(word.len() - point - 1));
            }
            Format::Positional { precision, left, right }
        };
        let widest = values.iter().filter(|v| !v.is_finite()).map(|&v| special(v).len()).max();
        format.widen(widest.unwrap_or(0));
        format
    }

    /// Makes room for words of a width that have no point.
    fn widen(&mut self, width: usize) {
        let (left, right) = match self {
            Format::Positional { left, right, .. } => (left, *right),
            Format::Scientific { left, fraction, exponent } => (left, *fraction + *exponent + "e+".len()),
            Format::Width(_) => return,
        };
        *left = (*left).max(width.saturating_sub(right + ".".len()));
    }

    /// The elements' words, all of one width.
    pub(super) fn words(&self, numbers: &Numbers) -> Vec<String> {
        match numbers {
            Numbers::Floats(values, dtype) => values.iter().map(|&v| self.float(v, *dtype)).collect(),
            Numbers::Integers(values) => values.iter().map(|v| self.plain(&v.to_string())).collect(),
            Numbers::Truths(values) => values.iter().map(|&v| self.plain(truth(v))).collect(),
        }
    }

    fn plain(&self, word: &str) -> String {
        let width = match self {
            Format::Positional { left, right, .. } => left + ".".len() + right,
            Format::Scientific { left, fraction, exponent } => left + ".".len() + fraction + "e+".len() + exponent,
            Format::Width(width) => *width,
        };
        format!("{word:>width$}")
    }

    fn float(&self, value: f64, dtype: DType) -> String {
        match *self {
            _ if !value.is_finite() => self.plain(special(value)),
            Format::Positional { precision, left, right } => {
                let word = Digits::positional_digits(value, dtype, precision).positional();
                let (whole, fraction) = word.split_once('.').unwrap_or((&word, ""));
                format!("{whole:>left$}.{fraction:<right$}")
            }
            Format::Scientific { left, fraction, exponent } => {
                // Digits beyond the shortest are those of the exact value, not zeros.
                let digits = Digits::parse(&format!("{value:.fraction$e}"));
                let word = digits.scientific(fraction, exponent);
                let padding = left.saturating_sub(digits.sign().len() + 1);
                format!("{}{word}", " ".repeat(padding))
            }
            Format::Width(_) => self.plain(&value.to_string()),
        }
    }
}

/// Whole numbers with more digits than this are written in the scientific form: not all their digits are known.
fn whole_digits(dtype: DType) -> i32 {
    match dtype {
        DType::F16 | DType::BF16 => 3,
        DType::F32 => 6,
        DType::F64 | DType::Bool | DType::U8 | DType::I8 | DType::I32 | DType::U32 | DType::I64 => 16,
    }
}

/// The nearest value of the elements' own type, in which NumPy decides.
fn rounded(value: f64, dtype: DType) -> f64 {
    dispatch_dtype!(dtype, float T => T::from_f64(value).to_f64(), else value)
}

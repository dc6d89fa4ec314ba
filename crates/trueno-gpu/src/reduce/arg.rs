//! Where the largest or smallest element along an axis is.

use trueno_core::math::wgsl::PRELUDE;
use trueno_core::{DType, Error, Result};

use super::program::THREADS;
use super::{BUSY, split};
use crate::memory::{Buffer, View};
use crate::record::{self, Immediates, Launch, Shader};
use crate::walk::{IMMEDIATES, fill, index, position, slot};
use crate::{order, storage};

/// Elements of a part, at least, where a result is found in parts.
const LEAST_SPAN: usize = 16_384;

/// Which pass over the elements it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pass {
    /// The one, over all elements.
    Only,
    /// Over the elements of each part.
    Parts,
    /// Over what the parts found.
    Join,
}

/// A kernel that finds positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    dtype: DType,
    largest: bool,
    /// Axes that are kept and that are searched.
    ranks: [usize; 2],
    /// Threads of a result.
    lanes: usize,
    pass: Pass,
}

/// The places of scalars among the immediates.
mod slots {
    pub const RESULTS: usize = 0;
    pub const ELEMENTS: usize = 1;
    pub const OFFSET: usize = 2;
    /// In how many parts each is found, and elements of a part.
    pub const PARTS: usize = 3;
    pub const SPAN: usize = 4;
    pub const AXES: usize = 5;
}

/// The position along `axis` of the largest element (or the smallest), as `int64`, row-major over the other axes. The first of
/// equals; a NaN counts as the extreme (NumPy's `argmax` and `argmin`).
///
/// # Errors
/// [`Error::Axis`]; [`Error::Shape`] for nothing to choose from; [`Error::Argument`] for a layout of too many axes.
pub fn arg_reduce(largest: bool, x: &View<'_>, axis: usize) -> Result<Buffer> {
    let op = if largest { "argmax" } else { "argmin" };
    let (kept, searched) = split(op, x, &[axis])?;
    let device = x.buffer().device();
    let (results, elements) = (kept.count(), searched.count());
    let output = Buffer::new(device, op, DType::I64, results)?;
    if results == 0 {
        return Ok(output);
    }
    if elements == 0 {
        let reason = "has no element to choose from along the axes".into();
        return Err(Error::Shape { op, got: x.shape().into(), reason });
    }
    let ranks = [kept.rank(), searched.rank()];
    let mut immediates = Immediates::default();
    if slots::AXES + 2 * (ranks[0] + ranks[1]) > immediates.len() {
        let reason = format!("its layout has {} axes that do not merge; copy it first", ranks[0] + ranks[1]).into();
        return Err(Error::Argument { op, reason });
    }
    immediates[slots::RESULTS] = index(op, results)?;
    immediates[slots::ELEMENTS] = index(op, elements)?;
    immediates[slots::OFFSET] = index(op, x.layout().offset())?;
    immediates[slots::AXES..]
        .iter_mut()
        .zip(kept.words().chain(searched.words()))
        .for_each(|(slot, word)| *slot = word);
    // Neighbouring threads read neighbouring elements: of one result, or of neighbouring ones where there are enough.
    let neighbours = searched.strides.iter().all(|stride| stride.abs() == 1) || results < THREADS * THREADS;
    let lanes = |elements: usize| if neighbours { (elements / 4).next_power_of_two().clamp(1, THREADS) } else { 1 };
    let parts = BUSY.div_ceil(results).clamp(1, elements.div_ceil(LEAST_SPAN));
    let run = |pass: Pass, steps: usize, rows: usize, candidates: Option<&Buffer>, output: &Buffer| {
        let mut immediates = immediates;
        immediates[slots::PARTS] = index(op, parts)?;
        immediates[slots::SPAN] = index(op, elements.div_ceil(parts))?;
        let program = Program { dtype: x.buffer().dtype(), largest, ranks, lanes: lanes(steps), pass };
        let groups = record::grid(device, rows.div_ceil(THREADS / program.lanes));
        let reads: Vec<&Buffer> = [x.buffer()].into_iter().chain(candidates).collect();
        let program = record::Program::Arg(program);
        Launch { op, program, reads: &reads, writes: &[output], immediates, groups }.record(device)
    };
    if parts == 1 {
        run(Pass::Only, elements, results, None, &output)?;
        return Ok(output);
    }
    let candidates = Buffer::new(device, op, DType::I64, results * parts)?;
    run(Pass::Parts, elements.div_ceil(parts), results * parts, None, &candidates)?;
    run(Pass::Join, parts, results, Some(&candidates), &output)?;
    Ok(output)
}

impl Program {
    pub fn shader(&self) -> Shader {
        let pair = storage::is_pair(self.dtype);
        let mut text = format!("{IMMEDIATES}{PRELUDE}{}{}", storage::PACKING, storage::PAIRS);
        text += &storage::reader(0, "elements", self.dtype, false);
        let mut reads = 1;
        if self.pass == Pass::Join {
            text += "@group(0) @binding(1) var<storage, read> candidates: array<vec2<u32>>;\n";
            reads = 2;
        }
        text += &format!("@group(0) @binding({reads}) var<storage, read_write> positions: array<vec2<u32>>;\n");
        text += &position("kept_at", self.ranks[0], slots::AXES);
        text += &position("joined_at", self.ranks[1], slots::AXES + 2 * self.ranks[0]);
        text += &order::key(self.dtype, true);
        let (element, rank) = (storage::element_type(self.dtype), if pair { "vec2<u32>" } else { "u32" });
        // A NaN has the largest key, and is the best also of those that are smallest.
        let best = match (self.largest, pair) {
            (true, _) => "k".into(),
            (false, _) if !self.dtype.is_float() => "~k".into(),
            (false, false) => "select(~k, k, k == 0xffffffffu)".to_string(),
            (false, true) => "select(~k, k, all(k == vec2(0xffffffffu)))".into(),
        };
        text += &format!("fn rank(x: {element}) -> {rank} {{ let k = key(x); return {best}; }}\n");
        let better = if pair { "a.y > b.y || (a.y == b.y && a.x > b.x)" } else { "a > b" };
        text += &format!("fn better(a: {rank}, b: {rank}) -> bool {{ return {better}; }}\n");
        // Of a part the elements from its beginning on; of all parts what they found.
        let [rows, first, end, place] = match self.pass {
            Pass::Only => [slot(slots::RESULTS), "0u".into(), slot(slots::ELEMENTS), "r".into()],
            Pass::Parts => [
                format!("({} * PARTS)", slot(slots::RESULTS)),
                "unit % PARTS * SPAN".into(),
                format!("min(first + SPAN, {})", slot(slots::ELEMENTS)),
                "r".into(),
            ],
            Pass::Join => {
                [slot(slots::RESULTS), "0u".into(), slot(slots::PARTS), "candidates[unit * PARTS + r].x".into()]
            }
        };
        let result = if self.pass == Pass::Parts { "unit / PARTS" } else { "unit" };
        let names = [
            ("RANK", rank.into()),
            ("LANES", format!("{}u", self.lanes)),
            ("ROWS", rows),
            ("FIRST", first),
            ("END", end),
            ("PLACE", place),
            ("RESULT", result.into()),
            ("PARTS", slot(slots::PARTS)),
            ("SPAN", slot(slots::SPAN)),
            ("OFFSET", slot(slots::OFFSET)),
        ];
        text += &fill(&fill(include_str!("arg.wgsl"), &names), &names);
        Shader { text, reads, writes: 1 }
    }
}
/// Every type, both extremes.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    DType::ALL.into_iter().flat_map(|dtype| {
        let kinds = [(true, 1, Pass::Only), (false, 256, Pass::Parts), (true, 64, Pass::Join)];
        kinds.map(|(largest, lanes, pass)| Program { dtype, largest, ranks: [1, 1], lanes, pass })
    })
}

#[cfg(test)]
mod tests {
    use bytemuck::NoUninit;
    use trueno_core::{Element, Layout, bf16, f16};

    use super::*;
    use crate::elementwise::cast;
    use crate::testing::{all, device, gather, samples, shaped, upload};

    fn positions(largest: bool, x: &View<'_>, axis: usize) -> Vec<i64> {
        arg_reduce(largest, x, axis).unwrap().download("test").wait().unwrap()
    }

    /// The first element that no other one beats, by the definition.
    fn first<T: Element>(row: &[T], largest: bool) -> i64 {
        let nan = |x: &T| x.partial_cmp(x).is_none();
        let beats = |a: &T, b: &T| !nan(b) && (nan(a) || if largest { a > b } else { a < b });
        row.iter().position(|x| !row.iter().any(|y| beats(y, x))).unwrap() as i64
    }

    fn both<T: Element + NoUninit>(rows: usize, values: &[T]) {
        let Some(device) = device() else { return };
        let columns = values.len() / rows;
        let buffer = Buffer::from_slice(device, "test", values).unwrap();
        let grid = Layout::contiguous(&[rows, columns]);
        let layouts = [
            (grid.clone(), 1),
            (grid.clone(), 0),
            (grid.flip("test", &[1]).unwrap(), 1),
            (grid.permute("test", &[1, 0]).unwrap(), 0),
        ];
        for (layout, axis) in layouts {
            let x = View::new("test", &buffer, &layout).unwrap();
            let last = gather(values, x.axis_last("test", axis).unwrap().layout());
            for largest in [true, false] {
                let want: Vec<i64> = last.chunks(layout.shape()[axis]).map(|row| first(row, largest)).collect();
                assert_eq!(positions(largest, &x, axis), want, "{} {layout:?} {axis}", T::DTYPE);
            }
        }
    }

    #[test]
    fn positions_are_of_the_first_extreme_in_any_type() {
        let mut floats = samples(1, 7 * 301, [-4.0, 4.0]).iter().map(|x| (x * 4.0).round() / 4.0).collect::<Vec<f32>>();
        both(7, &floats);
        both(7, &floats.iter().map(|&x| f16::from_f32(x)).collect::<Vec<_>>());
        both(7, &floats.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>());
        both(7, &floats.iter().map(|&x| (x * 4.0) as i32).collect::<Vec<_>>());
        both(7, &floats.iter().map(|&x| (x * 4.0) as i64 * (1 << 40)).collect::<Vec<_>>());
        both(7, &floats.iter().map(|&x| (x + 4.0) as u8).collect::<Vec<_>>());
        both(7, &floats.iter().map(|&x| x > 0.0).collect::<Vec<_>>());
        both(7, &floats.iter().map(|&x| if x == 1.0 { f64::NAN } else { f64::from(x) * 1e300 }).collect::<Vec<_>>());
        for (i, x) in [(3, f32::NAN), (9, f32::NAN), (400, f32::INFINITY), (700, f32::NEG_INFINITY)] {
            floats[i] = x;
        }
        both(7, &floats);
        both(1, &[0.0_f32, -0.0, 0.0, -1.0, -1.0]);
        both(1, &[i64::MIN, i64::MAX, 5]);
        both(2, &[u32::MAX, 0, 0, u32::MAX]);
    }

    #[test]
    fn a_long_axis_is_searched_in_parts_and_the_first_of_equals_wins() {
        let Some(device) = device() else { return };
        let mut values = vec![0.5_f32; 2 * 100_003];
        for (place, x) in [(70_001, 3.0), (70_002, 3.0), (99_000, 3.0), (20_000, -1.0), (100_002, -1.0)] {
            values[place] = x;
        }
        values[100_003 + 88_000] = f32::NAN;
        values[100_003 + 99_999] = f32::NAN;
        let buffer = upload(device, &values);
        let x = shaped(&buffer, &[2, 100_003]);
        assert_eq!(positions(true, &x, 1), [70_001, 88_000]);
        assert_eq!(positions(false, &x, 1), [20_000, 88_000]);
        let columns = x.layout().permute("test", &[1, 0]).unwrap();
        assert_eq!(positions(true, &View::new("test", &buffer, &columns).unwrap(), 0), [70_001, 88_000]);
    }

    #[test]
    fn nothing_to_choose_from_is_an_error() {
        let Some(device) = device() else { return };
        let none = upload(device, &[]);
        let error = arg_reduce(true, &shaped(&none, &[2, 0]), 1).unwrap_err().to_string();
        assert!(error.starts_with("argmax: shape [2, 0] has no element"), "{error}");
        assert!(positions(false, &shaped(&none, &[0, 2]), 1).is_empty());
        assert!(matches!(arg_reduce(true, &all(&none), 1), Err(Error::Axis { op: "argmax", .. })));
        let one = cast(&all(&upload(device, &[3.0])), DType::F16).unwrap();
        assert_eq!(positions(true, &all(&one), 0), [0]);
    }
}

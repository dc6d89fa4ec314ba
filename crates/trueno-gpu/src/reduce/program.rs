//! The text of a reduction: accumulation in a fixed tree.

use trueno_core::DType;
use trueno_core::math::wgsl::{Scalar, function};
use trueno_core::table::{ArithReduceRow, ArithReduceVisitor, ReduceOp, ReduceRow, ReduceVisitor};

use crate::record::Shader;
use crate::storage::{self, Format};
use crate::walk::{IMMEDIATES, position, slot};

/// Threads of a workgroup.
pub(super) const THREADS: usize = 256;

/// Threads that share a column, at most: neighbours then still read half a kilobyte side by side.
pub(super) const MOST_LANES: usize = 8;

/// Who joins what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// So many threads share each result, and step through its elements side by side.
    Rows {
        /// A power of two, at most a workgroup.
        lanes: usize,
        /// Whether elements come as whole vectors.
        vectors: bool,
    },
    /// So many threads share four neighbouring results, whose elements lie side by side.
    Columns {
        /// A power of two, at most [`MOST_LANES`].
        lanes: usize,
    },
}

/// A reduction, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Program {
    pub op: ReduceOp,
    pub dtype: DType,
    pub scalar: Scalar,
    pub shape: Shape,
    /// Axes that are kept and that are joined.
    pub ranks: [usize; 2],
    /// Whether the elements are the operand's, or partial results.
    pub first: bool,
    /// Whether the results are finished, or partial.
    pub last: bool,
}

/// The places of scalars among the immediates.
pub(super) mod slots {
    /// How many results there are.
    pub const RESULTS: usize = 0;
    /// In how many parts each is made.
    pub const PARTS: usize = 1;
    /// Elements of a part.
    pub const SPAN: usize = 2;
    /// Elements of a result.
    pub const ELEMENTS: usize = 3;
    pub const OFFSET: usize = 4;
    /// The number of elements less the correction, as a float of the type that is computed in.
    pub const COUNT: usize = 5;
    /// Sizes and strides, of the kept axes and then of the others.
    pub const AXES: usize = 7;
}

impl Program {
    /// Whether it reads the mean of each result's elements.
    pub fn is_centered(&self) -> bool {
        self.first && self.op.centered()
    }

    pub fn shader(&self) -> Shader {
        let [kept, joined] = self.ranks;
        let vectors = !matches!(self.shape, Shape::Rows { vectors: false, .. });
        let mut text = format!("{IMMEDIATES}{}{}", storage::prelude(self.scalar), storage::PACKING);
        let format = Format::of(self.dtype, self.scalar);
        text += &storage::reader(0, "elements", format, vectors);
        let mut reads = 1;
        let columns = matches!(self.shape, Shape::Columns { .. });
        if self.is_centered() {
            // They were made in the type that is computed in.
            let center = if self.scalar == Scalar::F64 { format } else { DType::F32.into() };
            text += &storage::reader(1, "centers", center, columns);
            reads = 2;
        }
        let element = if columns { format!("vec4<{}>", self.scalar.name()) } else { self.scalar.name().into() };
        text += &format!("@group(0) @binding({reads}) var<storage, read_write> results: array<{element}>;\n");
        text += &position("kept_at", kept, slots::AXES);
        text += &position("joined_at", joined, slots::AXES + 2 * kept);
        text += &self.formulas();
        text += &match self.shape {
            Shape::Rows { lanes, vectors } => self.rows(lanes, vectors),
            Shape::Columns { lanes } => self.columns(lanes),
        };
        Shader { text, reads, writes: 1 }
    }

    /// The row's functions, over the type that is computed in.
    fn formulas(&self) -> String {
        struct Float(Scalar);
        impl ReduceVisitor for Float {
            type Output = String;
            fn visit<R: ReduceRow>(self) -> String {
                let f = self.0;
                function(f, "init", &["like"], |[like]| R::init(like))
                    + &function(f, "map", &["x", "c"], |[x, c]| R::map(x, c))
                    + &function(f, "combine", &["a", "b"], |[a, b]| R::combine(a, b))
                    + &function(f, "finish", &["acc", "n"], |[acc, n]| R::finish(acc, n))
            }
        }
        struct Integer(Scalar);
        impl ArithReduceVisitor for Integer {
            type Output = String;
            fn visit<R: ArithReduceRow>(self) -> String {
                let (s, t) = (self.0, self.0.name());
                function(s, "init", &["like"], |[like]| R::init_arith(like))
                    + &function(s, "map", &["x", "c"], |[x, _]| R::map_arith(x))
                    + &function(s, "combine", &["a", "b"], |[a, b]| R::combine_arith(a, b))
                    + &format!("fn finish(acc: {t}, n: f32) -> {t} {{ return acc; }}\n")
            }
        }
        let integer = if self.scalar.is_float() { None } else { self.op.dispatch_arith(Integer(self.scalar)) };
        let mut text = integer.unwrap_or_else(|| self.op.dispatch(Float(self.scalar)));
        let t = self.scalar.name();
        text += &if self.first {
            format!("fn part(x: {t}, c: {t}) -> {t} {{ return map(x, c); }}\n")
        } else {
            format!("fn part(x: {t}, c: {t}) -> {t} {{ return x; }}\n")
        };
        let count = if self.scalar.is_float() { self.scalar } else { Scalar::F32 };
        let done = if self.last { format!("finish(x, {})", storage::number(count, slots::COUNT)) } else { "x".into() };
        text + &format!("fn done(x: {t}) -> {t} {{ return {done}; }}\n")
    }

    fn rows(&self, lanes: usize, vectors: bool) -> String {
        let t = self.scalar.name();
        let center = if self.is_centered() { "load_centers(row)" } else { "init(zero)" };
        let accumulate = if vectors { VECTOR_STEPS } else { SCALAR_STEPS };
        include_str!("rows.wgsl")
            .replace("ACCUMULATE", accumulate)
            .replace("CENTER", center)
            .replace("SCALAR", t)
            .replace("LANES", &format!("{lanes}u"))
            .replace("RESULTS", &slot(slots::RESULTS))
            .replace("PARTS", &slot(slots::PARTS))
            .replace("SPAN", &slot(slots::SPAN))
            .replace("ELEMENTS", &slot(slots::ELEMENTS))
            .replace("OFFSET", &slot(slots::OFFSET))
    }

    fn columns(&self, lanes: usize) -> String {
        let t = self.scalar.name();
        let center = if self.is_centered() { "load_centers(column)".into() } else { format!("vec4<{t}>(zero)") };
        include_str!("columns.wgsl")
            .replace("CENTER", &center)
            .replace("SCALAR", t)
            .replace("LANES", &format!("{lanes}u"))
            .replace("RESULTS", &slot(slots::RESULTS))
            .replace("PARTS", &slot(slots::PARTS))
            .replace("SPAN", &slot(slots::SPAN))
            .replace("ELEMENTS", &slot(slots::ELEMENTS))
            .replace("OFFSET", &slot(slots::OFFSET))
    }
}

/// Four accumulators, and four vectors under way at a time.
const VECTOR_STEPS: &str = "
    var sums = vec4(start);
    let base = (OFFSET + kept_at(row)) / 4u;
    let end = to / 4u;
    var r = begin / 4u + lane;
    for (; r + 3u * LANES < end; r += 4u * LANES) {
        let x0 = load_elements(base + r);
        let x1 = load_elements(base + r + LANES);
        let x2 = load_elements(base + r + 2u * LANES);
        let x3 = load_elements(base + r + 3u * LANES);
        sums = join(join(join(join(sums, x0, center), x1, center), x2, center), x3, center);
    }
    for (; r < end; r += LANES) {
        sums = join(sums, load_elements(base + r), center);
    }
    sum = combine(combine(sums.x, sums.y), combine(sums.z, sums.w));
";

const SCALAR_STEPS: &str = "
    let base = OFFSET + kept_at(row);
    for (var r = begin + lane; r < to; r += LANES) {
        sum = combine(sum, part(load_elements(base + joined_at(r)), center));
    }
";

/// Every row, in every shape and pass.
#[cfg(test)]
pub(crate) fn every_program() -> impl Iterator<Item = Program> {
    let columns = Shape::Columns { lanes: MOST_LANES };
    let shapes = [Shape::Rows { lanes: 1, vectors: false }, Shape::Rows { lanes: 256, vectors: true }, columns];
    ReduceOp::ALL.iter().flat_map(move |&op| {
        shapes.into_iter().enumerate().flat_map(move |(at, shape)| {
            let ranks = [at, 2 - at];
            let passes = [(true, true), (true, false), (false, true)];
            passes.into_iter().flat_map(move |(first, last)| {
                let dtype = if first { DType::F16 } else { DType::F32 };
                let float = Program { op, dtype, scalar: Scalar::F32, shape, ranks, first, last };
                let double = Program { dtype: DType::F64, scalar: Scalar::F64, ..float.clone() };
                let integers = [(DType::I32, Scalar::I32), (DType::I64, Scalar::I64)];
                let integers = integers.map(|(dtype, scalar)| Program { dtype, scalar, ..float.clone() });
                let integers = integers.into_iter().filter(|_| op.info().integers);
                [float, double].into_iter().chain(integers).collect::<Vec<_>>()
            })
        })
    })
}

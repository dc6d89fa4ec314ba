//! Reductions over axes.

use super::{Cancels, Gradient, RowInfo, cancels, is_arith, used};
use crate::math::{Arith, Math};

/// The rows of reductions: `init`, `map` of each element (with `c`, the mean over the reduced axes, where the row is
/// `centered`), `combine` of two partial results, `finish` with `n`, the number of elements less the correction.
///
/// The word after the arrow is the type of the result: the operand's (`same`), that of its sums (`sum`: NumPy widens
/// integers), or `truth`. `empty` says whether a reduction of nothing gives what `finish` makes of `init`, or is `refused`.
///
/// `grad` is `elementwise(x, c, y, g, n) => ...` with `y` and `g` broadcast back, or names a rule that needs
/// another reduction: `ties` (shared evenly among the elements that attain the result), `product` (the product of the others), `none`.
#[macro_export]
macro_rules! reduce_table {
    ($with:ident) => { $with! {
        /// Sum of the elements.
        arith plain Sum sum -> sum {
            init(like): like.lit(0.0); map(x, _c): x; combine(a, b): a + b; finish(acc, _n): acc;
            empty: allowed;
            grad: elementwise(_x, _c, _y, g, _n) => g;
            oracle: "torch.sum(x, dim)"; tolerance: 1e-6, 1e-14; cancels: value;
        }
        /// Arithmetic mean.
        float plain Mean mean -> same {
            init(like): like.lit(0.0); map(x, _c): x; combine(a, b): a + b; finish(acc, n): acc / n;
            empty: allowed;
            grad: elementwise(_x, _c, _y, g, n) => g / n;
            oracle: "torch.mean(x, dim)"; tolerance: 1e-6, 1e-14; cancels: value;
        }
        /// Product of the elements.
        arith plain Prod prod -> sum {
            init(like): like.lit(1.0); map(x, _c): x; combine(a, b): a * b; finish(acc, _n): acc;
            empty: allowed;
            grad: product;
            oracle: "torch.prod(x, dim)"; tolerance: 2e-6, 1e-13;
        }
        /// Largest element; NaN if any is NaN (NumPy's `max`, PyTorch's `amax`). Tied elements share the gradient.
        arith plain Max max -> same {
            init(like): like.lit(f64::NEG_INFINITY); map(x, _c): x; combine(a, b): a.max(b); finish(acc, _n): acc;
            empty: refused;
            grad: ties;
            oracle: "torch.amax(x, dim)"; tolerance: 0.0, 0.0;
        }
        /// Smallest element; NaN if any is NaN (NumPy's `min`, PyTorch's `amin`). Tied elements share the gradient.
        arith plain Min min -> same {
            init(like): like.lit(f64::INFINITY); map(x, _c): x; combine(a, b): a.min(b); finish(acc, _n): acc;
            empty: refused;
            grad: ties;
            oracle: "torch.amin(x, dim)"; tolerance: 0.0, 0.0;
        }
        /// Sum of magnitudes: the L1 norm.
        float plain NormL1 norm_l1 -> same {
            init(like): like.lit(0.0); map(x, _c): x.abs(); combine(a, b): a + b; finish(acc, _n): acc;
            empty: allowed;
            grad: elementwise(x, _c, _y, g, _n) =>
                M::select(x.eq(x.lit(0.0)), x.lit(0.0), g * g.lit(1.0).copysign(x));
            oracle: "torch.linalg.vector_norm(x, 1, dim)"; tolerance: 1e-6, 1e-14;
        }
        /// Square root of the sum of squares: the L2 norm, whose gradient at 0 is 0.
        float plain NormL2 norm_l2 -> same {
            init(like): like.lit(0.0); map(x, _c): x * x; combine(a, b): a + b; finish(acc, _n): acc.sqrt();
            empty: allowed;
            grad: elementwise(x, _c, y, g, _n) => M::select(y.eq(y.lit(0.0)), y.lit(0.0), g * x / y);
            oracle: "torch.linalg.vector_norm(x, 2, dim)"; tolerance: 1e-6, 1e-14;
        }
        /// Largest magnitude: the maximum norm. Tied elements share the gradient.
        float plain NormInf norm_inf -> same {
            init(like): like.lit(0.0); map(x, _c): x.abs(); combine(a, b): a.max(b); finish(acc, _n): acc;
            empty: refused;
            grad: ties;
            oracle: "torch.linalg.vector_norm(x, float('inf'), dim)"; tolerance: 0.0, 0.0;
        }
        /// Variance about the mean, divided by the count less the correction (NumPy's `ddof`; PyTorch's default is 1).
        float centered Var var -> same {
            init(like): like.lit(0.0); map(x, c): (x - c) * (x - c); combine(a, b): a + b; finish(acc, n): acc / n;
            empty: allowed;
            grad: elementwise(x, c, _y, g, n) => g * (x - c) * 2.0 / n;
            oracle: "torch.var(x, dim, correction=correction)"; tolerance: 1e-6, 1e-14; cancels: gradient;
        }
        /// Standard deviation: the square root of [`var`](ReduceOp::Var), whose gradient at 0 is 0.
        float centered Std std -> same {
            init(like): like.lit(0.0); map(x, c): (x - c) * (x - c); combine(a, b): a + b; finish(acc, n): (acc / n).sqrt();
            empty: allowed;
            grad: elementwise(x, c, y, g, n) => M::select(y.eq(y.lit(0.0)), y.lit(0.0), g * (x - c) / (y * n));
            oracle: "torch.std(x, dim, correction=correction)"; tolerance: 1e-6, 1e-14; cancels: gradient;
        }
        /// True if any element is nonzero.
        arith plain Any any -> truth {
            init(like): like.lit(0.0); map(x, _c): M::select(x.ne(x.lit(0.0)), x.lit(1.0), x.lit(0.0));
            combine(a, b): a.max(b); finish(acc, _n): acc;
            empty: allowed;
            grad: none;
            oracle: "torch.any(x, dim)"; tolerance: 0.0, 0.0;
        }
        /// True if every element is nonzero.
        arith plain All all -> truth {
            init(like): like.lit(1.0); map(x, _c): M::select(x.ne(x.lit(0.0)), x.lit(1.0), x.lit(0.0));
            combine(a, b): a.min(b); finish(acc, _n): acc;
            empty: allowed;
            grad: none;
            oracle: "torch.all(x, dim)"; tolerance: 0.0, 0.0;
        }
    } };
}

/// How the gradient of a reduction is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceGrad {
    /// By [`ReduceRow::grad`], element by element.
    Elementwise,
    /// `g` shared evenly among the elements whose mapped value is the result.
    Ties,
    /// `g` times the product of the other elements, exact where elements are 0.
    Product,
    /// There is none.
    None,
}

/// The element type of a reduction's result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceResult {
    /// The operand's.
    Same,
    /// [`Element::Sum`](crate::Element::Sum) of the operand's.
    Sum,
    /// `bool`.
    Truth,
}

/// A row of [`reduce_table!`](crate::reduce_table) as a type.
pub trait ReduceRow: Copy + Send + Sync + 'static {
    /// The same row as a value.
    const OP: ReduceOp;
    /// What an empty reduction holds; neutral for `combine`.
    fn init<M: Math>(like: M) -> M;
    /// What an element contributes; `center` is the mean where [`ReduceOp::centered`].
    fn map<M: Math>(x: M, center: M) -> M;
    /// Joins two partial results.
    fn combine<M: Math>(a: M, b: M) -> M;
    /// The result, from the joined parts and the number of elements less the correction.
    fn finish<M: Math>(acc: M, n: M) -> M;
    /// The gradient by an element where [`ReduceOp::grad`] is elementwise; otherwise `g`.
    fn grad<M: Math>(x: M, center: M, y: M, g: M, n: M) -> M;
}

/// A row that integers have too.
pub trait ArithReduceRow: ReduceRow {
    /// See [`ReduceRow::init`].
    fn init_arith<M: Arith>(like: M) -> M;
    /// See [`ReduceRow::map`].
    fn map_arith<M: Arith>(x: M) -> M;
    /// See [`ReduceRow::combine`].
    fn combine_arith<M: Arith>(a: M, b: M) -> M;
}

/// Code to run for the row that a [`ReduceOp`] names.
pub trait ReduceVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: ReduceRow>(self) -> Self::Output;
}

/// Code to run for the row that a [`ReduceOp`] names, if integers have it.
pub trait ArithReduceVisitor {
    /// What it gives.
    type Output;
    /// The code.
    fn visit<R: ArithReduceRow>(self) -> Self::Output;
}

#[rustfmt::skip]
macro_rules! grad_kind {
    (elementwise) => { ReduceGrad::Elementwise };
    (ties) => { ReduceGrad::Ties };
    (product) => { ReduceGrad::Product };
    (none) => { ReduceGrad::None };
}

#[rustfmt::skip]
macro_rules! result_kind {
    (same) => { ReduceResult::Same };
    (sum) => { ReduceResult::Sum };
    (truth) => { ReduceResult::Truth };
}

#[rustfmt::skip]
macro_rules! is_refused {
    (refused) => { true };
    (allowed) => { false };
}

#[rustfmt::skip]
macro_rules! is_centered {
    (centered) => { true };
    (plain) => { false };
}

macro_rules! define {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $centered:ident $variant:ident $name:ident -> $result:ident {
            init($like:ident): $init:expr;
            map($x:ident, $c:ident): $map:expr;
            combine($a:ident, $b:ident): $combine:expr;
            finish($acc:ident, $n:ident): $finish:expr;
            empty: $empty:ident;
            grad: $grad:ident $(($gx:ident, $gc:ident, $gy:ident, $gg:ident, $gn:ident) => $rule:expr)?;
            oracle: $oracle:literal; tolerance: $t32:expr, $t64:expr; $(cancels: $cancels:ident;)?
        }
    )+) => {
        /// A reduction over axes: a row of [`reduce_table!`](crate::reduce_table).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ReduceOp { $($(#[doc = $doc])+ $variant,)+ }

        /// The rows as types.
        pub mod rows {
            $(#[doc = concat!("The row `", stringify!($name), "`.")] #[derive(Clone, Copy, Debug)] pub struct $variant;)+
        }

        $(
            impl ReduceRow for rows::$variant {
                const OP: ReduceOp = ReduceOp::$variant;
                #[inline(always)]
                fn init<M: Math>($like: M) -> M { $init }
                #[inline(always)]
                fn map<M: Math>($x: M, $c: M) -> M { $map }
                #[inline(always)]
                fn combine<M: Math>($a: M, $b: M) -> M { $combine }
                #[inline(always)]
                fn finish<M: Math>($acc: M, $n: M) -> M { $finish }
                define!(@grad $($gx, $gc, $gy, $gg, $gn => $rule)?);
            }
            define!(@arith $class $variant [$like $init] [$x $map] [$a $b $combine]);
        )+

        impl ReduceOp {
            /// Every row, in the table's order.
            pub const ALL: &[ReduceOp] = &[$(ReduceOp::$variant),+];

            /// The row's data.
            pub const fn info(self) -> &'static RowInfo {
                match self {
                    $(ReduceOp::$variant => const { &RowInfo {
                        name: stringify!($name),
                        doc: concat!($($doc),+).trim_ascii(),
                        parameters: &[],
                        integers: is_arith!($class),
                        gradient: match grad_kind!($grad) {
                            ReduceGrad::None => Gradient::None("a truth value does not vary smoothly"),
                            ReduceGrad::Elementwise | ReduceGrad::Ties | ReduceGrad::Product => Gradient::Defined,
                        },
                        oracle: $oracle,
                        domain: &[[-2.0, 2.0]],
                        kinks: &[],
                        tolerance: [$t32, $t64],
                        cancels: cancels!($($cancels)?),
                    } },)+
                }
            }

            /// How its gradient is made.
            pub const fn grad(self) -> ReduceGrad {
                match self { $(ReduceOp::$variant => grad_kind!($grad),)+ }
            }

            /// The type of its result.
            pub const fn result(self) -> ReduceResult {
                match self { $(ReduceOp::$variant => result_kind!($result),)+ }
            }

            /// Whether a reduction of nothing is an error, since no value is neutral for it.
            pub const fn refuses_empty(self) -> bool {
                match self { $(ReduceOp::$variant => is_refused!($empty),)+ }
            }

            /// Whether `map` wants the mean of the reduced elements.
            pub const fn centered(self) -> bool {
                match self { $(ReduceOp::$variant => is_centered!($centered),)+ }
            }

            /// Runs a visitor on the row's type.
            #[inline]
            pub fn dispatch<V: ReduceVisitor>(self, visitor: V) -> V::Output {
                match self { $(ReduceOp::$variant => visitor.visit::<rows::$variant>(),)+ }
            }

            /// Runs a visitor on the row's type, or gives `None` if integers lack the operation.
            #[inline]
            pub fn dispatch_arith<V: ArithReduceVisitor>(self, visitor: V) -> Option<V::Output> {
                match self { $(ReduceOp::$variant => define!(@dispatch $class visitor $variant),)+ }
            }
        }
    };
    (@grad) => {
        #[inline(always)]
        fn grad<M: Math>(_: M, _: M, _: M, g: M, _: M) -> M { g }
    };
    (@grad $x:ident, $c:ident, $y:ident, $g:ident, $n:ident => $rule:expr) => {
        #[inline(always)]
        fn grad<M: Math>($x: M, $c: M, $y: M, $g: M, $n: M) -> M {
            used(($x, $c, $y, $n));
            $rule
        }
    };
    (@arith arith $variant:ident [$like:ident $init:expr] [$x:ident $map:expr] [$a:ident $b:ident $combine:expr]) => {
        impl ArithReduceRow for rows::$variant {
            #[inline(always)]
            fn init_arith<M: Arith>($like: M) -> M { $init }
            #[inline(always)]
            fn map_arith<M: Arith>($x: M) -> M { $map }
            #[inline(always)]
            fn combine_arith<M: Arith>($a: M, $b: M) -> M { $combine }
        }
    };
    (@arith float $($rest:tt)*) => {};
    (@dispatch arith $visitor:ident $variant:ident) => { Some($visitor.visit::<rows::$variant>()) };
    (@dispatch float $visitor:ident $variant:ident) => {{ let _ = $visitor; None }};
}

reduce_table!(define);

impl ReduceOp {
    /// The row's name.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The oracle value over a slice; `correction` is taken off the count.
    pub fn eval(self, elements: &[f64], correction: f64) -> f64 {
        struct Eval<'a>(&'a [f64], f64);
        impl ReduceVisitor for Eval<'_> {
            type Output = f64;
            fn visit<R: ReduceRow>(self) -> f64 {
                let Eval(elements, correction) = self;
                let count = elements.len() as f64;
                let center = if R::OP.centered() { elements.iter().sum::<f64>() / count } else { 0.0 };
                let total = elements.iter().fold(R::init(0.0), |acc, &x| R::combine(acc, R::map(x, center)));
                R::finish(total, (count - correction).max(0.0))
            }
        }
        self.dispatch(Eval(elements, correction))
    }
}

//! Reductions of integers, and where their extremes are.

use trueno_core::math::Int;
use trueno_core::table::{ArithReduceRow, ArithReduceVisitor, ReduceOp};

use super::{check_arg, check_columns};
use crate::Isa;
use crate::elementwise::Integer;
use crate::simd::kernel;

/// An integer that reductions run on; see [`reduce_int`].
pub trait IntegerReduction: Integer {
    /// See [`reduce_int`].
    #[doc(hidden)]
    fn reduce(isa: Isa, op: ReduceOp, x: &[Self], acc: &mut [Self]);
}

/// `acc[j]` is the reduction of column `j` of `x`, which is `[length, acc.len()]`, wrapping on overflow.
///
/// # Panics
/// If the lengths do not fit together, or the row is for floats alone.
pub fn reduce_int<T: IntegerReduction>(isa: Isa, op: ReduceOp, x: &[T], acc: &mut [T]) {
    check_columns(op.name(), x.len(), acc.len());
    T::reduce(isa, op, x, acc);
}

/// `positions[j]` is where the first largest or smallest element of column `j` of `x` is, which is
/// `[length, positions.len()]`.
///
/// # Panics
/// If the lengths do not fit together, or the columns are empty.
pub fn arg_int<T: IntegerReduction>(_isa: Isa, largest: bool, x: &[T], positions: &mut [i64]) {
    let width = positions.len();
    check_arg(x.len(), width);
    for (column, position) in positions.iter_mut().enumerate() {
        let (mut best, mut at) = (x[column], 0);
        for (row, &value) in x[column..].iter().step_by(width).enumerate() {
            if if largest { value > best } else { value < best } {
                (best, at) = (value, row);
            }
        }
        *position = at as i64;
    }
}

struct Reduce<'a, T>(Isa, &'a [T], &'a mut [T]);

macro_rules! integer {
    ($t:ty) => {
        const _: () = {
            /// Elements that are reduced side by side: so many vectors that none waits for the row before.
            const WIDTH: usize = 512 / size_of::<$t>();

            kernel! {
                /// Reduces columns, row after row.
                fn columns<R: ArithReduceRow>(_simd: S, x: &[$t], acc: &mut [$t]) {
                    acc.fill(R::init_arith(Int::<$t>(0)).0);
                    for row in x.chunks_exact(acc.len()) {
                        for (acc, &x) in acc.iter_mut().zip(row) {
                            *acc = R::combine_arith(Int(*acc), R::map_arith(Int(x))).0;
                        }
                    }
                }
            }

            impl ArithReduceVisitor for Reduce<'_, $t> {
                type Output = ();
                fn visit<R: ArithReduceRow>(self) {
                    let Reduce(isa, x, acc) = self;
                    match acc {
                        [] => {}
                        [acc] => {
                            // One long row is that many columns first.
                            let mut wide = [0; WIDTH];
                            let whole = x.len() / WIDTH * WIDTH;
                            columns::<R>(isa, &x[..whole], &mut wide);
                            let join = |total, &x| R::combine_arith(total, R::map_arith(Int(x)));
                            let wide =
                                wide.iter().fold(R::init_arith(Int(0)), |total, &x| R::combine_arith(total, Int(x)));
                            *acc = x[whole..].iter().fold(wide, join).0;
                        }
                        acc => columns::<R>(isa, x, acc),
                    }
                }
            }

            impl IntegerReduction for $t {
                fn reduce(isa: Isa, op: ReduceOp, x: &[$t], acc: &mut [$t]) {
                    let done = op.dispatch_arith(Reduce(isa, x, acc));
                    assert!(done.is_some(), "{} is for floats", op.name());
                }
            }
        };
    };
}

integer!(u8);
integer!(i8);
integer!(i32);
integer!(u32);
integer!(i64);

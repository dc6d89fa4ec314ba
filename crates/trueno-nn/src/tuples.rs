//! Tuples of every length that [`Sequential`](crate::Sequential) takes.

/// Calls a macro once per length from 1 to 16 with names for the parts' types
/// and their outputs, and the parts' positions.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_tuple {
    ($with:ident) => {
        $crate::for_each_tuple!(@grow $with [] [
            A AOut 0, B BOut 1, C COut 2, D DOut 3, E EOut 4, F FOut 5, G GOut 6, H HOut 7,
            J JOut 8, K KOut 9, L LOut 10, M MOut 11, N NOut 12, O OOut 13, P POut 14, Q QOut 15,
        ]);
    };
    (@grow $with:ident [$($done:tt)*] []) => {};
    (@grow $with:ident [] [$part:ident $output:ident $index:tt, $($rest:tt)*]) => {
        $with!($part $output $index);
        $crate::for_each_tuple!(@grow $with [$part $output $index] [$($rest)*]);
    };
    (@grow $with:ident [$($done:tt)+] [$part:ident $output:ident $index:tt, $($rest:tt)*]) => {
        $with!($($done)+, $part $output $index);
        $crate::for_each_tuple!(@grow $with [$($done)+, $part $output $index] [$($rest)*]);
    };
}

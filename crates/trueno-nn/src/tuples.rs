//! Tuples of every length that `Sequential` takes.

/// Calls a macro once per length from 1 to 16 with the parts' type names and positions.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_tuple {
    ($with:ident) => {
        $crate::for_each_tuple!(@grow $with [] [
            A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, J 8, K 9, L 10, M 11, N 12, O 13, P 14, Q 15,
        ]);
    };
    (@grow $with:ident [$($done:tt)*] []) => {};
    (@grow $with:ident [] [$part:ident $index:tt, $($rest:tt)*]) => {
        $with!($part $index);
        $crate::for_each_tuple!(@grow $with [$part $index] [$($rest)*]);
    };
    (@grow $with:ident [$($done:tt)+] [$part:ident $index:tt, $($rest:tt)*]) => {
        $with!($($done)+, $part $index);
        $crate::for_each_tuple!(@grow $with [$($done)+, $part $index] [$($rest)*]);
    };
}

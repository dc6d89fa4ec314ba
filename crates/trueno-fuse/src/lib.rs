//! The macro behind `fuse!`: a closure over numbers becomes a formula that is compiled as one kernel.
//!
//! It is for `trueno-tensor`, whose `fuse!` hands it the closure. It is not for use by itself: the code that it writes
//! names that crate.
//!
//! ```
//! use trueno_tensor::prelude::*;
//!
//! let scale = 0.5;
//! let f = fuse!(|a, b, c| (a * b + c * scale).relu());
//! let (a, b, c) = (tensor![1.0, 2.0], tensor![3.0, -4.0], tensor![[2.0], [4.0]]);
//! assert_eq!(f.call(&a, &b, &c), tensor![[4.0, 0.0], [5.0, 0.0]]);
//! ```
//!
//! The closure's body is taken apart into its steps, each of which is a row of the operation table: `a * b` is `mul`, `.relu()` is
//! `relu`. From the list of steps come two functions, generic over what computes them: the value, and the gradients, which go
//! through the steps backwards. What names no operand is computed once, where the closure stands, and captured.
#![forbid(unsafe_code)]

mod expand;
mod steps;

use proc_macro::TokenStream;
use syn::parse::{Parse, ParseStream};
use syn::{ExprClosure, parse_macro_input};

/// What `fuse!` hands over: where its crate is found, in brackets, and the closure.
struct Input {
    home: proc_macro2::TokenStream,
    closure: ExprClosure,
}

impl Parse for Input {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let home;
        syn::bracketed!(home in input);
        let home = home.parse()?;
        let closure = input.parse().map_err(|error| {
            syn::Error::new(error.span(), format!("`fuse!` takes a closure, as in `fuse!(|a, b| a * b)`: {error}"))
        })?;
        Ok(Input { home, closure })
    }
}

/// Writes the formula that a closure states.
#[proc_macro]
pub fn expand(input: TokenStream) -> TokenStream {
    let Input { home, closure } = parse_macro_input!(input as Input);
    expand::formula(&home, &closure).unwrap_or_else(|error| error.to_compile_error()).into()
}

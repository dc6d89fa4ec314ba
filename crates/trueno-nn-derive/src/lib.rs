//! `#[derive(Module)]`: a struct or an enum whose fields are modules becomes one.
//!
//! It is for `trueno-nn`, which re-exports it beside the trait. It is not for use by itself: the code that it
//! writes names the trait.
//!
//! ```
//! use trueno_nn::tensor::Tensor;
//! use trueno_nn::{Module, Param};
//!
//! #[derive(Module)]
//! struct Scale {
//!     factor: Param<1>,
//!     channels: usize, // plain values hold no parameters
//! }
//!
//! let scale = Scale { factor: Param::new(Tensor::ones([3])), channels: 3 };
//! assert_eq!(scale.num_parameters(), scale.channels);
//! assert_eq!(scale.named_parameters()[0].0, "factor");
//! ```
//!
//! Names are those of the fields, joined by dots, as in PyTorch. A tuple's fields are called `0`, `1`, ...; a struct or
//! variant with a single unnamed field adds no name of its own. Attributes of a field:
//!
//! | attribute | meaning |
//! | --- | --- |
//! | `#[module(skip)]` | holds no state: left out, and needs not be a module |
//! | `#[module(rename = "fc")]` | the name in `state_dict`, where it cannot be the field's |
//!
//! and of the type: `#[module(crate = path::to::trueno_nn)]`, where the crate is not at its usual place.
#![forbid(unsafe_code)]

mod attributes;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input, parse_quote};

/// Implements `Module` for a struct or an enum by visiting its fields in order.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    derive(parse_macro_input!(input as DeriveInput), parse_quote!(::trueno_nn))
}

/// The same for those who depend on the facade alone, which re-exports this one as its `Module`.
#[proc_macro_derive(FacadeModule, attributes(module))]
pub fn derive_facade_module(input: TokenStream) -> TokenStream {
    derive(parse_macro_input!(input as DeriveInput), parse_quote!(::trueno::nn))
}

fn derive(input: DeriveInput, home: syn::Path) -> TokenStream {
    expand::module(&input, home).unwrap_or_else(|error| error.to_compile_error()).into()
}

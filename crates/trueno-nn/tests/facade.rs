//! The derive for users who depend on the facade alone: it finds the traits under `trueno::nn`.

// This test stands for the facade.
extern crate self as trueno;

/// The part of the facade that the derive names.
pub mod nn {
    pub use trueno_nn::{Module, Scoped, Visitor, VisitorMut};
}

use trueno_nn::{FacadeModule, Linear, Rng, module::Module};

#[derive(FacadeModule)]
struct Net {
    head: Linear,
}

#[derive(trueno_nn::Module)]
#[module(crate = crate::nn)]
struct Elsewhere {
    head: Linear,
}

#[test]
fn both_find_their_way() {
    let head = Linear::new(2, 1, &mut Rng::seed(0));
    assert_eq!(Net { head: head.clone() }.num_parameters(), 3);
    assert_eq!(Elsewhere { head }.num_parameters(), 3);
}

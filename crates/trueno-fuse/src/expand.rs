//! From steps to the code of a formula.

use crate::steps::{Step, Steps, Term};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, ExprClosure, Pat, Result, ReturnType};

/// As `trueno_core::fuse::MAX_OPERANDS`.
const MAX_OPERANDS: usize = 6;
/// As `trueno_core::fuse::MAX_PARAMETERS`.
const MAX_PARAMETERS: usize = 8;

/// The code that a closure becomes: a type that is its formula, and a value of it with the captured numbers.
pub fn formula(home: &TokenStream, closure: &ExprClosure) -> Result<TokenStream> {
    let operands = operands(closure)?;
    let mut steps = Steps::new(&operands);
    let Term::Place(result) = steps.lower(&closure.body)? else {
        return Err(Error::new(closure.body.span(), "the formula uses none of its operands"));
    };
    if let Some(excess) = steps.captures.get(MAX_PARAMETERS) {
        let most = format!("a fused formula captures at most {MAX_PARAMETERS} numbers");
        return Err(Error::new(excess.span(), most));
    }
    Ok(Code { home, steps: &steps, result }.expression(&closure.to_token_stream().to_string()))
}

/// The names of the operands.
fn operands(closure: &ExprClosure) -> Result<Vec<Ident>> {
    if let ReturnType::Type(..) = closure.output {
        return Err(Error::new(closure.output.span(), "the result has the type of the operands"));
    }
    let mut names: Vec<Ident> = Vec::new();
    for input in &closure.inputs {
        match input {
            Pat::Ident(name) if name.by_ref.is_none() && name.mutability.is_none() && name.subpat.is_none() => {
                if names.contains(&name.ident) {
                    return Err(Error::new(name.span(), "an operand of this name is there already"));
                }
                names.push(name.ident.clone());
            }
            _ => return Err(Error::new(input.span(), "operands of a fused formula are plain names without a type")),
        }
    }
    if names.is_empty() || names.len() > MAX_OPERANDS {
        let range = format!("a fused formula has from 1 to {MAX_OPERANDS} operands");
        return Err(Error::new(closure.or2_token.span(), range));
    }
    Ok(names)
}

/// Writes a formula down. Names it makes up are hygienic, so none of the user's is in their way.
struct Code<'a> {
    home: &'a TokenStream,
    steps: &'a Steps,
    result: usize,
}

/// The `kind` with a number, a name that only this macro sees.
fn name(kind: &str, at: usize) -> Ident {
    format_ident!("{kind}{at}", span = Span::mixed_site())
}

impl Code<'_> {
    fn expression(&self, text: &str) -> TokenStream {
        let Code { home, steps, .. } = self;
        let (captures, operands, parameters) = (&steps.captures, steps.operands, steps.captures.len());
        let (value, gradients) = (self.value(), self.gradients());
        quote! {
            match [#(<f64 as ::core::convert::From<_>>::from(#captures)),*] {
                parameters => {
                    #[derive(Clone, Copy, Debug)]
                    struct Fused;

                    impl #home::fused::Formula<#operands, #parameters> for Fused {
                        const TEXT: &'static str = #text;
                        #value
                        #gradients

                        fn listing() -> &'static #home::fused::Listing {
                            static LISTING: ::std::sync::OnceLock<#home::fused::Listing> = ::std::sync::OnceLock::new();
                            LISTING.get_or_init(#home::fused::Listing::of::<Fused, #operands, #parameters>)
                        }
                    }

                    #home::fused::Fused::<Fused, #operands, #parameters>::new(parameters)
                }
            }
        }
    }

    fn value(&self) -> TokenStream {
        let (home, result) = (self.home, name("value", self.result));
        let (signature, forward) = (self.signature(), self.forward());
        quote! {
            #[inline(always)]
            #[allow(unused_variables, reason = "an operand need not be used")]
            fn value<M: #home::fused::Rows>(#signature) -> #home::fused::Value<M> {
                #forward
                #result
            }
        }
    }

    fn gradients(&self) -> TokenStream {
        let (home, operands) = (self.home, self.steps.operands);
        let (signature, forward, backward) = (self.signature(), self.forward(), self.backward());
        let adjoints = (0..operands + self.steps.list.len()).map(|at| name("adjoint", at));
        let (values, totals) = ((0..operands).map(|at| name("value", at)), (0..operands).map(|at| name("adjoint", at)));
        let result = name("adjoint", self.result);
        quote! {
            #[inline(always)]
            #[allow(unused_variables, unused_mut, reason = "an operand need not be used")]
            fn gradients<M: #home::fused::Math>(
                #signature,
                g: #home::fused::Value<M>,
            ) -> [#home::fused::Value<M>; #operands] {
                #forward
                #(let mut #adjoints = #home::fused::Adjoint::NOTHING;)*
                #result.add(#home::fused::Adjoint::of(g));
                #backward
                [#(#totals.total(#values)),*]
            }
        }
    }

    fn signature(&self) -> TokenStream {
        let Code { home, steps, .. } = self;
        let (operands, parameters) = (steps.operands, steps.captures.len());
        let values = (0..operands).map(|at| name("value", at));
        let numbers = (0..parameters).map(|at| name("number", at));
        quote! {
            [#(#values),*]: [#home::fused::Value<M>; #operands],
            [#(#numbers),*]: [#home::fused::Scalar<M>; #parameters]
        }
    }

    /// The steps, forwards.
    fn forward(&self) -> TokenStream {
        let home = self.home;
        let statements = self.steps.list.iter().enumerate().map(|(at, Step { method, terms })| {
            let (step, output) = (name("step", at), name("value", self.steps.operands + at));
            let receiver = self.receiver(&terms[0]);
            let arguments = terms[1..].iter().map(|term| self.term(term));
            quote_spanned! { method.span() =>
                let #step = #receiver.#method(#(#arguments),*);
                let #output = #home::fused::Step::output(&#step);
            }
        });
        statements.collect()
    }

    /// The steps, backwards: each hands the gradient by its output on to its operands.
    fn backward(&self) -> TokenStream {
        let home = self.home;
        let statements = self.steps.list.iter().enumerate().rev().map(|(at, Step { terms, .. })| {
            let (step, adjoint) = (name("step", at), name("adjoint", self.steps.operands + at));
            let places = terms.iter().enumerate().filter_map(|(index, term)| match term {
                Term::Place(place) => Some((index, name("adjoint", *place))),
                Term::Captured(_) | Term::Literal(_) => None,
            });
            let arrivals = places.map(|(index, place)| quote!(#place.add(parts[#index]);));
            quote! {
                let parts = #home::fused::Step::pull(&#step, #adjoint);
                #(#arrivals)*
            }
        });
        statements.collect()
    }

    /// A term as an argument.
    fn term(&self, term: &Term) -> TokenStream {
        match term {
            Term::Place(place) => name("value", *place).to_token_stream(),
            Term::Captured(number) => name("number", *number).to_token_stream(),
            Term::Literal(number) => {
                let first = name("value", 0);
                quote!(#first.literal(#number))
            }
        }
    }

    /// A term that a method is called on: numbers have none of their own.
    fn receiver(&self, term: &Term) -> TokenStream {
        let (home, text) = (self.home, self.term(term));
        match term {
            Term::Place(_) => text,
            Term::Captured(_) | Term::Literal(_) => quote!(#home::fused::Term::value(#text)),
        }
    }
}

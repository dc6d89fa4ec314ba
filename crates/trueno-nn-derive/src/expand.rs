//! From the type's syntax to the implementation.

use crate::attributes::{FieldAttributes, home_of_type, of_field};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use std::collections::BTreeSet;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Data, DeriveInput, Error, Fields, GenericParam, Path, Result, Type};

/// A field that is visited.
struct Visited<'a> {
    /// What the pattern binds it to.
    binding: Ident,
    /// Its name in paths; `None` if it adds none.
    name: Option<String>,
    ty: &'a Type,
}

/// The fields of a struct or of a variant: a pattern that binds the visited ones, and those.
struct Arm<'a> {
    pattern: TokenStream,
    visited: Vec<Visited<'a>>,
}

/// The implementation of `Module`, whose crate is at `home` unless the type says otherwise.
pub fn module(input: &DeriveInput, home: Path) -> Result<TokenStream> {
    let home = home_of_type(&input.attrs)?.unwrap_or(home);
    let arms = match &input.data {
        Data::Struct(data) => vec![arm(quote!(Self), &data.fields)?],
        Data::Enum(data) => data
            .variants
            .iter()
            .map(|variant| {
                let name = &variant.ident;
                arm(quote!(Self::#name), &variant.fields)
            })
            .collect::<Result<_>>()?,
        Data::Union(data) => {
            return Err(Error::new(data.union_token.span, "`Module` can be derived for structs and enums, not unions"));
        }
    };
    let visit = body(&home, &arms, &quote!(visit));
    let visit_mut = body(&home, &arms, &quote!(visit_mut));
    let bounds = bounds(input, &home, &arms);
    let name = &input.ident;
    let (generics, arguments, where_clause) = input.generics.split_for_impl();
    let predicates = where_clause.map(|clause| &clause.predicates).into_iter();
    Ok(quote! {
        #[automatically_derived]
        impl #generics #home::Module for #name #arguments where #(#predicates,)* #(#bounds,)* {
            fn visit(&self, visitor: &mut dyn #home::Visitor) { #visit }
            fn visit_mut(&mut self, visitor: &mut dyn #home::VisitorMut) { #visit_mut }
        }
    })
}

fn arm(path: TokenStream, fields: &Fields) -> Result<Arm<'_>> {
    let mut patterns = Vec::new();
    let mut visited: Vec<Visited> = Vec::new();
    let is_newtype = matches!(fields, Fields::Unnamed(unnamed) if unnamed.unnamed.len() == 1);
    for (index, field) in fields.iter().enumerate() {
        let FieldAttributes { skip, rename } = of_field(&field.attrs)?;
        if skip {
            continue;
        }
        let member = field.ident.clone().map_or_else(|| syn::Index::from(index).into(), syn::Member::Named);
        // At the type's place, so that a field that is no module is what the compiler points at.
        let binding = format_ident!("field_{index}", span = Span::mixed_site().located_at(field.ty.span()));
        let own = || match &field.ident {
            Some(ident) => Some(ident.unraw().to_string()),
            None if is_newtype => None,
            None => Some(index.to_string()),
        };
        let name = rename.as_ref().map(syn::LitStr::value).or_else(own);
        if name.is_some() && visited.iter().any(|other| other.name == name) {
            let span = rename.map_or(field.span(), |rename| rename.span());
            return Err(Error::new(span, "another field has this name already"));
        }
        patterns.push(quote!(#member: #binding));
        visited.push(Visited { binding, name, ty: &field.ty });
    }
    Ok(Arm { pattern: quote!(#path { #(#patterns,)* .. }), visited })
}

/// A `match` that hands every visited field to `method`.
fn body(home: &Path, arms: &[Arm], method: &TokenStream) -> TokenStream {
    if arms.is_empty() {
        return quote! {
            let _ = visitor;
            match *self {}
        };
    }
    let arms = arms.iter().map(|Arm { pattern, visited }| {
        let calls = visited.iter().map(|field| {
            let Visited { binding, name, ty } = field;
            let visitor = match name {
                Some(name) => quote!(&mut #home::Scoped::new(#name, visitor)),
                None => quote!(visitor),
            };
            quote_spanned!(ty.span()=> #home::Module::#method(#binding, #visitor);)
        });
        quote!(#pattern => { #(#calls)* })
    });
    quote! {
        let _ = &visitor; // used even where nothing is visited
        match self { #(#arms)* }
    }
}

/// `Type: Module` for the fields whose types depend on the type's parameters.
fn bounds(input: &DeriveInput, home: &Path, arms: &[Arm]) -> Vec<TokenStream> {
    let parameters: BTreeSet<&Ident> = input
        .generics
        .params
        .iter()
        .filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(&parameter.ident),
            GenericParam::Const(_) | GenericParam::Lifetime(_) => None,
        })
        .collect();
    let generic = arms.iter().flat_map(|arm| &arm.visited).filter(|field| mentions(field.ty, &parameters));
    generic.map(|Visited { ty, .. }| quote_spanned!(ty.span()=> #ty: #home::Module)).collect()
}

/// Whether a type is written with one of these parameters.
fn mentions(ty: &Type, parameters: &BTreeSet<&Ident>) -> bool {
    struct Search<'a>(&'a BTreeSet<&'a Ident>, bool);
    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.1 |= self.0.contains(ident);
        }
    }
    let mut search = Search(parameters, false);
    search.visit_type(ty);
    search.1
}

//! `#[module(...)]` on a type or a field.

use syn::{Attribute, Error, LitStr, Path, Result};

/// What a field asks for.
#[derive(Default)]
pub struct FieldAttributes {
    pub skip: bool,
    pub rename: Option<LitStr>,
}

/// Reads a field's attributes.
pub fn of_field(attributes: &[Attribute]) -> Result<FieldAttributes> {
    let mut found = FieldAttributes::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("skip") {
                found.skip = true;
                Ok(())
            } else if meta.path.is_ident("rename") {
                let name: LitStr = meta.value()?.parse()?;
                check_name(&name)?;
                found.rename = Some(name);
                Ok(())
            } else {
                Err(meta.error("expected `skip` or `rename = \"...\"`"))
            }
        })?;
    }
    Ok(found)
}

/// Where the type says that `trueno-nn` is, if it does.
pub fn home_of_type(attributes: &[Attribute]) -> Result<Option<Path>> {
    let mut home = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("module")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("crate") {
                home = Some(meta.value()?.call(Path::parse_mod_style)?);
                Ok(())
            } else {
                Err(meta.error("expected `crate = path`; `skip` and `rename` belong on a field"))
            }
        })?;
    }
    Ok(home)
}

/// A dot would make two names of one and let fields collide.
fn check_name(name: &LitStr) -> Result<()> {
    match name.value() {
        value if value.is_empty() => Err(Error::new(name.span(), "a name cannot be empty")),
        value if value.contains('.') => Err(Error::new(name.span(), "a name cannot contain a dot")),
        _ => Ok(()),
    }
}

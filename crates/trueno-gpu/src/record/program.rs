//! The name of every shader that this crate can make.

use super::Shader;
use crate::elementwise;

/// A shader, by what it computes and over which types and layouts. Equal programs are one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    Elementwise(elementwise::Program),
    /// Text of a test's own.
    #[cfg(test)]
    Text(&'static str),
}

impl Program {
    /// Its text and bindings.
    pub fn shader(&self) -> Shader {
        match self {
            Self::Elementwise(program) => program.shader(),
            #[cfg(test)]
            Self::Text(text) => Shader { text: (*text).into(), reads: 0, writes: 1 },
        }
    }
}

//! The name of every shader that this crate can make.

use super::Shader;
use crate::{
    attention, batch_norm, conv, elementwise, index, loss, mask, matmul, movement, optim, pool, random, reduce, rows,
    scan, sort,
};

/// A shader, by what it computes and over which types and layouts. Equal programs are one pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    Elementwise(elementwise::Program),
    Reduce(reduce::Program),
    Arg(reduce::Arg),
    Rows(rows::Program),
    Loss(loss::Program),
    Index(index::Program),
    Scan(scan::Program),
    Sort(sort::Program),
    Mask(mask::Program),
    Attention(attention::Program),
    Movement(movement::Program),
    Random(random::Program),
    Optim(optim::Program),
    Matmul(matmul::Program),
    Conv(conv::Program),
    Pool(pool::Program),
    BatchNorm(batch_norm::Program),
    /// Text of a test's own.
    #[cfg(test)]
    Text(&'static str),
}

impl Program {
    /// Its text and bindings.
    pub fn shader(&self) -> Shader {
        match self {
            Self::Elementwise(program) => program.shader(),
            Self::Reduce(program) => program.shader(),
            Self::Arg(program) => program.shader(),
            Self::Rows(program) => program.shader(),
            Self::Loss(program) => program.shader(),
            Self::Index(program) => program.shader(),
            Self::Scan(program) => program.shader(),
            Self::Sort(program) => program.shader(),
            Self::Mask(program) => program.shader(),
            Self::Attention(program) => program.shader(),
            Self::Movement(program) => program.shader(),
            Self::Random(program) => program.shader(),
            Self::Optim(program) => program.shader(),
            Self::Matmul(program) => program.shader(),
            Self::Conv(program) => program.shader(),
            Self::Pool(program) => program.shader(),
            Self::BatchNorm(program) => program.shader(),
            #[cfg(test)]
            Self::Text(text) => Shader { text: (*text).into(), reads: 0, writes: 1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    use super::*;

    /// Every kind of shader, generated and hand-written, as a driver would see it; no device is needed.
    #[test]
    fn every_shader_is_valid() {
        let mut programs: Vec<Program> = elementwise::every_program().map(Program::Elementwise).collect();
        programs.extend(reduce::every_program().map(Program::Reduce));
        programs.extend(reduce::every_arg().map(Program::Arg));
        programs.extend(rows::every_program().map(Program::Rows));
        programs.extend(loss::every_program().map(Program::Loss));
        programs.extend(random::every_program().map(Program::Random));
        programs.extend(optim::every_program().map(Program::Optim));
        programs.extend(index::every_program().map(Program::Index));
        programs.extend(attention::every_program().map(Program::Attention));
        programs.extend(scan::every_program().map(Program::Scan));
        programs.extend(sort::every_program().map(Program::Sort));
        programs.extend(mask::every_program().map(Program::Mask));
        programs.extend(movement::every_program().map(Program::Movement));
        programs.extend(matmul::every_program().map(Program::Matmul));
        programs.extend(conv::every_program().map(Program::Conv));
        programs.extend(pool::every_program().map(Program::Pool));
        programs.extend(batch_norm::every_program().map(Program::BatchNorm));
        assert!(programs.len() > 250, "{}", programs.len());
        for program in programs {
            let Shader { text, reads, writes } = program.shader();
            let module = naga::front::wgsl::parse_str(&text)
                .unwrap_or_else(|error| panic!("{program:?}: {}\n{text}", error.emit_to_string(&text)));
            let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
            validator.validate(&module).unwrap_or_else(|error| panic!("{program:?}: {error:?}\n{text}"));
            let bindings = module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some()).count();
            assert_eq!(bindings as u32, reads + writes, "{program:?}");
        }
    }
}

//! What tells one optimizer from another.

use std::ops::Range;
use trueno_core::optim::{Step, Update};
use trueno_core::{Error, Result};

/// The hyperparameters of an optimizer, and with [`Update`] its rule.
///
/// [`Optimizer`](crate::Optimizer) does what is common: it finds parameters and gradients, keeps state,
/// counts steps, saves and loads.
pub trait Rule: Update + Clone + Send + Sync {
    /// The optimizer's name, as PyTorch spells it.
    const NAME: &'static str;

    /// The learning rate.
    fn learning_rate(&self) -> f64;

    /// Changes the learning rate.
    fn set_learning_rate(&mut self, lr: f64);

    /// Whether steps go up the gradient instead of down.
    fn maximize(&self) -> bool {
        false
    }

    /// Every hyperparameter by PyTorch's name; a flag is 0 or 1.
    fn hyperparameters(&self) -> Vec<(&'static str, f64)>;

    /// Changes a hyperparameter by name. Unknown names are ignored, so that newer files load.
    fn set_hyperparameter(&mut self, name: &str, value: f64);

    /// What a hyperparameter may be; its end is excluded.
    fn range(name: &str) -> Range<f64> {
        let _ = name;
        0.0..f64::INFINITY
    }

    /// A step of part of a parameter; `state` has a slice per name in [`Update::state`]. It is
    /// `trueno_kernels::optim::step::<f32, Self>`, and is a function of no generics so that it is compiled with the rule.
    ///
    /// Parts are stepped in any order and by several threads. Parameters in half precision come in `f32`, and are rounded afterwards.
    fn update_f32(step: &Step, parameter: &mut [f32], grad: &[f32], state: &mut [&mut [f32]]);

    /// As [`Rule::update_f32`].
    fn update_f64(step: &Step, parameter: &mut [f64], grad: &[f64], state: &mut [&mut [f64]]);
}

/// A field of an optimizer's hyperparameters, as numbers.
pub(crate) trait Setting {
    fn numbers(&self) -> Vec<f64>;
    fn set(&mut self, part: usize, value: f64);
}

impl Setting for f64 {
    fn numbers(&self) -> Vec<f64> {
        vec![*self]
    }

    fn set(&mut self, _: usize, value: f64) {
        *self = value;
    }
}

impl Setting for bool {
    fn numbers(&self) -> Vec<f64> {
        vec![f64::from(u8::from(*self))]
    }

    fn set(&mut self, _: usize, value: f64) {
        *self = value != 0.0;
    }
}

impl Setting for (f64, f64) {
    fn numbers(&self) -> Vec<f64> {
        vec![self.0, self.1]
    }

    fn set(&mut self, part: usize, value: f64) {
        match part {
            0 => self.0 = value,
            _ => self.1 = value,
        }
    }
}

/// Makes an optimizer and its hyperparameters, with PyTorch's defaults, of a list of fields; its [`Update`] is all that it lacks.
///
/// A field of two numbers names them, and any field can name the range of its numbers:
/// `betas: (f64, f64) = (0.9, 0.999), "beta1" in 0.0..1.0, "beta2" in 0.0..1.0;`. There are always `lr` and `maximize`.
macro_rules! rule {
    (
        $(#[$about:meta])* $optimizer:ident, $name:literal;
        $(#[$doc:meta])* $config:ident {
            $($(#[$field_doc:meta])* $field:ident: $ty:ty = $default:expr $(, $part:literal in $range:expr)*;)+
        }
    ) => {
        $(#[$about])*
        pub type $optimizer = $crate::Optimizer<$config>;

        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $config {
            $($(#[$field_doc])* pub $field: $ty,)+
            /// Whether steps go up the gradient instead of down. Default: no.
            pub maximize: bool,
        }

        impl Default for $config {
            fn default() -> Self {
                $config { $($field: $default,)+ maximize: false }
            }
        }

        impl $crate::Rule for $config {
            const NAME: &'static str = $name;

            fn learning_rate(&self) -> f64 {
                self.lr
            }

            fn set_learning_rate(&mut self, lr: f64) {
                self.lr = lr;
            }

            fn maximize(&self) -> bool {
                self.maximize
            }

            fn hyperparameters(&self) -> Vec<(&'static str, f64)> {
                use $crate::rule::Setting;
                let mut all = Vec::new();
                $(all.extend($crate::rule::rule!(@names $field $($part)*).into_iter().zip(self.$field.numbers()));)+
                all.push(("maximize", self.maximize.numbers()[0]));
                all
            }

            fn set_hyperparameter(&mut self, name: &str, value: f64) {
                use $crate::rule::Setting;
                $(if let Some(part) = $crate::rule::rule!(@names $field $($part)*).iter().position(|part| *part == name) {
                    self.$field.set(part, value);
                })+
                if name == "maximize" {
                    self.maximize.set(0, value);
                }
            }

            fn range(name: &str) -> std::ops::Range<f64> {
                match name {
                    $($($part => $range,)*)+
                    _ => 0.0..f64::INFINITY,
                }
            }

            fn update_f32(
                step: &trueno_core::optim::Step, parameter: &mut [f32], grad: &[f32], state: &mut [&mut [f32]],
            ) {
                trueno_kernels::optim::step::<f32, Self>(trueno_tensor::isa(), step, parameter, grad, state);
            }

            fn update_f64(
                step: &trueno_core::optim::Step, parameter: &mut [f64], grad: &[f64], state: &mut [&mut [f64]],
            ) {
                trueno_kernels::optim::step::<f64, Self>(trueno_tensor::isa(), step, parameter, grad, state);
            }
        }
    };
    (@names $field:ident) => { [stringify!($field)] };
    (@names $field:ident $($part:literal)+) => { [$($part),+] };
}
pub(crate) use rule;

/// Refuses a hyperparameter outside `range`, whose end is excluded.
pub(crate) fn require(op: &'static str, name: &str, value: f64, range: Range<f64>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let reason = format!("{name} = {value} is outside [{}, {})", range.start, range.end);
    Err(Error::Argument { op, reason: reason.into() })
}

/// Refuses hyperparameters that PyTorch refuses: negative rates, decays outside `[0, 1)`.
pub(crate) fn check<R: Rule>(rule: &R) -> Result<()> {
    rule.hyperparameters().into_iter().try_for_each(|(name, value)| require(R::NAME, name, value, R::range(name)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// What is not inlined into a kernel does not get its instructions, and no compiler says so.
    #[test]
    fn formulas_are_inlined_into_their_kernels() {
        let mut formulas = 0;
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let is_formula = |line: &str| {
                (line.starts_with("fn ") || line.starts_with("pub(crate) fn ")) && line.contains("<M: Math>")
            };
            for at in (0..lines.len()).filter(|&at| is_formula(lines[at])) {
                assert_eq!(lines[at - 1], "#[inline(always)]", "{}:{}", path.display(), at + 1);
                formulas += 1;
            }
        }
        assert!(formulas >= 9, "the sources are where they were");
    }
}

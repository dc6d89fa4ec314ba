//! From a state dict into a module, all or nothing.

use super::StateDict;
use crate::{Module, RngState, Visitor, VisitorMut};
use std::collections::HashMap;
use trueno_core::{Error, Result};
use trueno_tensor::DynTensor;

/// The names that only one side had when a state dict was loaded without `strict`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incompatible {
    /// The module's, which kept their values.
    pub missing: Vec<String>,
    /// The state dict's, which nothing took.
    pub unexpected: Vec<String>,
}

/// What the module wants, held against what there is.
struct Plan<'a> {
    dict: &'a StateDict,
    values: HashMap<String, DynTensor>,
    missing: Vec<String>,
    misfits: Vec<String>,
    failure: Option<Error>,
}

impl Plan<'_> {
    fn expect(&mut self, name: &str, own: &DynTensor) {
        let Some(given) = self.dict.get(name) else {
            self.missing.push(name.to_owned());
            return;
        };
        if given.shape() != own.shape() {
            let (expected, got) = (own.shape(), given.shape());
            self.misfits.push(format!("`{name}` has shape {expected:?} here and {got:?} in the state dict"));
            return;
        }
        if given.dtype() != own.dtype() && !(given.dtype().is_float() && own.dtype().is_float()) {
            let (expected, got) = (own.dtype(), given.dtype());
            self.misfits.push(format!("`{name}` is {expected} here and {got} in the state dict"));
            return;
        }
        match given.cast(own.dtype()).and_then(|value| value.to(&own.device())) {
            Ok(value) => {
                self.values.insert(name.to_owned(), value);
            }
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Visitor for Plan<'_> {
    fn parameter(&mut self, name: &str, value: &DynTensor) {
        self.expect(name, value);
    }

    fn buffer(&mut self, name: &str, value: &DynTensor) {
        self.expect(name, value);
    }
}

/// Puts the planned values where they belong; nothing can fail any more.
struct Assign(HashMap<String, DynTensor>);

impl VisitorMut for Assign {
    fn parameter(&mut self, name: &str, value: &mut DynTensor) {
        if let Some(new) = self.0.remove(name) {
            // The same leaf of the gradient graph, so that what was recorded and accumulated for it stays its own.
            *value = new.with_recorder(value.recorder().cloned());
        }
    }

    fn buffer(&mut self, name: &str, value: &mut DynTensor) {
        if let Some(new) = self.0.remove(name) {
            *value = new;
        }
    }
}

/// See [`Module::load_state_dict`].
pub(crate) fn load_state_dict(module: &mut dyn Module, dict: &StateDict, strict: bool) -> Result<Incompatible> {
    let (values, misfits) = (HashMap::new(), Vec::new());
    let mut plan = Plan { dict, values, missing: Vec::new(), misfits, failure: None };
    module.visit(&mut plan);
    let Plan { values, missing, misfits, failure, .. } = plan;
    if let Some(error) = failure {
        return Err(error);
    }
    let own = module.state_dict();
    let unexpected: Vec<String> = dict.keys().filter(|name| !own.contains_key(name)).map(str::to_owned).collect();
    let mut reasons = Vec::new();
    if strict && !missing.is_empty() {
        reasons.push(format!("missing: {}", missing.join(", ")));
    }
    if strict && !unexpected.is_empty() {
        reasons.push(format!("unexpected: {}", unexpected.join(", ")));
    }
    reasons.extend(misfits);
    if !reasons.is_empty() {
        return Err(Error::Argument { op: "load_state_dict", reason: reasons.join("; ").into() });
    }
    module.visit_mut(&mut Assign(values));
    Ok(Incompatible { missing, unexpected })
}

/// See [`Module::rng_state_dict`].
pub(crate) fn rng_state_dict<M: Module + ?Sized>(module: &M) -> StateDict {
    struct Collect(StateDict);
    impl Visitor for Collect {
        fn parameter(&mut self, _: &str, _: &DynTensor) {}
        fn rng_state(&mut self, name: &str, state: &RngState) {
            self.0.insert(name, state.to_tensor());
        }
    }
    let mut found = Collect(StateDict::new());
    module.visit(&mut found);
    found.0
}

/// See [`Module::load_rng_state_dict`].
pub(crate) fn load_rng_state_dict(module: &mut dyn Module, dict: &StateDict) -> Result<()> {
    struct Take(HashMap<String, RngState>);
    impl VisitorMut for Take {
        fn parameter(&mut self, _: &str, _: &mut DynTensor) {}
        fn rng_state(&mut self, name: &str, state: &mut RngState) {
            if let Some(new) = self.0.remove(name) {
                *state = new;
            }
        }
    }
    let own = rng_state_dict(module);
    let refuse = |reason: String| Error::Argument { op: "load_rng_state_dict", reason: reason.into() };
    if let Some(name) = own.keys().find(|name| !dict.contains_key(name)) {
        return Err(refuse(format!("`{name}` is missing")));
    }
    if let Some(name) = dict.keys().find(|name| !own.contains_key(name)) {
        return Err(refuse(format!("`{name}` is no random state of this module")));
    }
    let state = |(name, value): (&str, &DynTensor)| match RngState::from_tensor(value) {
        Some(state) => Ok((name.to_owned(), state)),
        None => Err(refuse(format!("`{name}` is not two int64 values: a seed and a number of calls"))),
    };
    let states = dict.iter().map(state).collect::<Result<_>>()?;
    module.visit_mut(&mut Take(states));
    Ok(())
}

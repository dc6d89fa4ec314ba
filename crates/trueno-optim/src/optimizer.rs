//! What all optimizers do: find parameters and gradients, keep state, count steps.

use crate::Rule;
use crate::fused::{self, Move};
use crate::lent::{Lent, Taken};
use crate::rule::check;
use std::collections::BTreeMap;
use trueno_autograd::Gradients;
use trueno_core::optim::Step;
use trueno_core::{Error, Result};
use trueno_nn::{Module, StateDict, Visitor};
use trueno_tensor::DynTensor;

/// An optimizer with the update rule `R`; its names are those of its rules: [`Sgd`](crate::Sgd), [`AdamW`](crate::AdamW),
/// [`RmsProp`](crate::RmsProp) and so on.
///
/// State is kept by parameter name, so it survives saving, loading and moving the module.
#[derive(Clone, Debug)]
pub struct Optimizer<R> {
    groups: Vec<Group<R>>,
    entries: BTreeMap<String, Entry>,
}

/// Hyperparameters of some parameters. The first group is that of all others.
#[derive(Clone, Debug)]
struct Group<R> {
    rule: R,
    /// Its learning rate over that of the first group; fixed when the group is made, so that a rate of 0 forgets nothing.
    ratio: f64,
}

/// What is kept for one parameter.
#[derive(Clone, Debug)]
struct Entry {
    group: usize,
    steps: u64,
    /// A number per name in `Update::counters`, once there was a step.
    counters: Vec<f64>,
    /// A tensor per name in `Update::state`, once there was a step.
    state: Vec<DynTensor>,
}

impl Entry {
    /// That of a parameter that has not been moved.
    fn new(group: usize) -> Self {
        Entry { group, steps: 0, counters: Vec::new(), state: Vec::new() }
    }
}

impl<R: Rule> Optimizer<R> {
    /// An optimizer for the parameters of `module`.
    ///
    /// # Panics
    /// If a hyperparameter is out of its range; [`Optimizer::try_new`] returns the error.
    #[track_caller]
    pub fn new<M: Module + ?Sized>(module: &M, config: R) -> Self {
        Self::try_new(module, config).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`Optimizer::new`].
    ///
    /// # Errors
    /// [`Error::Argument`] naming the hyperparameter that is out of its range.
    pub fn try_new<M: Module + ?Sized>(module: &M, config: R) -> Result<Self> {
        struct Names(BTreeMap<String, Entry>);
        impl Visitor for Names {
            fn parameter(&mut self, name: &str, _: &DynTensor) {
                self.0.insert(name.to_owned(), Entry::new(0));
            }
        }
        check(&config)?;
        let mut names = Names(BTreeMap::new());
        module.visit(&mut names);
        Ok(Optimizer { groups: vec![Group { rule: config, ratio: 1.0 }], entries: names.0 })
    }

    /// Gives the parameters whose names `belongs` accepts hyperparameters of their own: those of the optimizer as
    /// `adjust` changes them (PyTorch's parameter groups).
    ///
    /// ```no_run
    /// # fn example(net: &trueno_nn::Linear) {
    /// use trueno_optim::{AdamW, AdamWConfig};
    /// let optimizer = AdamW::new(net, AdamWConfig::default())
    ///     .group(|name| name.ends_with("bias"), |config| config.weight_decay = 0.0);
    /// # }
    /// ```
    ///
    /// # Panics
    /// If an adjusted hyperparameter is out of its range, or would need other state for a parameter that has been moved.
    #[must_use]
    #[track_caller]
    pub fn group(mut self, belongs: impl Fn(&str) -> bool, adjust: impl FnOnce(&mut R)) -> Self {
        let mut rule = self.groups[0].rule.clone();
        adjust(&mut rule);
        check(&rule).unwrap_or_else(|error| panic!("{error}"));
        let base = self.learning_rate();
        let ratio = if base == 0.0 { 1.0 } else { rule.learning_rate() / base };
        self.groups.push(Group { rule, ratio });
        for (name, entry) in &mut self.entries {
            if belongs(name) {
                let kept = state_names(&self.groups[entry.group].rule);
                let needed = state_names(&self.groups[self.groups.len() - 1].rule);
                assert!(
                    entry.steps == 0 || kept == needed,
                    "{}: {name} has been moved with {kept:?} as its state, and this group needs {needed:?}; make groups first",
                    R::NAME
                );
                entry.group = self.groups.len() - 1;
            }
        }
        self
    }

    /// The learning rate of the parameters that belong to no group of their own.
    pub fn learning_rate(&self) -> f64 {
        self.groups[0].rule.learning_rate()
    }

    /// Changes the learning rate; groups keep their ratio to it.
    pub fn set_learning_rate(&mut self, lr: f64) {
        for Group { rule, ratio } in &mut self.groups {
            rule.set_learning_rate(lr * *ratio);
        }
    }

    /// Moves the parameters of `module` along the gradients, and empties the `.grad()` slots of those it moved, so that
    /// the next `backward` starts afresh. Parameters without a gradient stay.
    ///
    /// # Panics
    /// If the module's parameters are not those the optimizer was made for; [`Optimizer::try_step`] returns the error.
    #[track_caller]
    pub fn step<M: Module + ?Sized>(&mut self, module: &mut M, gradients: &Gradients) {
        self.try_step(module, gradients).unwrap_or_else(|error| panic!("{error}"));
    }

    /// As [`Optimizer::step`].
    ///
    /// # Errors
    /// [`Error::Argument`] naming a parameter that the optimizer does not know, [`Error::ShapePair`] if a gradient does not
    /// fit its parameter, [`Error::Gradient`] if no gradient is by a parameter of `module`; then nothing has changed.
    pub fn try_step<M: Module + ?Sized>(&mut self, module: &mut M, gradients: &Gradients) -> Result<()> {
        self.try_step_scaled(module, gradients, 1.0)
    }

    /// As [`Optimizer::try_step`], along the gradients times `factor`.
    pub(crate) fn try_step_scaled<M: Module + ?Sized>(
        &mut self,
        module: &mut M,
        gradients: &Gradients,
        factor: f64,
    ) -> Result<()> {
        self.check_step(module, gradients)?;
        let mut lent = Lent::take(module, gradients)?;
        if lent.taken.is_empty() && !gradients.is_empty() {
            let reason = "none of the gradients is by a parameter of this module (a clone of a module has parameters of \
                          its own)";
            return Err(Error::Gradient { op: R::NAME, reason: reason.into() });
        }
        self.move_all(&mut lent.taken, factor)?;
        lent.moved = true;
        Ok(())
    }

    /// One fused step of all parameters; on an error none has moved.
    fn move_all(&mut self, taken: &mut BTreeMap<String, Taken>, factor: f64) -> Result<()> {
        let Optimizer { groups, entries } = self;
        let mut moves = Vec::with_capacity(taken.len());
        let mut counts = Vec::with_capacity(taken.len());
        // Both go by name, and every name that was taken is known.
        let mut entries = entries.iter_mut();
        for (name, Taken { value: parameter, gradient: grad, .. }) in taken {
            let Some((_, entry)) = entries.find(|(known, _)| *known == name) else { break };
            let Entry { group, steps, counters, state } = entry;
            let rule = &groups[*group].rule;
            if *steps == 0 {
                *state = first_state(rule, parameter)?;
                *counters = rule.counters().iter().map(|&(_, first)| first).collect();
            }
            let mut next = counters.clone();
            let step = rule.step(*steps + 1, &mut next);
            let factor = step.factor * if rule.maximize() { -factor } else { factor };
            moves.push(Move { step: Step { factor, ..step }, parameter, grad, state });
            counts.push((steps, counters, next));
        }
        fused::step::<R>(&mut moves)?;
        for (steps, counters, next) in counts {
            *steps += 1;
            *counters = next;
        }
        Ok(())
    }

    /// Refuses what a step could not finish, before it changes anything.
    fn check_step<M: Module + ?Sized>(&self, module: &M, gradients: &Gradients) -> Result<()> {
        for (name, parameter) in module.named_parameters() {
            let Some(gradient) = gradients.get(&parameter) else { continue };
            let Some(entry) = self.entries.get(&name) else {
                let reason = format!("parameter {name} is not one of those the optimizer was made for");
                return Err(Error::Argument { op: R::NAME, reason: reason.into() });
            };
            let mut others = entry.state.iter().map(DynTensor::shape).chain([gradient.shape()]);
            if let Some(shape) = others.find(|shape| *shape != parameter.shape()) {
                let reason = format!("parameter {name} does not fit its gradient or its state").into();
                let (lhs, rhs) = (parameter.shape().into(), shape.into());
                return Err(Error::ShapePair { op: R::NAME, lhs, rhs, reason });
            }
        }
        Ok(())
    }

    /// The optimizer's state: `NAME.STATE`, `NAME.step` and what else is counted per parameter that had a step, and the hyperparameters
    /// of each group in the metadata.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn state_dict(&self) -> Result<StateDict> {
        let mut dict = StateDict::new();
        for (name, entry) in self.entries.iter().filter(|(_, entry)| entry.steps > 0) {
            dict.insert(format!("{name}.step"), DynTensor::scalar(entry.steps as i64)?);
            let rule = &self.groups[entry.group].rule;
            for ((counter, _), &value) in rule.counters().iter().zip(&entry.counters) {
                dict.insert(format!("{name}.{counter}"), DynTensor::scalar(value)?);
            }
            for (state, value) in state_names(rule).iter().zip(&entry.state) {
                dict.insert(format!("{name}.{state}"), value.clone());
            }
        }
        dict.metadata_mut().insert("optimizer".into(), R::NAME.into());
        for (index, group) in self.groups.iter().enumerate() {
            for (name, value) in group.rule.hyperparameters() {
                dict.metadata_mut().insert(format!("optimizer.{index}.{name}"), format!("{value:?}"));
            }
        }
        Ok(dict)
    }

    /// Takes back what [`Optimizer::state_dict`] gave, hyperparameters included. All or nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] if the state is another optimizer's or another module's, is incomplete, or has other groups.
    pub fn load_state_dict<M: Module + ?Sized>(&mut self, module: &M, dict: &StateDict) -> Result<()> {
        let kind = dict.metadata().get("optimizer").map_or("nothing", String::as_str);
        if kind != R::NAME {
            let reason = format!("the state is that of {kind}, not of {}", R::NAME);
            return Err(Error::Argument { op: "load_state_dict", reason: reason.into() });
        }
        // The groups come first: their hyperparameters decide what state there is.
        let groups = self.load_groups(dict)?;
        let shapes: BTreeMap<String, DynTensor> = module.named_parameters().into_iter().collect();
        let mut entries = self.entries.clone();
        for (name, entry) in &mut entries {
            *entry = load_entry(name, entry.group, &groups[entry.group].rule, shapes.get(name), dict)?;
        }
        check_keys(&groups, &entries, dict)?;
        (self.entries, self.groups) = (entries, groups);
        Ok(())
    }

    /// The groups with the hyperparameters of a state dict.
    fn load_groups(&self, dict: &StateDict) -> Result<Vec<Group<R>>> {
        let mut groups = self.groups.clone();
        for (key, value) in dict.metadata() {
            let Some((index, name)) = key.strip_prefix("optimizer.").and_then(|rest| rest.split_once('.')) else {
                continue;
            };
            let group = index.parse::<usize>().ok().and_then(|index| groups.get_mut(index));
            let (Some(group), Ok(value)) = (group, value.parse()) else {
                let reason = format!("{key} = {value} fits none of the {} parameter groups", self.groups.len());
                return Err(Error::Argument { op: "load_state_dict", reason: reason.into() });
            };
            group.rule.set_hyperparameter(name, value);
        }
        for group in &groups {
            check(&group.rule)?;
        }
        Ok(groups)
    }
}

/// The names of what a rule keeps for each element of a parameter.
fn state_names<R: Rule>(rule: &R) -> Vec<&'static str> {
    rule.state().into_iter().map(|(name, _)| name).collect()
}

/// The state before the first step, beside the parameter.
fn first_state<R: Rule>(rule: &R, parameter: &DynTensor) -> Result<Vec<DynTensor>> {
    let fresh = |first: f64| DynTensor::full(parameter.shape(), parameter.dtype(), first)?.to(&parameter.device());
    rule.state().into_iter().map(|(_, first)| fresh(first)).collect()
}

fn wrong(what: String) -> Error {
    Error::Argument { op: "load_state_dict", reason: what.into() }
}

/// One parameter's state from a dict: none if it never had a step.
fn load_entry<R: Rule>(
    name: &str,
    group: usize,
    rule: &R,
    parameter: Option<&DynTensor>,
    dict: &StateDict,
) -> Result<Entry> {
    let Some(steps) = dict.get(&format!("{name}.step")) else { return Ok(Entry::new(group)) };
    let parameter = parameter.ok_or_else(|| wrong(format!("{name} is no parameter of this module")))?;
    let steps = u64::try_from(steps.item::<i64>()?).map_err(|_| wrong(format!("{name}.step is negative")))?;
    let value = |kept: &str| -> Result<(String, &DynTensor)> {
        let key = format!("{name}.{kept}");
        let missing = || wrong(format!("{key} is missing, which {} needs", settings(rule)));
        let value = dict.get(&key).ok_or_else(missing)?;
        Ok((key, value))
    };
    let tensor = |state: &str| -> Result<DynTensor> {
        let (key, value) = value(state)?;
        if (value.shape(), value.dtype()) != (parameter.shape(), parameter.dtype()) {
            let (got, dtype) = (value.shape(), value.dtype());
            let (shape, own) = (parameter.shape(), parameter.dtype());
            return Err(wrong(format!(
                "{key} has shape {got:?} and type {dtype}, the parameter has {shape:?} of {own}"
            )));
        }
        value.to(&parameter.device())
    };
    let counters = rule.counters().iter().map(|(counter, _)| value(counter)?.1.item::<f64>()).collect::<Result<_>>()?;
    Ok(Entry { group, steps, counters, state: state_names(rule).into_iter().map(tensor).collect::<Result<_>>()? })
}

/// Refuses tensors that nothing took: those of other parameters, and state that the hyperparameters do not use.
fn check_keys<R: Rule>(groups: &[Group<R>], entries: &BTreeMap<String, Entry>, dict: &StateDict) -> Result<()> {
    for key in dict.keys() {
        let Some((entry, state)) = key.rsplit_once('.').and_then(|(name, state)| Some((entries.get(name)?, state)))
        else {
            return Err(wrong(format!("{key} belongs to no parameter of this module")));
        };
        let rule = &groups[entry.group].rule;
        let counted = state == "step" || rule.counters().iter().any(|(counter, _)| *counter == state);
        if !counted && !state_names(rule).contains(&state) {
            return Err(wrong(format!("{key} is no state of {}", settings(rule))));
        }
    }
    Ok(())
}

/// An optimizer with its hyperparameters, for messages.
fn settings<R: Rule>(rule: &R) -> String {
    let settings: Vec<String> =
        rule.hyperparameters().iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("{} with {}", R::NAME, settings.join(", "))
}

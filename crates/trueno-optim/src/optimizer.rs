//! What all optimizers do: find parameters and gradients, keep state, count steps.

use crate::Rule;
use crate::rule::check;
use std::collections::BTreeMap;
use trueno_autograd::{Autograd, Gradients};
use trueno_core::{DType, Error, Result};
use trueno_nn::{Module, StateDict, Visitor, VisitorMut};
use trueno_tensor::DynTensor;

/// An optimizer with the update rule `R`; its names are [`Sgd`](crate::Sgd), [`Adam`](crate::Adam) and [`AdamW`](crate::AdamW).
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
    /// A tensor per name in `Rule::STATE`, once there was a step.
    state: Vec<DynTensor>,
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
                self.0.insert(name.to_owned(), Entry { group: 0, steps: 0, state: Vec::new() });
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
    /// If an adjusted hyperparameter is out of its range.
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
        struct Step<'a, R> {
            optimizer: &'a mut Optimizer<R>,
            gradients: &'a Gradients,
            moved: usize,
            result: Result<()>,
        }
        impl<R: Rule> VisitorMut for Step<'_, R> {
            fn parameter(&mut self, name: &str, value: &mut DynTensor) {
                if self.result.is_ok()
                    && let Some(gradient) = self.gradients.get(value)
                {
                    self.moved += 1;
                    self.result = self.optimizer.step_one(name, value, &gradient);
                }
            }
        }
        self.check_step(module, gradients)?;
        let mut step = Step { optimizer: self, gradients, moved: 0, result: Ok(()) };
        module.visit_mut(&mut step);
        if step.result.is_ok() && step.moved == 0 && !gradients.is_empty() {
            let reason = "none of the gradients is by a parameter of this module (a clone of a module has parameters of \
                          its own)";
            return Err(Error::Gradient { op: R::NAME, reason: reason.into() });
        }
        step.result
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

    fn step_one(&mut self, name: &str, parameter: &mut DynTensor, gradient: &DynTensor) -> Result<()> {
        let Some(entry) = self.entries.get_mut(name) else {
            return Ok(());
        };
        if entry.state.is_empty() {
            let fresh = || DynTensor::zeros(parameter.shape(), DType::F32);
            entry.state = R::STATE.iter().map(|_| fresh()).collect::<Result<_>>()?;
        }
        let gradient = gradient.detach().cast(DType::F32)?.contiguous()?;
        let gradient = gradient.as_slice::<f32>().unwrap_or(&[]);
        parameter.zero_grad();
        entry.steps += 1;
        let mut state = entry.state.iter_mut().map(DynTensor::make_mut::<f32>).collect::<Result<Vec<_>>>()?;
        let rule = &self.groups[entry.group].rule;
        parameter.update(|value| {
            rule.update(entry.steps, value.make_mut::<f32>()?, gradient, &mut state);
            Ok(())
        })
    }

    /// The optimizer's state: `NAME.STATE` and `NAME.step` per parameter that had a step, and the hyperparameters of each
    /// group in the metadata.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn state_dict(&self) -> Result<StateDict> {
        let mut dict = StateDict::new();
        for (name, entry) in self.entries.iter().filter(|(_, entry)| entry.steps > 0) {
            dict.insert(format!("{name}.step"), DynTensor::scalar(entry.steps as i64)?);
            for (state, value) in R::STATE.iter().zip(&entry.state) {
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
        let shapes: BTreeMap<String, DynTensor> = module.named_parameters().into_iter().collect();
        let mut entries = self.entries.clone();
        for (name, entry) in &mut entries {
            *entry = load_entry::<R>(name, entry.group, shapes.get(name), dict)?;
        }
        let known = |key: &str| key.rsplit_once('.').is_some_and(|(name, _)| entries.contains_key(name));
        if let Some(key) = dict.keys().find(|key| !known(key)) {
            let reason = format!("{key} belongs to no parameter of this module");
            return Err(Error::Argument { op: "load_state_dict", reason: reason.into() });
        }
        let groups = self.load_groups(dict)?;
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

/// One parameter's state from a dict: none if it never had a step.
fn load_entry<R: Rule>(name: &str, group: usize, parameter: Option<&DynTensor>, dict: &StateDict) -> Result<Entry> {
    let wrong = |what: String| Error::Argument { op: "load_state_dict", reason: what.into() };
    let Some(steps) = dict.get(&format!("{name}.step")) else {
        return Ok(Entry { group, steps: 0, state: Vec::new() });
    };
    let steps = u64::try_from(steps.item::<i64>()?).map_err(|_| wrong(format!("{name}.step is negative")))?;
    let tensor = |state: &&str| -> Result<DynTensor> {
        let key = format!("{name}.{state}");
        let value = dict.get(&key).ok_or_else(|| wrong(format!("{key} is missing")))?;
        let shape = parameter.map_or(&[][..], DynTensor::shape);
        if value.shape() != shape || value.dtype() != DType::F32 {
            let (got, dtype) = (value.shape(), value.dtype());
            return Err(wrong(format!(
                "{key} has shape {got:?} and type {dtype}, the parameter has {shape:?} of float32"
            )));
        }
        Ok(value.clone())
    };
    Ok(Entry { group, steps, state: R::STATE.iter().map(tensor).collect::<Result<_>>()? })
}

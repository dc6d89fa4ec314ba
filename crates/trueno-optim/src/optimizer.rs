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
    groups: Vec<R>,
    entries: BTreeMap<String, Entry>,
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
        Ok(Optimizer { groups: vec![config], entries: names.0 })
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
        let mut config = self.groups[0].clone();
        adjust(&mut config);
        check(&config).unwrap_or_else(|error| panic!("{error}"));
        self.groups.push(config);
        for (name, entry) in &mut self.entries {
            if belongs(name) {
                entry.group = self.groups.len() - 1;
            }
        }
        self
    }

    /// The learning rate of the parameters that belong to no group of their own.
    pub fn learning_rate(&self) -> f64 {
        self.groups[0].learning_rate()
    }

    /// Changes the learning rate; groups keep their ratio to it.
    pub fn set_learning_rate(&mut self, lr: f64) {
        let old = self.learning_rate();
        for group in &mut self.groups {
            let ratio = if old == 0.0 { 1.0 } else { group.learning_rate() / old };
            group.set_learning_rate(lr * ratio);
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
    /// [`Error::Argument`] naming the parameter that the optimizer does not know, or [`Error::OutOfMemory`].
    pub fn try_step<M: Module + ?Sized>(&mut self, module: &mut M, gradients: &Gradients) -> Result<()> {
        struct Step<'a, R> {
            optimizer: &'a mut Optimizer<R>,
            gradients: &'a Gradients,
            result: Result<()>,
        }
        impl<R: Rule> VisitorMut for Step<'_, R> {
            fn parameter(&mut self, name: &str, value: &mut DynTensor) {
                if self.result.is_ok()
                    && let Some(gradient) = self.gradients.get(value)
                {
                    self.result = self.optimizer.step_one(name, value, &gradient);
                }
            }
        }
        let mut step = Step { optimizer: self, gradients, result: Ok(()) };
        module.visit_mut(&mut step);
        step.result
    }

    fn step_one(&mut self, name: &str, parameter: &mut DynTensor, gradient: &DynTensor) -> Result<()> {
        let Some(entry) = self.entries.get_mut(name) else {
            let reason = format!("parameter {name} is not one of those the optimizer was made for");
            return Err(Error::Argument { op: R::NAME, reason: reason.into() });
        };
        if entry.state.is_empty() {
            let fresh = || DynTensor::zeros(parameter.shape(), DType::F32);
            entry.state = R::STATE.iter().map(|_| fresh()).collect::<Result<_>>()?;
        }
        entry.steps += 1;
        let gradient = gradient.detach().cast(DType::F32)?.contiguous()?;
        let gradient = gradient.as_slice::<f32>().unwrap_or(&[]);
        parameter.zero_grad();
        let mut state = entry.state.iter_mut().map(DynTensor::make_mut::<f32>).collect::<Result<Vec<_>>>()?;
        let rule = &self.groups[entry.group];
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
            for (name, value) in group.hyperparameters() {
                dict.metadata_mut().insert(format!("optimizer.{index}.{name}"), format!("{value:?}"));
            }
        }
        Ok(dict)
    }

    /// Takes back what [`Optimizer::state_dict`] gave, hyperparameters included. All or nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] if the state is another optimizer's, a parameter's state is incomplete, or it has another length.
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
        let mut groups = self.groups.clone();
        for (index, group) in groups.iter_mut().enumerate() {
            for (name, value) in dict.metadata() {
                let name = name.strip_prefix(&format!("optimizer.{index}."));
                if let (Some(name), Ok(value)) = (name, value.parse()) {
                    group.set_hyperparameter(name, value);
                }
            }
            check(group)?;
        }
        (self.entries, self.groups) = (entries, groups);
        Ok(())
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

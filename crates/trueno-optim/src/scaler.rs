//! Loss scaling for training in half precision.

use crate::clip::norm;
use crate::rule::require;
use crate::{Optimizer, Rule};
use std::collections::BTreeMap;
use trueno_autograd::{Autograd, Gradients};
use trueno_core::table::BinaryOp;
use trueno_core::{Error, Result};
use trueno_nn::Module;

/// How a [`GradScaler`] finds its scale; the defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradScalerConfig {
    /// The scale to begin with.
    pub init_scale: f64,
    /// What the scale is multiplied by after `growth_interval` steps in a row whose gradients were finite.
    pub growth_factor: f64,
    /// What the scale is multiplied by after a step whose gradients were not finite.
    pub backoff_factor: f64,
    /// Steps after which a larger scale is tried.
    pub growth_interval: u64,
    /// Whether anything is scaled at all: without, losses and gradients are left as they are and every step is made, so that one
    /// program trains in `float16` and in types that need no scaling.
    pub enabled: bool,
}

impl Default for GradScalerConfig {
    fn default() -> GradScalerConfig {
        GradScalerConfig {
            init_scale: 65536.0,
            growth_factor: 2.0,
            backoff_factor: 0.5,
            growth_interval: 2000,
            enabled: true,
        }
    }
}

/// Scales losses so that gradients in `float16` neither vanish nor overflow (PyTorch's `GradScaler`; Micikevicius et al., 2018).
///
/// Small gradients are 0 in `float16`, so the loss is multiplied by a large number, and the gradients by its inverse, in `f32`. If
/// a gradient comes out infinite or NaN the scale was too large: the step is left out and the scale becomes smaller; after many good
/// steps it becomes larger.
///
/// ```
/// use trueno_autograd::Backward;
/// use trueno_core::DType;
/// use trueno_nn::{Layer, Linear, Mode, Rng, mse_loss};
/// use trueno_optim::{GradScaler, Sgd, SgdConfig};
/// use trueno_tensor::{autocast, prelude::*};
/// let mut net = Linear::new(2, 1, &mut Rng::seed(0));
/// let mut optimizer = Sgd::new(&net, SgdConfig { lr: 0.1, ..Default::default() });
/// let mut scaler = GradScaler::default();
/// let (x, y) = (tensor![[1.0, 2.0], [3.0, -1.0]], tensor![[1.0], [0.0]]);
/// for _ in 0..3 {
///     let loss = autocast(DType::F16, || mse_loss(&net.forward(&x, Mode::Train), &y));
///     let gradients = scaler.scale(&loss).backward();
///     scaler.step(&mut optimizer, &mut net, &gradients)?;
///     scaler.update()?;
/// }
/// # Ok::<(), trueno_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct GradScaler {
    config: GradScalerConfig,
    scale: f64,
    /// Good steps since the scale last changed.
    growth_tracker: u64,
    /// Whether the gradients of this iteration that were looked at were all finite; `None` before any was.
    finite: Option<bool>,
    /// Whether those that come next have been unscaled already.
    unscaled: bool,
}

impl Default for GradScaler {
    fn default() -> GradScaler {
        let config = GradScalerConfig::default();
        GradScaler { config, scale: config.init_scale, growth_tracker: 0, finite: None, unscaled: false }
    }
}

impl GradScaler {
    /// A scaler with other settings than PyTorch's.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the setting that is out of its range: a scale that is not positive and finite, a growth of at
    /// most 1, a backoff outside `(0, 1)`, an interval of 0.
    pub fn with_config(config: GradScalerConfig) -> Result<GradScaler> {
        check(&config)?;
        Ok(GradScaler { config, scale: config.init_scale, ..GradScaler::default() })
    }

    /// What losses are multiplied by at present; 1 if the scaler is not enabled.
    pub fn get_scale(&self) -> f64 {
        if self.config.enabled { self.scale } else { 1.0 }
    }

    /// Whether anything is scaled.
    pub fn is_enabled(&self) -> bool {
        self.config.enabled
    }

    /// The loss, scaled: the one to call `backward()` of.
    ///
    /// # Panics
    /// At the caller's line, with the error of [`GradScaler::try_scale`] as the message.
    #[track_caller]
    pub fn scale<L: Autograd>(&self, loss: &L) -> L {
        self.try_scale(loss).unwrap_or_else(|error| panic!("{error}"))
    }

    /// As [`GradScaler::scale`].
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]; [`Error::Device`] for what a GPU refuses.
    pub fn try_scale<L: Autograd>(&self, loss: &L) -> Result<L> {
        if !self.config.enabled {
            return Ok(loss.clone());
        }
        L::from_dyn(loss.as_dyn().binary_scalar(BinaryOp::Mul, self.scale)?)
    }

    /// Divides gradients by the scale and looks whether they are finite, so that they can be clipped or looked at;
    /// [`GradScaler::step`] does it where it has not been done. They are looked at by their norm, so a gradient so large that the
    /// square of it overflows counts as infinite. Those on a GPU are waited for.
    ///
    /// # Errors
    /// [`Error::Argument`] if it has been done since the last [`GradScaler::step`]; [`Error::OutOfMemory`]; [`Error::Device`].
    pub fn unscale(&mut self, gradients: &mut Gradients) -> Result<()> {
        if !self.config.enabled {
            return Ok(());
        }
        if self.unscaled {
            return Err(wrong("unscale", "these gradients have been unscaled already; step() or update() comes next"));
        }
        if self.look(gradients)? {
            let inverse = 1.0 / self.scale;
            gradients.try_map(|gradient| gradient.binary_scalar(BinaryOp::Mul, inverse))?;
        }
        self.unscaled = true;
        Ok(())
    }

    /// Whether gradients are finite, which is kept for the end of the iteration.
    fn look(&mut self, gradients: &Gradients) -> Result<bool> {
        let finite = norm(gradients)?.is_finite();
        self.finite = Some(self.finite.unwrap_or(true) && finite);
        Ok(finite)
    }

    /// One step of the optimizer along gradients of a scaled loss, which the step itself multiplies by the inverse of the scale where
    /// [`GradScaler::unscale`] has not; or none, if they are not finite. Says whether there was one. The gradients stay as they are.
    ///
    /// # Errors
    /// As [`Optimizer::try_step`] and [`GradScaler::unscale`].
    pub fn step<R: Rule, M: Module + ?Sized>(
        &mut self,
        optimizer: &mut Optimizer<R>,
        module: &mut M,
        gradients: &Gradients,
    ) -> Result<bool> {
        let scaled = self.config.enabled && !self.unscaled;
        if scaled {
            self.look(gradients)?;
        }
        self.unscaled = false;
        let moves = self.finite.unwrap_or(true);
        if moves {
            let factor = if scaled { 1.0 / self.scale } else { 1.0 };
            optimizer.try_step_scaled(module, gradients, factor)?;
        }
        Ok(moves)
    }

    /// Ends an iteration: a smaller scale if gradients were not finite, a larger one after many iterations in a row in which they were.
    ///
    /// # Errors
    /// [`Error::Argument`] if no gradients have been unscaled since the last one.
    pub fn update(&mut self) -> Result<()> {
        if !self.config.enabled {
            return Ok(());
        }
        let Some(finite) = self.finite.take() else {
            return Err(wrong("update", "no gradients have been looked at since the last update; step() comes first"));
        };
        self.unscaled = false;
        if !finite {
            self.scale *= self.config.backoff_factor;
            self.growth_tracker = 0;
            return Ok(());
        }
        self.growth_tracker += 1;
        if self.growth_tracker == self.config.growth_interval {
            // One that `f32` does not hold would make every loss infinite.
            let grown = self.scale * self.config.growth_factor;
            self.scale = if grown <= f64::from(f32::MAX) { grown } else { self.scale };
            self.growth_tracker = 0;
        }
        Ok(())
    }

    /// The state, as words for [`save_with`](crate::save_with): under `scaler.` and PyTorch's names. Nothing if the scaler is not enabled.
    pub fn to_words(&self) -> Vec<(&'static str, String)> {
        if !self.config.enabled {
            return Vec::new();
        }
        let GradScalerConfig { growth_factor, backoff_factor, growth_interval, .. } = self.config;
        vec![
            ("scaler.scale", format!("{:?}", self.scale)),
            ("scaler.growth_factor", format!("{growth_factor:?}")),
            ("scaler.backoff_factor", format!("{backoff_factor:?}")),
            ("scaler.growth_interval", growth_interval.to_string()),
            ("scaler._growth_tracker", self.growth_tracker.to_string()),
        ]
    }

    /// Takes back what [`GradScaler::to_words`] gave, from what [`load`](crate::load) returned. All or nothing.
    ///
    /// # Errors
    /// [`Error::Argument`] if a word is missing or means nothing; not if the scaler is not enabled, which has no state.
    pub fn load_words(&mut self, words: &BTreeMap<String, String>) -> Result<()> {
        if !self.config.enabled {
            return Ok(());
        }
        let [init_scale, growth_factor, backoff_factor] = [
            number(words, "scaler.scale")?,
            number(words, "scaler.growth_factor")?,
            number(words, "scaler.backoff_factor")?,
        ];
        let growth_interval = number(words, "scaler.growth_interval")?;
        let config = GradScalerConfig { init_scale, growth_factor, backoff_factor, growth_interval, enabled: true };
        check(&config)?;
        let growth_tracker = number(words, "scaler._growth_tracker")?;
        // Where the scale began is no part of the state.
        let config = GradScalerConfig { init_scale: self.config.init_scale, ..config };
        *self = GradScaler { config, scale: init_scale, growth_tracker, finite: None, unscaled: false };
        Ok(())
    }
}

fn check(config: &GradScalerConfig) -> Result<()> {
    let op = "GradScaler";
    require(op, "init_scale", config.init_scale, f64::MIN_POSITIVE..f64::from(f32::MAX))?;
    require(op, "growth_factor", config.growth_factor, 1.0 + f64::EPSILON..f64::INFINITY)?;
    require(op, "backoff_factor", config.backoff_factor, f64::MIN_POSITIVE..1.0)?;
    require(op, "growth_interval", config.growth_interval as f64, 1.0..f64::INFINITY)
}

fn wrong(op: &'static str, reason: &'static str) -> Error {
    Error::Argument { op, reason: reason.into() }
}

fn number<N: std::str::FromStr>(words: &BTreeMap<String, String>, name: &str) -> Result<N> {
    let word = words.get(name).ok_or_else(|| format!("{name} is missing: the run was not trained with a scaler"));
    let number = word.and_then(|word| word.parse().map_err(|_| format!("{name} = {word} is no such number")));
    number.map_err(|reason| Error::Argument { op: "load_words", reason: reason.into() })
}

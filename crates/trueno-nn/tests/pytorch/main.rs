//! Layers and losses give what PyTorch gives, in `f32` and in `f64`: values, gradients, running statistics, names.

mod case;
mod layers;
mod losses;
mod recurrent;

/// Every case of the fixture is one that a test names.
#[test]
fn no_case_is_left_out() {
    let source = concat!(include_str!("layers.rs"), include_str!("losses.rs"), include_str!("recurrent.rs"));
    for name in case::fixture().keys() {
        let layer = name.split('.').next().unwrap();
        assert!(source.contains(&format!("\"{layer}")), "{name}");
    }
}

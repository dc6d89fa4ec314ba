use trueno_nn::{Linear, Module};

#[derive(Module)]
struct Typo {
    #[module(skipped)]
    head: Linear,
}

#[derive(Module)]
struct Dotted {
    #[module(rename = "a.b")]
    head: Linear,
}

#[derive(Module)]
struct Collision {
    first: Linear,
    #[module(rename = "first")]
    second: Linear,
}

#[derive(Module)]
#[module(skip)]
struct Misplaced {
    head: Linear,
}

#[derive(Module)]
union Either {
    left: u32,
    right: f32,
}

fn main() {}

use trueno_tensor::prelude::*;

fn main() {
    let relu = fuse!(|x| if x > 0.0 { x } else { 0.0 });
    let smaller = fuse!(|a, b| (a < b).select(a, b));
    let constant = fuse!(|x| 2.0);
    let typed = fuse!(|x: f32| x * 2.0);
}

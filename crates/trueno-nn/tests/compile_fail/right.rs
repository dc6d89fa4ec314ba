use trueno_nn::{Linear, Module, Rng};

struct Words(#[expect(dead_code)] Vec<String>);

#[derive(Module)]
struct Net<M> {
    head: M,
    #[module(skip)]
    words: Words,
}

fn main() {
    let net: Net<Linear> = Net { head: Linear::new(2, 1, &mut Rng::seed(0)), words: Words(Vec::new()) };
    assert_eq!(net.num_parameters(), 3);
    let _ = net.words;
}

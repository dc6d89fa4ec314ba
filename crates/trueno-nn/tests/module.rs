//! Modules: names, containers, state dicts.

use trueno_autograd::Autograd;
use trueno_core::{DType, Error};
use trueno_nn::tensor::{Device, DynTensor, Tensor, tensor};
use trueno_nn::{Buffer, Incompatible, Module, Param, RngState, StateDict, VisitorMut};

fn vector(values: &[f32]) -> Param<1> {
    Param::new(Tensor::from(values.to_vec()))
}

#[derive(Module)]
struct Leaf {
    weight: Param<1>,
    bias: Option<Param<1>>,
    stream: RngState,
    size: usize,
}

#[derive(Module)]
struct Newtype(Leaf);

#[derive(Module)]
struct Pair(Leaf, Param<1>);

#[derive(Module)]
enum Block<M: Module> {
    Plain(M),
    Named { inner: M, again: Box<M> },
    Two(M, M),
    Nothing,
}

struct NoModule;

#[derive(Module)]
struct Net<M> {
    first: Leaf,
    r#type: Newtype,
    pair: Pair,
    many: Vec<M>,
    two: [Param<1>; 2],
    tuple: (Param<1>, Param<1>),
    block: Block<Param<1>>,
    #[module(rename = "fc")]
    head: Param<1>,
    #[module(skip)]
    _other: NoModule,
    _rate: f64,
}

fn leaf(start: f32, bias: bool) -> Leaf {
    Leaf {
        weight: vector(&[start, start + 1.0]),
        bias: bias.then(|| vector(&[start])),
        stream: RngState::at(7, u64::MAX),
        size: 2,
    }
}

fn net(block: Block<Param<1>>) -> Net<Option<Leaf>> {
    Net {
        first: leaf(0.0, true),
        r#type: Newtype(leaf(2.0, false)),
        pair: Pair(leaf(3.0, false), vector(&[1.0])),
        many: vec![Some(leaf(4.0, true)), None, Some(leaf(5.0, false))],
        two: [vector(&[1.0]), vector(&[2.0])],
        tuple: (vector(&[1.0]), vector(&[2.0])),
        block,
        head: vector(&[9.0]),
        _other: NoModule,
        _rate: 0.1,
    }
}

fn names(module: &impl Module) -> Vec<String> {
    module.named_parameters().into_iter().map(|(name, _)| name).collect()
}

#[test]
fn names_are_paths_of_fields() {
    let expected = [
        "first.weight",
        "first.bias",
        "type.weight",
        "pair.0.weight",
        "pair.1",
        "many.0.weight",
        "many.0.bias",
        "many.2.weight",
        "two.0",
        "two.1",
        "tuple.0",
        "tuple.1",
        "block",
        "fc",
    ];
    let net = net(Block::Plain(vector(&[0.0])));
    assert_eq!(names(&net), expected);
    assert_eq!(net.state_dict().keys().collect::<Vec<_>>(), expected);
    assert_eq!(net.num_parameters(), net.parameters().iter().map(DynTensor::size).sum::<usize>());
    assert_eq!(net.first.size, 2);
}

#[test]
fn variants_name_their_fields() {
    let v = || vector(&[0.0]);
    assert_eq!(names(&Block::Named { inner: v(), again: Box::new(v()) }), ["inner", "again"]);
    assert_eq!(names(&Block::Two(v(), v())), ["0", "1"]);
    assert!(names(&Block::<Param<1>>::Nothing).is_empty());
}

#[test]
fn modules_may_be_trait_objects() {
    let parts: Vec<Box<dyn Module>> = vec![Box::new(leaf(0.0, false)), Box::new(vector(&[1.0]))];
    assert_eq!(names(&parts), ["0.weight", "1"]);
}

#[test]
fn a_state_dict_is_a_snapshot_and_comes_back() {
    let mut net = net(Block::Nothing);
    let before = net.state_dict();
    let mut changed: StateDict = before
        .iter()
        .map(|(name, value)| (name.to_owned(), DynTensor::full(value.shape(), DType::F64, 0.5).unwrap()))
        .collect();
    changed.metadata_mut().insert("ignored".into(), "here".into());
    assert_eq!(net.load_state_dict(&changed, true).unwrap(), Incompatible::default());
    for (_, value) in net.named_parameters() {
        assert_eq!(value.dtype(), DType::F32, "converted to the module's type");
        assert!(value.to_vec::<f32>().unwrap().iter().all(|&v| v == 0.5));
    }
    assert_eq!(before.get("fc").unwrap().to_vec::<f32>().unwrap(), [9.0], "the snapshot stays");
}

#[test]
fn every_misfit_is_named_and_nothing_is_changed() {
    let mut net = net(Block::Nothing);
    let mut dict = net.state_dict();
    dict.remove("first.weight");
    dict.insert("extra", DynTensor::scalar(1.0_f32).unwrap());
    dict.insert("pair.1", DynTensor::zeros(&[3, 2], DType::F32).unwrap());
    dict.insert("two.0", DynTensor::zeros(&[1], DType::I64).unwrap());
    dict.insert("fc", DynTensor::zeros(&[1], DType::F32).unwrap());
    let error = net.load_state_dict(&dict, true).unwrap_err();
    let expected = "load_state_dict: missing: first.weight; unexpected: extra; \
                    `pair.1` has shape [1] here and [3, 2] in the state dict; \
                    `two.0` is float32 here and int64 in the state dict";
    assert_eq!(error.to_string(), expected);
    assert_eq!(net.head.to_vec(), [9.0]);
}

#[test]
fn without_strict_only_names_may_differ() {
    let mut net = net(Block::Nothing);
    let mut dict = StateDict::new();
    dict.insert("fc", DynTensor::zeros(&[1], DType::F32).unwrap());
    dict.insert("extra", DynTensor::scalar(1.0_f32).unwrap());
    let Incompatible { missing, unexpected } = net.load_state_dict(&dict, false).unwrap();
    assert_eq!(unexpected, ["extra"]);
    assert_eq!(missing.len(), names(&net).len() - 1);
    assert_eq!(net.head.to_vec(), [0.0]);
    dict.insert("two.1", DynTensor::zeros(&[2], DType::F32).unwrap());
    assert!(net.load_state_dict(&dict, false).unwrap_err().to_string().contains("`two.1` has shape [1] here and [2]"));
}

#[test]
fn random_state_is_saved_apart_and_comes_back_bit_for_bit() {
    let mut net = net(Block::Nothing);
    let saved = net.rng_state_dict();
    assert_eq!(saved.keys().next(), Some("first.stream"));
    net.first.stream = RngState::new(0);
    assert_eq!(net.first.stream.next_call(), 0);
    net.load_rng_state_dict(&saved).unwrap();
    assert_eq!((net.first.stream.seed(), net.first.stream.calls()), (7, u64::MAX));

    let refused = |net: &mut Net<_>, dict: &StateDict, reason: &str| {
        let error = net.load_rng_state_dict(dict).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }) && error.to_string().contains(reason), "{error}");
    };
    let mut other = saved.clone();
    other.insert("first.stream", DynTensor::zeros(&[3], DType::I64).unwrap());
    refused(&mut net, &other, "two int64 values");
    other.remove("first.stream");
    refused(&mut net, &other, "`first.stream` is missing");
    let mut more = saved.clone();
    more.insert("more", DynTensor::zeros(&[2], DType::I64).unwrap());
    refused(&mut net, &more, "`more` is no random state");
    assert_eq!(net.first.stream.seed(), 7);
}

#[test]
fn loading_keeps_the_leaf_and_its_gradient() {
    let mut weight = vector(&[1.0, 2.0]);
    weight.backward_with(&tensor![3.0, 4.0]);
    let mut dict = StateDict::new();
    dict.insert("", DynTensor::zeros(&[2], DType::F32).unwrap());
    weight.load_state_dict(&dict, true).unwrap();
    assert_eq!(weight.to_vec(), [0.0, 0.0]);
    assert_eq!(weight.grad().unwrap(), tensor![3.0, 4.0]);
    Module::zero_grad(&weight);
    assert!(weight.grad().is_none());
}

#[test]
fn a_frozen_parameter_is_not_recorded_and_a_clone_is_a_leaf_of_its_own() {
    let mut leaf = leaf(1.0, true);
    leaf.freeze();
    assert!(leaf.weight.is_frozen() && !(&*leaf.weight * 2.0).tracks_gradient());
    assert!(leaf.weight.clone().is_frozen());
    leaf.unfreeze();
    let copy = leaf.weight.clone();
    (&*copy * 2.0).backward_with(&tensor![1.0, 1.0]);
    assert_eq!(copy.grad().unwrap(), tensor![2.0, 2.0]);
    assert!(leaf.weight.grad().is_none());
}

#[test]
fn visitors_write_in_the_parameters_own_memory() {
    struct Fill;
    impl VisitorMut for Fill {
        fn parameter(&mut self, _: &str, value: &mut DynTensor) {
            let recorder = value.recorder().cloned();
            *value = value.detach();
            assert!(value.is_unique(), "nobody else holds it");
            value.make_mut::<f32>().unwrap().fill(5.0);
            *value = value.clone().with_recorder(recorder);
        }
        fn buffer(&mut self, _: &str, value: &mut DynTensor) {
            *value = DynTensor::scalar(7_i64).unwrap();
        }
    }
    let mut parts = (vector(&[1.0, 2.0]), Buffer::<0, i64>::new(Tensor::scalar(1)));
    parts.visit_mut(&mut Fill);
    assert_eq!((parts.0.to_vec(), parts.1.get().item()), (vec![5.0, 5.0], 7));
    assert!(!parts.0.is_frozen());
    let parts = parts.to(&Device::cpu());
    assert_eq!(parts.named_buffers()[0].0, "1");
}

#[test]
#[should_panic(expected = "a visitor left another shape in a module")]
fn a_visitor_that_changes_a_shape_is_stopped() {
    struct Grow;
    impl VisitorMut for Grow {
        fn parameter(&mut self, _: &str, value: &mut DynTensor) {
            *value = DynTensor::zeros(&[9], DType::F32).unwrap();
        }
    }
    vector(&[1.0]).visit_mut(&mut Grow);
}

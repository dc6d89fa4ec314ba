//! Formulas written out as `fuse!` writes them, and their listings.

use super::*;
use crate::math::{Dual, wgsl};
use std::vec::Vec;

/// `(a * b + c * scale).relu() + a.lt(b).select(a, 0.5)`, by hand.
fn mixed<M: Rows>([a, b, c]: [Value<M>; 3], scale: Scalar<M>) -> Value<M> {
    let sum = a.mul(b).output().add(c.mul(scale).output()).output();
    sum.relu().output().add(a.lt(b).select(a, a.literal(0.5)).output()).output()
}

fn listing() -> Listing {
    Listing::new(3, 1, |x, p| mixed([x[0], x[1], x[2]], p[0]))
}

const POINTS: [[f64; 3]; 4] = [[1.5, 2.0, -0.5], [-1.5, 2.0, 0.25], [2.0, 1.0, 3.0], [0.5, -1.0, -2.0]];

#[test]
fn a_listing_computes_what_the_formula_does() {
    let listing = listing();
    for point in POINTS {
        let want = mixed(point.map(Value), Scalar(3.0)).0;
        assert_eq!(listing.value(&point, &[3.0]), want);
    }
}

#[test]
fn gradients_are_those_of_dual_numbers() {
    let listing = listing();
    for point in POINTS {
        let gradients = listing.gradients(&point, &[3.0], 1.0, &[true; 3]);
        for (i, gradient) in gradients.into_iter().enumerate() {
            let along = |j: usize| if i == j { Dual::variable(point[j]) } else { Dual::constant(point[j]) };
            let want = listing.value(&[0, 1, 2].map(along), &[Dual::constant(3.0)]).derivative;
            assert_eq!(gradient, Some(want), "by operand {i} at {point:?}");
        }
    }
}

#[test]
fn only_wanted_gradients_are_computed() {
    let listing = listing();
    let [_, b, _] = POINTS[0];
    let gradients = listing.gradients(&POINTS[0], &[3.0], 1.0, &[true, false, false]);
    assert_eq!(gradients, [Some(b + 1.0), None, None]);
}

#[test]
fn an_operand_that_is_not_used_has_a_gradient_of_zero() {
    let first = Listing::new(2, 0, |x, _| x[0].exp().output());
    assert_eq!(first.gradients(&[0.0, 7.0], &[], 2.0, &[true, true]), [Some(2.0), Some(0.0)]);
}

#[test]
fn rows_pass_gradients_by_their_own_rule() {
    // The slope of relu at 0 is 0; a dual number would split the tie.
    let relu = Listing::new(1, 0, |x, _| x[0].relu().output());
    assert_eq!(relu.gradients(&[0.0], &[], 1.0, &[true]), [Some(0.0)]);
    let clamp = Listing::new(1, 2, |x, p| x[0].clamp(p[0], p[1]).output());
    assert_eq!(clamp.value(&[3.0], &[-1.0, 2.0]), 2.0);
    assert_eq!(clamp.gradients(&[2.0], &[-1.0, 2.0], 1.0, &[true]), [Some(0.0)]);
}

#[test]
fn truth_values_combine() {
    let logic = Listing::new(2, 0, |x, _| {
        let (a, b) = (x[0].gt(x[0].literal(0.0)), x[1].gt(x[1].literal(0.0)));
        let code = |truth: Truth<_>, value: f64| truth.select(x[0].literal(value), x[0].literal(0.0)).output();
        let sum = code(a.bitand(b), 1.0).add(code(a.bitor(b), 2.0)).output();
        sum.add(code(a.bitxor(b), 4.0)).output().add(code(a.not(), 8.0)).output()
    });
    let codes: Vec<f64> =
        [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]].iter().map(|x| logic.value(x, &[])).collect();
    assert_eq!(codes, [8.0, 14.0, 6.0, 3.0]);
}

#[test]
fn equal_formulas_have_equal_listings() {
    assert_eq!(listing(), listing());
    let other = Listing::new(3, 1, |x, p| mixed([x[1], x[0], x[2]], p[0]));
    assert_ne!(listing(), other);
}

#[test]
fn listings_are_valid_shaders() {
    let listing = listing();
    let gradients =
        [[true; 3], [false, true, false]].map(|wanted| listing.wgsl_gradients(wgsl::Scalar::F32, "gradients", &wanted));
    for text in [listing.wgsl(wgsl::Scalar::F32, "value")].iter().chain(&gradients) {
        let text = std::format!("{}{}{text}", crate::math::wgsl::PRELUDE, crate::math::wgsl::SETTLED);
        let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        validator.validate(&module).unwrap_or_else(|e| panic!("{e:?}\n{text}"));
    }
    assert!(gradients[0].contains("-> array<f32, 3>"));
    assert!(gradients[1].contains("-> f32"));
}

macro_rules! unary_methods {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($x:ident $(; $($param:ident = $default:expr),+)?) { $($rest:tt)* }
    )+) => {
        #[test]
        fn every_unary_row_is_a_method_with_its_value_and_gradient() {
            $({
                let op = crate::table::UnaryOp::$variant;
                let defaults = op.default_parameters();
                let listing = Listing::new(1, op.info().parameters.len(), |x, p| {
                    let mut p = p.iter().copied();
                    let value = x[0].$name($($({ let $param = p.next().expect("as many as the row has"); $param }),+)?).output();
                    assert!(p.next().is_none());
                    value
                });
                let numbers = &defaults[..listing.parameters()];
                let x = 0.37 * (op.info().domain[0][0] + op.info().domain[0][1]) + 0.11;
                let (value, slope) = op.eval_with_derivative(x, defaults);
                assert_eq!(listing.value(&[x], numbers), value, "{}", op.name());
                assert_eq!(listing.gradients(&[x], numbers, 1.0, &[true]), [Some(slope)], "{}", op.name());
            })+
        }
    };
}
crate::unary_table!(unary_methods);

macro_rules! binary_methods {
    ($(
        $(#[doc = $doc:literal])+
        $class:ident $variant:ident $name:ident ($a:ident, $b:ident) { $($rest:tt)* }
    )+) => {
        #[test]
        fn every_binary_row_is_a_method_with_its_value_and_gradients() {
            $({
                let op = crate::table::BinaryOp::$variant;
                let listing = Listing::new(2, 0, |x, _| x[0].$name(x[1]).output());
                let (a, b) = (1.7, 0.6);
                assert_eq!(listing.value(&[a, b], &[]), op.eval(a, b), "{}", op.name());
                let (left, right) = op.eval_gradients(a, b);
                let gradients = listing.gradients(&[a, b], &[], 1.0, &[true, true]);
                assert_eq!(gradients, [Some(left), Some(right)], "{}", op.name());
            })+
        }
    };
}
crate::binary_table!(binary_methods);

macro_rules! compare_methods {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident) { $($rest:tt)* }
    )+) => {
        #[test]
        fn every_comparison_is_a_method_without_a_gradient() {
            $({
                let op = crate::table::CompareOp::$variant;
                let listing = Listing::new(2, 0, |x, _| x[0].$name(x[1]).select(x[0].literal(1.0), x[0].literal(0.0)).output());
                for (a, b) in [(1.0, 2.0), (2.0, 2.0), (0.0, -1.0), (f64::NAN, 0.0)] {
                    assert_eq!(listing.value(&[a, b], &[]) == 1.0, op.eval(a, b), "{} of {a} and {b}", op.name());
                    assert_eq!(listing.gradients(&[a, b], &[], 1.0, &[true, true]), [Some(0.0); 2]);
                }
            })+
        }
    };
}
crate::compare_table!(compare_methods);

macro_rules! ternary_methods {
    ($(
        $(#[doc = $doc:literal])+
        $variant:ident $name:ident ($a:ident, $b:ident, $c:ident) { $($rest:tt)* }
    )+) => {
        #[test]
        fn every_ternary_row_is_a_method() {
            $({
                let op = crate::table::TernaryOp::$variant;
                let listing = Listing::new(3, 0, |x, _| x[0].$name(x[1], x[2]).output());
                assert_eq!(listing.value(&[1.7, 0.6, 0.3], &[]), op.eval(1.7, 0.6, 0.3), "{}", op.name());
            })+
        }
    };
}
crate::ternary_table!(ternary_methods);

//! Printing compared with what NumPy prints, case by case. `xtask/oracle/print.py` makes the fixture.

use serde_json::Value;
use trueno_tensor::core::{Element, f16};
use trueno_tensor::{DynTensor, Tensor};

fn elements<T: Element>(case: &Value, parse: impl Fn(&str) -> T) -> Vec<T> {
    match &case["elements"] {
        Value::Array(words) => words.iter().map(|word| parse(word.as_str().unwrap())).collect(),
        _ => {
            let shape = case["shape"].as_array().unwrap();
            let size: u64 = shape.iter().map(|size| size.as_u64().unwrap()).product();
            (0..size).map(|i| T::from_f64(i as f64 * case["step"].as_f64().unwrap())).collect()
        }
    }
}

/// What Trueno prints: plainly and for debugging.
fn printed<T: Element>(case: &Value, parse: impl Fn(&str) -> T) -> [String; 2] {
    let shape: Vec<usize> = case["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let value = DynTensor::from_slice(&elements(case, parse), &shape).unwrap();
    fn both<T: Element, const N: usize>(value: DynTensor, precision: Option<u64>) -> [String; 2] {
        let value: Tensor<T, N> = Tensor::from_dyn(value).unwrap();
        match precision {
            None => [format!("{value}"), format!("{value:?}")],
            Some(digits) => {
                let digits = digits as usize;
                [format!("{value:.digits$}"), format!("{value:.digits$?}")]
            }
        }
    }
    let precision = case["precision"].as_u64();
    match shape.len() {
        0 => both::<T, 0>(value, precision),
        1 => both::<T, 1>(value, precision),
        2 => both::<T, 2>(value, precision),
        3 => both::<T, 3>(value, precision),
        4 => both::<T, 4>(value, precision),
        rank => panic!("no case has rank {rank}"),
    }
}

#[test]
fn everything_prints_as_numpy_prints_it() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("fixtures/print.json")).unwrap();
    assert!(cases.len() > 200);
    let mut wrong = Vec::new();
    for case in &cases {
        let [text, debug] = match case["dtype"].as_str().unwrap() {
            "float16" => printed(case, |word| f16::from_f64(word.parse().unwrap())),
            "float32" => printed(case, |word| word.parse::<f64>().unwrap() as f32),
            "float64" => printed(case, |word| word.parse::<f64>().unwrap()),
            "uint8" => printed(case, |word| word.parse::<u8>().unwrap()),
            "int8" => printed(case, |word| word.parse::<i8>().unwrap()),
            "int32" => printed(case, |word| word.parse::<i32>().unwrap()),
            "int64" => printed(case, |word| word.parse::<i64>().unwrap()),
            "bool" => printed(case, |word| word == "true"),
            dtype => panic!("no case has {dtype}"),
        };
        // A number alone has all its digits in NumPy whatever the precision; here the format string is obeyed.
        let obeyed = case["shape"] == Value::Array(vec![]) && !case["precision"].is_null();
        for (found, expected) in [(text, &case["str"]), (debug, &case["repr"])] {
            if found != expected.as_str().unwrap() && !(obeyed && expected == &case["str"]) {
                wrong.push(format!(
                    "{} {}\nexpected:\n{}\nfound:\n{found}\n",
                    case["dtype"],
                    case["shape"],
                    expected.as_str().unwrap()
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        2 * cases.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}

#[test]
fn a_number_alone_obeys_the_format_string() {
    assert_eq!(format!("{:.2}", Tensor::scalar(2.0_f32 / 3.0)), "0.67");
    assert_eq!(format!("{}", Tensor::scalar(2.0_f32 / 3.0)), "0.6666667");
}

//! Numbers as operands: `x * 0.5` in a loop makes the tensor of its number once.

use crate::DynTensor;
use std::cell::RefCell;
use std::rc::Rc;
use trueno_core::{DType, Element, Result};

/// Numbers that a thread keeps. A formula has some; one whose numbers never repeat must not grow.
const MOST: usize = 8;

/// A type and the bits of a value: zeros differ by their sign, and NaN is found again.
type Key = (DType, [u8; 8]);

struct Recent {
    numbers: [Option<(Key, Rc<DynTensor>)>; MOST],
    /// Whose place the next number takes.
    oldest: usize,
}

thread_local! {
    static RECENT: RefCell<Recent> = const { RefCell::new(Recent { numbers: [const { None }; MOST], oldest: 0 }) };
}

/// A value of rank 0 to read: others may have it too. It is not copied, for to move a tensor takes as long as to add a number to it.
pub(crate) fn number<T: Element>(value: T) -> Result<Rc<DynTensor>> {
    let mut bits = [0; 8];
    bits[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&value));
    let key = (T::DTYPE, bits);
    // What ends a thread may compute too.
    let known = RECENT.try_with(|recent| recent.borrow().find(&key)).ok().flatten();
    if let Some(known) = known {
        return Ok(known);
    }
    let made = Rc::new(DynTensor::scalar(value)?);
    let replaced = RECENT.try_with(|recent| recent.borrow_mut().keep(key, made.clone()));
    drop(replaced);
    Ok(made)
}

impl Recent {
    fn find(&self, key: &Key) -> Option<Rc<DynTensor>> {
        self.numbers.iter().flatten().find(|(known, _)| known == key).map(|(_, number)| number.clone())
    }

    /// The number that had its place before.
    fn keep(&mut self, key: Key, number: Rc<DynTensor>) -> Option<(Key, Rc<DynTensor>)> {
        let place = self.oldest;
        self.oldest = (place + 1) % MOST;
        self.numbers[place].replace((key, number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_made_once_and_is_that_number() {
        let address = |x: f32| number(x).unwrap().address();
        assert_eq!(address(0.5), address(0.5));
        assert_eq!(address(f32::NAN), address(f32::NAN));
        let zeros = [0.0_f32, -0.0].map(|x| number(x).unwrap().item::<f32>().unwrap().to_bits());
        assert_eq!(zeros, [0.0_f32, -0.0].map(f32::to_bits));
        for i in 0..3 * MOST as i64 {
            assert_eq!(number(i).unwrap().item::<i64>().unwrap(), i);
            assert_eq!(number(i as i32).unwrap().item::<i32>().unwrap(), i as i32);
            assert!(number(true).unwrap().item::<bool>().unwrap());
        }
    }

    #[test]
    fn who_writes_to_a_number_has_memory_of_their_own() {
        let mut mine = DynTensor::clone(&number(2.5_f64).unwrap());
        assert!(mine.as_mut_slice::<f64>().is_none());
        mine.make_mut::<f64>().unwrap()[0] = 1.0;
        assert_eq!(number(2.5_f64).unwrap().item::<f64>().unwrap(), 2.5);
        assert_eq!(mine.item::<f64>().unwrap(), 1.0);
    }
}

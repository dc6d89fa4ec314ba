//! Few keys in order, in registers.
//!
//! Vectors are the rows of a matrix. A network puts every column in order. Then neighbouring columns are merged, and
//! neighbouring pairs of columns, until the whole is in order row by row. Columns that are to be merged are a sequence that
//! rises and falls once the second of them is read backwards, which is what the exchanges with mirrored lanes do
//! (Batcher's bitonic merge, 1968).

use crate::simd::KeyVector;

/// The most rows.
const MAX_ROWS: usize = 16;

/// Orders two rows, lane by lane. A row that is not there would hold the largest keys, so that nothing would move.
#[inline(always)]
fn exchange<V: KeyVector, const R: usize>(rows: &mut [V; R], low: usize, high: usize) {
    if high < R {
        let smaller = rows[low].min(rows[high]);
        (rows[low], rows[high]) = (smaller, rows[low].larger(rows[high], smaller));
    }
}

/// Exchanges in turn.
macro_rules! exchanges {
    ($rows:ident: $($low:literal $high:literal),*) => {
        $(exchange($rows, $low, $high);)*
    };
}

/// Puts every column in order. The networks of 4, 8 and 16 have the fewest known exchanges (Knuth, volume 3, section 5.3.4;
/// the one of 16 is M. W. Green's); other numbers of rows take the next larger one, as far as it goes.
#[inline(always)]
fn order_columns<V: KeyVector, const R: usize>(rows: &mut [V; R]) {
    match R {
        ..=4 => {
            exchanges!(rows: 0 2, 1 3, 0 1, 2 3, 1 2);
        }
        5..=8 => {
            exchanges!(rows: 0 2, 1 3, 4 6, 5 7, 0 4, 1 5, 2 6, 3 7, 0 1, 2 3, 4 5, 6 7, 2 4, 3 5, 1 4, 3 6, 1 2, 3 4, 5 6);
        }
        _ => {
            exchanges!(rows: 0 13, 1 12, 2 15, 3 14, 4 8, 5 6, 7 11, 9 10, 0 5, 1 7, 2 9, 3 4, 6 13, 8 14, 10 15, 11 12,
                0 1, 2 3, 4 5, 6 8, 7 9, 10 11, 12 13, 14 15, 0 2, 1 3, 4 10, 5 11, 6 7, 8 9, 12 14, 13 15,
                1 2, 3 12, 4 6, 5 7, 8 10, 9 11, 13 14, 1 4, 2 6, 5 8, 7 10, 9 13, 11 14, 2 4, 3 6, 9 12, 11 13,
                3 5, 6 8, 7 9, 10 12, 3 4, 5 6, 7 8, 9 10, 11 12, 6 7, 8 9);
        }
    }
}

/// Within each block of `height` rows, exchanges each row with its mirror image, whose lanes are mirrored too. Rows that are not there
/// would hold the largest keys, so that their images would not change.
#[inline(always)]
fn mirror_rows<V: KeyVector, const R: usize>(rows: &mut [V; R], height: usize, mirror: usize) {
    let half = height / 2;
    let mut i = 0;
    while i < MAX_ROWS / 2 {
        let (block, within) = (i / half * height, i % half);
        let (low, high) = (block + within, block + height - 1 - within);
        if high < R {
            rows[high] = rows[high].swap(mirror);
            exchange(rows, low, high);
        }
        i += 1;
    }
}

/// Exchanges lanes that are `distance` apart; the one whose number has `bit` gets the larger.
#[inline(always)]
fn exchange_lanes<V: KeyVector, const R: usize>(rows: &mut [V; R], distance: usize, bit: usize) {
    let mut i = 0;
    while i < R {
        let other = rows[i].swap(distance);
        rows[i] = rows[i].larger_at(bit, other, rows[i].min(other));
        i += 1;
    }
}

/// Merges groups of `group / 2` columns, each in order, to groups of `group`.
#[inline(always)]
fn merge_columns<V: KeyVector, const R: usize>(rows: &mut [V; R], group: usize) {
    if V::LANES < group {
        return;
    }
    mirror_rows(rows, MAX_ROWS, group - 1);
    mirror_rows(rows, 8, group - 1);
    mirror_rows(rows, 4, group - 1);
    mirror_rows(rows, 2, group - 1);
    exchange_lanes(rows, group - 1, group / 2);
    if group > 8 {
        exchange_lanes(rows, 4, 4);
    }
    if group > 4 {
        exchange_lanes(rows, 2, 2);
    }
    if group > 2 {
        exchange_lanes(rows, 1, 1);
    }
}

/// Sorts `count` keys with `R` vectors.
///
/// # Safety
/// `count` must be at most `R * LANES`, `from` readable and `to` writable for as many keys; they may overlap.
#[inline(always)]
pub(super) unsafe fn sort_rows<V: KeyVector, const R: usize>(
    token: V::Token,
    from: *const V::Elem,
    to: *mut V::Elem,
    count: usize,
) {
    // SAFETY: no key beyond `count` is read.
    let mut rows = [unsafe { V::load_partial(token, from, 0) }; R];
    let mut i = 0;
    while i < R {
        let start = i * V::LANES;
        // SAFETY: what is read lies within the `count` keys.
        unsafe {
            if start + V::LANES <= count {
                rows[i] = V::load(token, from.add(start));
            } else if start < count {
                rows[i] = V::load_partial(token, from.add(start), count - start);
            }
        }
        i += 1;
    }
    order_columns(&mut rows);
    merge_columns(&mut rows, 2);
    merge_columns(&mut rows, 4);
    merge_columns(&mut rows, 8);
    merge_columns(&mut rows, 16);
    let mut i = 0;
    while i < R {
        let start = i * V::LANES;
        // SAFETY: what is written lies within the `count` keys.
        unsafe {
            if start + V::LANES <= count {
                rows[i].store(to.add(start));
            } else if start < count {
                rows[i].store_partial(to.add(start), count - start);
            }
        }
        i += 1;
    }
}

/// Sorts up to `ROWS * LANES` keys.
///
/// # Safety
/// `count` must be no more than that, `from` readable and `to` writable for as many keys; they may overlap.
#[inline(always)]
pub(super) unsafe fn sort_few<V: KeyVector>(token: V::Token, from: *const V::Elem, to: *mut V::Elem, count: usize) {
    // SAFETY: there are rows for `count` keys; for the rest the caller vouches.
    unsafe {
        match count.div_ceil(V::LANES) {
            0 | 1 => sort_rows::<V, 1>(token, from, to, count),
            2 => sort_rows::<V, 2>(token, from, to, count),
            3 | 4 => sort_rows::<V, 4>(token, from, to, count),
            5 | 6 => sort_rows::<V, 6>(token, from, to, count),
            7 | 8 => sort_rows::<V, 8>(token, from, to, count),
            9 | 10 if V::ROWS > 8 => sort_rows::<V, 10>(token, from, to, count),
            11 | 12 if V::ROWS > 8 => sort_rows::<V, 12>(token, from, to, count),
            13 | 14 if V::ROWS > 8 => sort_rows::<V, 14>(token, from, to, count),
            15 | 16 if V::ROWS > 8 => sort_rows::<V, 16>(token, from, to, count),
            _ => debug_assert!(false, "{count} keys are too many"),
        }
    }
}

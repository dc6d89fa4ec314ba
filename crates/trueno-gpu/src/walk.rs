//! Axes as shaders walk them: sizes and strides, fewest first.

use smallvec::SmallVec;
use trueno_core::{Error, Result};

use crate::device::Device;
use crate::record::{Immediates, grid};

/// A count or position as shaders have it.
pub(crate) fn index(op: &'static str, value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| Error::Argument {
        op,
        reason: format!("{value} is more than a GPU counts to (2^32 - 1); split the value").into(),
    })
}

/// Axes of one operand, neighbours merged, those of size 1 gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Axes {
    pub sizes: SmallVec<[usize; 6]>,
    pub strides: SmallVec<[isize; 6]>,
}

impl Axes {
    /// The axes of a shape under strides.
    pub fn new(axes: impl IntoIterator<Item = (usize, isize)>) -> Self {
        let mut merged = Self::default();
        for (size, stride) in axes.into_iter().filter(|&(size, _)| size != 1) {
            match (merged.sizes.last_mut(), merged.strides.last_mut()) {
                (Some(last), Some(step)) if *step == stride * size as isize => (*last, *step) = (*last * size, stride),
                _ => {
                    merged.sizes.push(size);
                    merged.strides.push(stride);
                }
            }
        }
        merged
    }

    pub fn rank(&self) -> usize {
        self.sizes.len()
    }

    pub fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Whether the elements are neighbours, in order.
    pub fn is_dense(&self) -> bool {
        self.rank() == 0 || (self.rank() == 1 && self.strides[0] == 1)
    }

    /// Whether every axis but, where `but_last`, the last steps by whole vectors of four.
    pub fn steps_by_fours(&self, but_last: bool) -> bool {
        let count = self.rank() - usize::from(but_last && self.rank() > 0);
        self.strides[..count].iter().all(|stride| stride % 4 == 0)
    }

    /// Sizes and strides as immediates, sizes first.
    pub fn words(&self) -> impl Iterator<Item = u32> + '_ {
        // Shaders add modulo 2^32, where a negative stride is the one it is congruent to.
        self.sizes.iter().map(|&size| size as u32).chain(self.strides.iter().map(|&stride| stride as u32))
    }
}

/// WGSL of a function that gives where element `i` of axes lies, whose sizes and strides start at a word of the immediates.
pub(crate) fn position(name: &str, rank: usize, first: usize) -> String {
    let mut body = String::from("var rest = i; var at = 0u;\n");
    for axis in (0..rank).rev() {
        let (size, stride) = (slot(first + axis), slot(first + rank + axis));
        if axis > 0 {
            body.push_str(&format!("at += (rest % {size}) * {stride}; rest = rest / {size};\n"));
        } else {
            body.push_str(&format!("at += rest * {stride};\n"));
        }
    }
    format!("fn {name}(i: u32) -> u32 {{ {body} return at; }}\n")
}

/// WGSL of a kernel whose threads each store four neighbouring results in `out`, of a type whose four are made by `four`. It
/// calls `element(i)`, or where `vectors` says that four lie on one line, `vector(i)` of the first of them; `count` is the slot of
/// how many there are.
pub(crate) fn store_fours(four: &str, vectors: bool, count: usize) -> String {
    let value = if vectors {
        "vector(first)".into()
    } else {
        let elements = ["first", "min(first + 1u, last)", "min(first + 2u, last)", "min(first + 3u, last)"];
        format!("{four}({})", elements.map(|at| format!("element({at})")).join(", "))
    };
    format!(
        "@compute @workgroup_size({FOURS})\n\
         fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, \
         @builtin(local_invocation_index) thread: u32) {{\n\
         let i = (group.y * groups.x + group.x) * {FOURS}u + thread;\nlet first = i * 4u;\n\
         if first >= {count} {{ return; }}\nlet last = {count} - 1u;\nstore_out(i, {value});\n}}\n",
        count = slot(count),
    )
}

/// Threads of a workgroup of [`store_fours`].
pub(crate) const FOURS: usize = 256;

/// The workgroups that [`store_fours`] wants for so many results.
pub(crate) fn groups_of_fours(device: &Device, count: usize) -> [u32; 3] {
    grid(device, count.div_ceil(4 * FOURS))
}

/// Writes words of axes into the immediates from a slot on.
///
/// # Errors
/// [`Error::Argument`], naming `op`, if there are too many.
pub(crate) fn write_axes<'a>(
    op: &'static str,
    immediates: &mut Immediates,
    first: usize,
    axes: impl IntoIterator<Item = &'a Axes>,
) -> Result<()> {
    let words: SmallVec<[u32; 32]> = axes.into_iter().flat_map(Axes::words).collect();
    let Some(slots) = immediates.get_mut(first..first + words.len()) else {
        let reason = format!("its layout has {} axes that do not merge; copy it first", words.len() / 2).into();
        return Err(Error::Argument { op, reason });
    };
    slots.copy_from_slice(&words);
    Ok(())
}

/// The declaration of the immediates, as words.
pub(crate) const IMMEDIATES: &str =
    "struct Immediates { w: array<vec4<u32>, 8> }\nvar<immediate> immediates: Immediates;\n";

/// A word of the immediates.
pub(crate) fn slot(at: usize) -> String {
    format!("immediates.w[{}].{}", at / 4, ["x", "y", "z", "w"][at % 4])
}

/// A template with names replaced, the longest first, so that none is taken for the beginning of another.
pub(crate) fn fill(template: &str, names: &[(&str, String)]) -> String {
    let mut names: Vec<_> = names.iter().collect();
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    names.into_iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}

/// A template with its lines that begin with `each` repeated `count` times, `#` being the number.
pub(crate) fn expand(template: &str, count: usize) -> String {
    let mut text = String::new();
    for line in template.lines() {
        match line.trim_start().strip_prefix("each ") {
            Some(repeated) => (0..count).for_each(|k| {
                text.push_str(&repeated.replace('#', &k.to_string()));
                text.push('\n');
            }),
            None => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_merge() {
        let axes = Axes::new([(2, 12), (3, 4), (1, 99), (4, 1)]);
        assert!(axes.is_dense() && axes.count() == 24);
        assert_eq!(Axes::new([(2, 1), (3, 2)]).rank(), 2);
    }

    #[test]
    fn a_name_that_begins_another_leaves_it_alone() {
        let names = [("SIZE", "1u".into()), ("SIZE_M", "2u".into())];
        assert_eq!(fill("SIZE + SIZE_M", &names), "1u + 2u");
    }

    #[test]
    fn lines_repeat_by_number() {
        assert_eq!(expand("a\n  each let h# = f(#);\nb", 2), "a\nlet h0 = f(0);\nlet h1 = f(1);\nb\n");
    }
}

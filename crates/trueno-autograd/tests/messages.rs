//! What the compiler says about misuse.

#[test]
fn misuse_is_explained_by_the_compiler() {
    trybuild::TestCases::new().compile_fail("tests/wrong/*.rs");
}

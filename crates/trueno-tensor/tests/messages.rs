//! A wrong rank or type does not compile, and the compiler's message says what is wrong.

#[test]
fn mistakes_that_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

//! Decision 1: what must not compile does not.

#[test]
fn rule_d1_and_c2_raw_data_and_capture_without_consent_do_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}

use consentry::consent::{Analytics, Permit, PurposeSet};

fn main() {
    let _permit: Permit<Analytics> = Permit::new(1, 1, PurposeSet::default(), 0);
}

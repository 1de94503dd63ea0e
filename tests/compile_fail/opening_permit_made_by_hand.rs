use consentry::consent::{MailOpening, Permit, PurposeSet};

fn main() {
    let _permit: Permit<MailOpening> = Permit::new(1, 1, PurposeSet::default(), 0);
}

use consentry::consent::{MailOpening, Permit, PurposeSet, Granted};

fn main() {
    let _permit: Permit<MailOpening> = Permit::new(Granted { receipt: 1, policy_version: 1, purposes: PurposeSet::default(), at_ms: 0, until: 1 });
}

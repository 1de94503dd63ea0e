use consentry::consent::{Analytics, Permit};

fn keep(permit: &Permit<Analytics>) -> Permit<Analytics> {
    permit.clone()
}

fn main() {}

use consentry::consent::{Permit, Statistics};

fn main() {
    let _permit: Permit<Statistics> = Permit::to_count();
}

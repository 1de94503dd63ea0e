//! Parse, run, exit code; nothing else.

#[global_allocator]
static ALLOCATOR: consentry::engine::allocator::Allocator = consentry::engine::allocator::Allocator;

fn main() -> std::process::ExitCode {
    consentry::cli::main()
}

//! The `assay` command; everything it does is in the library.

use std::process::ExitCode;

// Runs are short and allocate much; the system's allocator costs a sixth of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    assay::cli::main()
}

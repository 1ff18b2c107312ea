//! The `osteoflag` command: see [`osteoflag::cli`].

/// Volumes come and go all the time; this allocator keeps their pages for the next.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    osteoflag::cli::main().into()
}

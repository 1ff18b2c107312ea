//! The `osteoflag` command: see [`osteoflag::cli`].

fn main() -> std::process::ExitCode {
    osteoflag::cli::main().into()
}

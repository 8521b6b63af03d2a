//! The `tabularium` binary.

/// Runs the command line.
#[cfg(not(madsim))]
fn main() -> std::process::ExitCode {
    node::cli::main()
}

/// The simulator runs the library inside its own world; there is no process to start in it.
#[cfg(madsim)]
fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}

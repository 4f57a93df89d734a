//! The `estrade` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    estrade_server::cli::main()
}

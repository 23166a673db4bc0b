//! `bloom completions` and `bloom man`: help for shells and for `man`.

use std::io;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs, ManArgs};

pub(crate) fn completions(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bloom", &mut script);
    Ok(io::Write::write_all(&mut io::stdout().lock(), &script)?)
}

pub(crate) fn man(args: &ManArgs) -> Result<()> {
    let directory = &args.directory;
    clap_mangen::generate_to(Cli::command(), directory)
        .with_context(|| format!("{}: no manual pages can be written here; is it a directory?", directory.display()))
}

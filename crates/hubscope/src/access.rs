//! The way of a command to the data: through a running `serve`, else by opening the folder.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Unsound;
use crate::config::Config;
use crate::control;
use crate::folder::{Folder, FolderError, control_socket};
use crate::operations::{Operations, Progress, Reply, Request};
use crate::output::Format;
use crate::{runtime, verification};

/// Whether the command may start a folder of data where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// It brings data.
    Create,
    /// It only asks.
    Existing,
}

/// Does `request` on the folder `root` and prints what comes back.
pub(crate) fn run(root: &Path, config: &Config, start: Start, request: &Request) -> Result<()> {
    let bar = progress_bar();
    let reply = runtime::start()?.block_on(reply(root, config, start, request, &bar));
    bar.finish_and_clear();
    print(&reply?)
}

/// Looks through the folder `root`: through a running `serve`, else without opening more of it than can be opened.
pub(crate) fn verify(root: &Path, config: &Config, format: Format) -> Result<()> {
    let bar = progress_bar();
    let shown = bar.clone();
    let reply = runtime::start()?.block_on(async {
        let request = Request::Verify { format };
        if let Some(reply) = control::ask(&control_socket(root), &request, &|step| show(&bar, &step)).await? {
            return Ok(reply);
        }
        match Folder::open(root) {
            Ok(folder) => {
                let progress = verification::steps(move |step| show(&shown, &step));
                verification::offline(&folder, format, progress).await
            }
            // `serve` may have opened its socket since.
            Err(FolderError::InUse(_)) => self::reply(root, config, Start::Existing, &request, &bar).await,
            Err(error) => Err(error.into()),
        }
    });
    bar.finish_and_clear();
    print(&reply?)
}

async fn reply(root: &Path, config: &Config, start: Start, request: &Request, bar: &ProgressBar) -> Result<Reply> {
    let show = |step: Progress| show(bar, &step);
    if let Some(reply) = control::ask(&control_socket(root), request, &show).await? {
        return Ok(reply);
    }
    let folder = match start {
        Start::Create => Folder::create(root),
        Start::Existing => Folder::open(root),
    };
    match folder {
        Ok(folder) => {
            let operations = Operations::open(&folder, config).await?;
            let reply = operations.run(request.clone(), &show).await;
            operations.pipeline.close().await?;
            reply
        }
        Err(error @ FolderError::InUse(_)) => {
            // `serve` may have opened its socket since.
            control::ask(&control_socket(root), request, &show).await?.ok_or_else(|| error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Prints text as it is; bytes only to a file or a pipe, where they belong.
fn print(reply: &Reply) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let written = match reply {
        Reply::Part { reply, told } => {
            drop(out);
            print(reply)?;
            eprintln!("hubscope: {told}");
            return Ok(());
        }
        Reply::Text(text) | Reply::Verdict { text, .. } => out.write_all(text.as_bytes()),
        Reply::Bytes(bytes) => out.write_all(bytes),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the answer")?,
    }
    match reply {
        Reply::Verdict { sound: false, .. } => Err(Unsound.into()),
        _ => Ok(()),
    }
}

/// Hidden until the first step comes, and always where standard error is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({eta} left)") {
        bar.set_style(style);
    }
    bar
}

fn show(bar: &ProgressBar, step: &Progress) {
    bar.set_length(step.total);
    bar.set_position(step.done);
    bar.set_message(step.what.clone());
}

//! The one signal to stop, and who hears it.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at SIGTERM or Ctrl-C. A second Ctrl-C ends the process at once: what was acknowledged is
/// on disk whatever happens.
pub(crate) fn on_signals() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: open requests are answered, then the journal is closed and the table written");
        token.cancel();
        interrupt.recv().await;
        std::process::exit(EXIT_INTERRUPTED);
    });
    Ok(stop)
}

/// What a shell expects of a program ended by Ctrl-C.
const EXIT_INTERRUPTED: i32 = 130;

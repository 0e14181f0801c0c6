//! Ctrl-C: what runs ends in order, and nothing found so far is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code where nothing failed and not everything was answered: also of what was interrupted.
pub const INCONCLUSIVE: u8 = 4;

/// A flag that the first signal sets; the second ends the process.
pub fn listen_to_signals() -> Arc<AtomicBool> {
    use tokio::signal::unix::{SignalKind, signal};
    let flag = Arc::new(AtomicBool::new(false));
    let (ready, listening) = std::sync::mpsc::channel();
    let set = Arc::clone(&flag);
    let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let Ok(mut interrupts) = signal(SignalKind::interrupt()) else { return };
            let _ = ready.send(());
            while interrupts.recv().await.is_some() {
                if set.swap(true, Ordering::Relaxed) {
                    std::process::exit(i32::from(INCONCLUSIVE));
                }
            }
        });
    });
    if thread.is_ok() {
        let _ = listening.recv();
    }
    flag
}

//! Certificates that are renewed while the gateway runs. Knows nothing of how they are shown.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Certificates;
use crate::domain::clock::Clock;

/// How often it is asked whether they were renewed.
const EVERY: Duration = Duration::from_secs(2);
/// How often the same trouble must be met to be told: once may be half of a renewal, with the certificate there already
/// and its key to come.
const TOLD_AT: usize = 2;

/// Looks now and then whether the files have changed, for as long as it is let.
pub(crate) async fn keep_fresh(certificates: Arc<Certificates>, clock: Clock) {
    let mut ticks = tokio::time::interval(EVERY);
    let mut trouble = Trouble::default();
    loop {
        ticks.tick().await;
        let (certificates, now) = (Arc::clone(&certificates), clock.now());
        // The task is not cancelled, and does not panic.
        let looking = tokio::task::spawn_blocking(move || certificates.refresh(now));
        let Ok(looked) = looking.await else { continue };
        match looked {
            Ok(is_new) => {
                if is_new {
                    tracing::info!("the certificates were read anew");
                }
                trouble = Trouble::default();
            }
            Err(error) if trouble.is_to_be_told(&error.to_string()) => {
                tracing::warn!(%error, "the certificates cannot be read anew, and stay as they were");
            }
            Err(_) => {}
        }
    }
}

/// What is wrong with the files now, and how often it was met.
#[derive(Default)]
struct Trouble {
    text: String,
    times: usize,
}

impl Trouble {
    fn is_to_be_told(&mut self, text: &str) -> bool {
        if self.text != text {
            *self = Self {
                text: text.to_owned(),
                times: 0,
            };
        }
        self.times += 1;
        self.times == TOLD_AT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_and_only_if_it_lasts() {
        let mut trouble = Trouble::default();
        let told = ["key", "cert", "cert", "cert", "key", "key", "key"];
        let told = told.map(|text| trouble.is_to_be_told(text));
        assert_eq!(told, [false, false, true, false, false, true, false]);
    }
}

//! Apps and claims by their places in what was written, and in the config of today. Knows nothing of where it was written.

use std::sync::Arc;

use super::record::{Malformed, Preface};
use crate::domain::identity::{Account, App};

/// What the places in a [`Preface`] are in the config of today.
pub(in crate::store) struct Casting {
    apps: Vec<Option<Arc<App>>>,
    claims: Vec<Option<usize>>,
    /// How many claims there are today.
    claims_today: usize,
}

impl Casting {
    /// As the preface has them, among the `apps` and `claims` of today.
    pub(in crate::store) fn of(preface: &Preface, apps: &[Arc<App>], claims: &[String]) -> Self {
        let app = |appid: &String| {
            let mut apps = apps.iter();
            apps.find(|app| app.appid.as_str() == appid).cloned()
        };
        let claim = |name: &String| claims.iter().position(|claim| claim == name);
        Self {
            apps: preface.appids.iter().map(app).collect(),
            claims: preface.claims.iter().map(claim).collect(),
            claims_today: claims.len(),
        }
    }

    /// The app at a place, if there still is one.
    pub(in crate::store) fn app(&self, place: u16) -> Result<Option<Arc<App>>, Malformed> {
        self.apps.get(usize::from(place)).cloned().ok_or(Malformed)
    }

    /// What was written of an account, with the claims of today.
    pub(in crate::store) fn account(&self, mut kept: Account) -> Result<Account, Malformed> {
        if kept.claims.is_empty() {
            return Ok(kept);
        }
        let mut claims = vec![None; self.claims_today];
        for (place, value) in kept.claims.iter_mut().enumerate() {
            let today = self.claims.get(place).ok_or(Malformed)?;
            if let Some(claim) = today.and_then(|today| claims.get_mut(today)) {
                *claim = value.take();
            }
        }
        let has_any = claims.iter().any(Option::is_some);
        kept.claims = if has_any {
            claims.into()
        } else {
            Box::default()
        };
        Ok(kept)
    }
}

//! The keys of an upstream that are about scripts, as they are written.

use super::{Text, Texts};
use crate::config::source::{At, Place};
use crate::config::table::Table;

pub(in crate::config) struct RawScripts {
    /// Where the upstream's table begins.
    pub(in crate::config) place: Place,
    pub(in crate::config) root: Option<Text>,
    pub(in crate::config) script: Option<Text>,
    pub(in crate::config) scripts: Option<Texts>,
    pub(in crate::config) keep_alive: Option<At<bool>>,
    pub(in crate::config) max_chunked_body: Option<Text>,
}

impl RawScripts {
    pub(in crate::config) fn fields(upstream: &mut Table<'_>) -> Self {
        Self {
            place: upstream.place(),
            root: upstream.text("root"),
            script: upstream.text("script"),
            scripts: upstream.some_texts("scripts"),
            keep_alive: upstream.switch("keep_alive"),
            max_chunked_body: upstream.size("max_chunked_body"),
        }
    }

    /// The keys that are there, each with its place.
    pub(in crate::config) fn keys(&self) -> impl Iterator<Item = (&'static str, Place)> {
        let keys = [
            ("root", self.root.as_ref().map(|root| root.place)),
            ("script", self.script.as_ref().map(|script| script.place)),
            (
                "scripts",
                self.scripts.as_ref().map(|scripts| scripts.place),
            ),
            (
                "keep_alive",
                self.keep_alive.as_ref().map(|flag| flag.place),
            ),
            (
                "max_chunked_body",
                self.max_chunked_body.as_ref().map(|size| size.place),
            ),
        ];
        keys.into_iter()
            .filter_map(|(key, place)| Some((key, place?)))
    }
}

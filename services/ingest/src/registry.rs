//! The kinds of sources that this program can read. The binary names each in one line.

use std::collections::BTreeMap;

use connector::ConnectorFactory;
use domain::Failure;
use domain::ports::Result;
use domain::sources::KindInfo;

/// Kinds by name.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Box<dyn ConnectorFactory>>,
}

impl Registry {
    /// Adds a kind; a later one of the same name takes its place.
    pub fn with(mut self, factory: impl ConnectorFactory + 'static) -> Self {
        self.kinds.insert(factory.spec().kind, Box::new(factory));
        self
    }

    pub fn kinds(&self) -> Vec<KindInfo> {
        self.kinds
            .values()
            .map(|factory| {
                let spec = factory.spec();
                KindInfo {
                    kind: spec.kind.to_owned(),
                    title: spec.title,
                    config_schema: spec.config_schema,
                    incremental: spec.incremental,
                    lists_keys: spec.lists_keys,
                }
            })
            .collect()
    }

    /// The factory of a kind; `place` is where the kind is named.
    pub fn get(&self, kind: &str, place: &str) -> Result<&dyn ConnectorFactory> {
        self.kinds.get(kind).map(|f| &**f).ok_or_else(|| {
            let known: Vec<&str> = self.kinds.keys().copied().collect();
            Failure::invalid(
                "UNKNOWN_KIND",
                format!(
                    "{place}: key `kind` is {kind:?}; there are {}; `lianjing source kinds` describes them",
                    known.join(", ")
                ),
            )
        })
    }
}

//! How a host makes connectors of a kind: from the table of configuration of one source.

use std::path::Path;

use domain::ports::Result;

use crate::port::{Connector, Spec};

/// Makes connectors of one kind.
pub trait ConnectorFactory: Send + Sync {
    /// The kind with its schema, without any configuration.
    fn spec(&self) -> Spec;

    /// A connector as `config` says. `base` is the folder that relative paths start from. Fails on a wrong
    /// configuration, with the key at fault; reaches nothing outside of this machine.
    fn open(&self, config: toml::Table, base: &Path) -> Result<Box<dyn Connector>>;

    /// A connector that reads kept copies of raw batches, laid out below `dir` under the names they had, as this
    /// configuration would. `None`: the kind cannot.
    fn open_copies(
        &self,
        _config: toml::Table,
        _base: &Path,
        _dir: &Path,
    ) -> Option<Result<Box<dyn Connector>>> {
        None
    }
}

/// A factory of two functions, for a connector that is made from its table of configuration.
pub struct FromTable<O> {
    spec: Spec,
    open: O,
}

impl<O> FromTable<O>
where
    O: Fn(toml::Table, &Path) -> Result<Box<dyn Connector>> + Send + Sync,
{
    pub fn new(spec: Spec, open: O) -> Self {
        Self { spec, open }
    }
}

impl<O> ConnectorFactory for FromTable<O>
where
    O: Fn(toml::Table, &Path) -> Result<Box<dyn Connector>> + Send + Sync,
{
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    fn open(&self, config: toml::Table, base: &Path) -> Result<Box<dyn Connector>> {
        (self.open)(config, base)
    }
}

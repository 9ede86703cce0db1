//! How a host makes connectors of a kind: from the table of configuration of one source.

use std::path::Path;

use domain::ports::Result;

use crate::port::{Connector, Spec};

pub mod secret;

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

/// Opens a connector that reads kept copies below a folder: of the configuration, its base and that folder.
type OpenCopies = dyn Fn(toml::Table, &Path, &Path) -> Result<Box<dyn Connector>> + Send + Sync;

/// A factory of functions, for a connector that is made from its table of configuration.
pub struct FromTable<O> {
    spec: Spec,
    open: O,
    open_copies: Option<Box<OpenCopies>>,
}

impl<O> FromTable<O>
where
    O: Fn(toml::Table, &Path) -> Result<Box<dyn Connector>> + Send + Sync,
{
    pub fn new(spec: Spec, open: O) -> Self {
        Self {
            spec,
            open,
            open_copies: None,
        }
    }

    /// The kind can read its kept raw batches again.
    #[must_use]
    pub fn with_copies(
        mut self,
        open_copies: impl Fn(toml::Table, &Path, &Path) -> Result<Box<dyn Connector>> + Send + Sync + 'static,
    ) -> Self {
        self.open_copies = Some(Box::new(open_copies));
        self
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

    fn open_copies(
        &self,
        config: toml::Table,
        base: &Path,
        dir: &Path,
    ) -> Option<Result<Box<dyn Connector>>> {
        let open = self.open_copies.as_ref()?;
        Some(open(config, base, dir))
    }
}

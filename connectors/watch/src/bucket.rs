//! A bucket of a service that speaks S3.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path as Key;
use object_store::{Error, GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

use crate::config::BucketConfig;
use crate::cursor::Version;
use crate::error::WatchError;
use crate::place::{Fetched, Look, Place};

/// A bucket, and where objects go that are done.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    name: String,
    prefix: Key,
    done: Option<Key>,
}

impl Bucket {
    /// Reads the secrets; asks nothing of the service.
    pub fn new(config: &BucketConfig, base: &Path) -> Result<Self, WatchError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_allow_http(config.allow_http)
            .with_virtual_hosted_style_request(config.virtual_hosted);
        if let Some(endpoint) = &config.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder = match (&config.access_key_id, &config.secret_access_key) {
            (Some(id), Some(secret)) => builder
                .with_access_key_id(id.resolve(base)?.reveal())
                .with_secret_access_key(secret.resolve(base)?.reveal()),
            (None, None) => builder.with_skip_signature(true),
            _ => {
                return Err(WatchError::Config(
                    "give both access_key_id and secret_access_key, or neither".to_owned(),
                ));
            }
        };
        let store = builder.build().map_err(|e| WatchError::Config(e.to_string()))?;
        let key =
            |text: &str| Key::parse(text.trim_matches('/')).map_err(|e| WatchError::Config(e.to_string()));
        Ok(Self {
            store: Arc::new(store),
            name: config.bucket.clone(),
            prefix: key(&config.prefix)?,
            done: config.done.as_deref().map(key).transpose()?,
        })
    }

    fn failed(&self, what: impl Into<String>) -> impl FnOnce(Error) -> WatchError {
        let (bucket, what) = (self.name.clone(), what.into());
        move |source| WatchError::Bucket { bucket, what, source }
    }

    /// The key of a file below a prefix. Names came from keys, so that they need no encoding.
    fn key(prefix: &Key, look: &Look) -> Result<Key, WatchError> {
        let text = format!("{prefix}/{}", look.name);
        Key::parse(text.trim_start_matches('/')).map_err(|e| WatchError::Config(e.to_string()))
    }

    fn look(&self, object: &ObjectMeta) -> Option<Look> {
        let below: Vec<_> = object.location.prefix_match(&self.prefix)?.collect();
        let is_hidden = below.iter().any(|part| part.as_ref().starts_with(['.', '~']));
        let is_done = self
            .done
            .as_ref()
            .is_some_and(|done| object.location.prefix_matches(done));
        if is_hidden || is_done || below.is_empty() {
            return None;
        }
        let name = below
            .iter()
            .map(|part| part.as_ref().to_owned())
            .collect::<Vec<_>>()
            .join("/");
        Some(Look {
            name,
            version: version(object),
        })
    }
}

fn version(object: &ObjectMeta) -> Version {
    Version {
        bytes: object.size,
        modified: object.last_modified,
        etag: object.e_tag.clone(),
    }
}

#[async_trait]
impl Place for Bucket {
    async fn list(&self) -> Result<Vec<Look>, WatchError> {
        let prefix = (!self.prefix.as_ref().is_empty()).then_some(&self.prefix);
        let objects: Vec<ObjectMeta> = self
            .store
            .list(prefix)
            .try_collect()
            .await
            .map_err(self.failed("listing"))?;
        Ok(objects.iter().filter_map(|object| self.look(object)).collect())
    }

    async fn fetch(&self, look: &Look) -> Result<Option<Fetched>, WatchError> {
        let options = GetOptions {
            if_match: look.version.etag.clone(),
            ..GetOptions::default()
        };
        let got = match self
            .store
            .get_opts(&Self::key(&self.prefix, look)?, options)
            .await
        {
            Ok(got) => got,
            Err(Error::Precondition { .. } | Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed(format!("reading {}", look.name))(error)),
        };
        let spool = |source| WatchError::Spool {
            name: look.name.clone(),
            source,
        };
        let (file, path) = tempfile::NamedTempFile::new().map_err(spool)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut chunks = got.into_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(self.failed(format!("reading {}", look.name)))?;
            file.write_all(&chunk).await.map_err(spool)?;
        }
        file.flush().await.map_err(spool)?;
        Ok(Some(Fetched::Spooled(path)))
    }

    async fn look_again(&self, look: &Look) -> Result<Option<Version>, WatchError> {
        match self.store.head(&Self::key(&self.prefix, look)?).await {
            Ok(object) => Ok(Some(version(&object))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(format!("asking for {}", look.name))(error)),
        }
    }

    async fn put_away(&self, look: &Look) -> Result<(), WatchError> {
        let Some(done) = &self.done else { return Ok(()) };
        let to = Self::key(done, look)?;
        match self.store.rename(&Self::key(&self.prefix, look)?, &to).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(format!("moving {}", look.name))(error)),
        }
    }
}

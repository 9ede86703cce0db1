//! The kinds of sources, a few lines each. The file of sources names a source and its kind once; connectors that want
//! either in their own table get it from here.

use std::path::Path;
use std::sync::Arc;

use connector::{Connector, ConnectorFactory, FromTable, Spec};
use database::{DatabaseConfig, DatabaseConnector};
use domain::clock::Clock;
use domain::ports::Result;
use domain::{Bilingual, Failure};
use files::FilesFactory;
use ingest::Registry;
use open::OpenConnector;
use remote::RemoteFactory;
use rest::RestConnector;
use toml::{Table, Value};
use watch::WatchConnector;

/// Every kind that this program can read.
pub fn all(clock: &Arc<dyn Clock>) -> Registry {
    let mut registry = Registry::default()
        .with(FilesFactory)
        .with(RemoteFactory)
        .with(platform_rest(clock.clone()))
        .with(database());
    for (kind, zh, en) in [
        ("ocds", "公开采购数据（OCDS）", "Open contracting data (OCDS)"),
        (
            "bods",
            "受益所有权数据（BODS）",
            "Beneficial ownership data (BODS)",
        ),
        ("ftm", "FollowTheMoney 实体", "FollowTheMoney entities"),
        ("debarment", "失信与处罚名单", "Debarment and credit lists"),
    ] {
        registry = registry.with(open_standard(kind, Bilingual::new(zh, en)));
    }
    for (kind, zh, en) in [
        ("drop-folder", "投递目录", "A folder that files are dropped into"),
        ("s3", "S3 存储桶", "An S3-compatible bucket"),
    ] {
        registry = registry.with(watched(kind, Bilingual::new(zh, en), clock.clone()));
    }
    registry
}

/// The table with `key` set, where the configuration does not set it itself.
fn with_key(mut config: Table, key: &str, value: &str) -> Value {
    config
        .entry(key)
        .or_insert_with(|| Value::String(value.to_owned()));
    Value::Table(config)
}

fn boxed<E: Into<Failure>>(
    connector: std::result::Result<impl Connector + 'static, E>,
) -> Result<Box<dyn Connector>> {
    Ok(Box::new(connector.map_err(Into::into)?))
}

fn platform_rest(clock: Arc<dyn Clock>) -> impl ConnectorFactory + 'static {
    let spec = Spec {
        kind: "platform-rest",
        title: Bilingual::new("平台接口", "A platform's HTTP interface"),
        config_schema: RestConnector::schema(),
        incremental: true,
        lists_keys: true,
        ..Spec::default()
    };
    FromTable::new(spec, move |config: Table, base: &Path| {
        boxed(RestConnector::from_value(
            Value::Table(config),
            base,
            clock.clone(),
        ))
    })
}

fn database() -> impl ConnectorFactory + 'static {
    let spec = Spec {
        kind: "database",
        title: Bilingual::new("数据库", "Database"),
        config_schema: DatabaseConfig::schema(),
        incremental: true,
        lists_keys: true,
        ..Spec::default()
    };
    FromTable::new(spec, |config: Table, base: &Path| {
        boxed(DatabaseConnector::from_value(
            with_key(config, "source", "database"),
            base,
        ))
    })
}

/// The kind's name stands in the file of sources already, and the tables of other kinds are of no use to this one.
fn leave_out(schema: &mut serde_json::Value, key: &str) {
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.remove(key);
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name != key);
    }
}

/// The schema of the variant with this tag, of a configuration whose variants are told by `kind`.
fn variant(mut schema: serde_json::Value, kind: &str) -> serde_json::Value {
    let variants = schema["oneOf"].take();
    let is_it = |v: &&serde_json::Value| v["properties"]["kind"]["const"] == kind;
    let Some(found) = variants.as_array().and_then(|all| all.iter().find(is_it)) else {
        return schema;
    };
    let target = found["$ref"].as_str().and_then(|r| r.rsplit('/').next());
    let mut own = match target {
        Some(name) => schema["$defs"][name].clone(),
        None => found.clone(),
    };
    for key in ["$schema", "$defs"] {
        own[key] = schema[key].take();
    }
    leave_out(&mut own, "kind");
    own
}

fn open_standard(kind: &'static str, title: Bilingual) -> impl ConnectorFactory + 'static {
    let others = ["ocds", "bods", "ftm", "debarment"];
    let mut config_schema = OpenConnector::config_schema();
    leave_out(&mut config_schema, "kind");
    for other in others.into_iter().filter(|other| *other != kind) {
        leave_out(&mut config_schema, other);
    }
    let spec = Spec {
        kind,
        title,
        config_schema,
        ..Spec::default()
    };
    FromTable::new(spec, move |config: Table, base: &Path| {
        boxed(OpenConnector::from_value(with_key(config, "kind", kind), base))
    })
}

fn watched(kind: &'static str, title: Bilingual, clock: Arc<dyn Clock>) -> impl ConnectorFactory + 'static {
    let spec = Spec {
        kind,
        title,
        config_schema: variant(WatchConnector::config_schema(), kind),
        incremental: true,
        ..Spec::default()
    };
    let copies = move |config: Table, base: &Path, dir: &Path| {
        boxed(WatchConnector::copies(with_key(config, "kind", kind), base, dir))
    };
    FromTable::new(spec, move |config: Table, base: &Path| {
        boxed(WatchConnector::from_value(
            with_key(config, "kind", kind),
            base,
            clock.clone(),
        ))
    })
    .with_copies(copies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_tells_its_schema_and_which_key_is_wrong() {
        let clock: Arc<dyn Clock> = Arc::new(domain::clock::SystemClock);
        let registry = all(&clock);
        let kinds = registry.kinds();
        assert_eq!(kinds.len(), 10);
        for kind in kinds {
            assert!(kind.config_schema.is_object(), "{}", kind.kind);
            let factory = registry.get(&kind.kind, "sources.toml").unwrap();
            let wrong: Table = "no_such_key = 1".parse().unwrap();
            let failure = factory.open(wrong, Path::new("/nowhere")).err();
            let failure = failure.unwrap_or_else(|| panic!("{} takes any key", kind.kind));
            assert_eq!(failure.kind, domain::FailureKind::Invalid, "{}", kind.kind);
        }
    }
}

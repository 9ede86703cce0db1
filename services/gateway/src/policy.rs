//! What each method declares in its proto: the permission it needs and its longest duration. A server whose methods
//! do not all name a permission does not start.

use std::collections::HashMap;
use std::time::Duration;

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};

use crate::error::GatewayError;

const POLICY: &str = "lianjing.v1.policy";
const DEADLINE: &str = "lianjing.v1.deadline_seconds";

/// One method's declarations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    /// e.g. "alerts.read". Checked per call once callers are told apart.
    pub(crate) policy: String,
    /// None: the server's default.
    pub(crate) deadline: Option<Duration>,
    /// Neither side streams.
    pub(crate) unary: bool,
}

/// All methods by path ("/lianjing.v1.AlertService/ListAlerts").
#[derive(Debug)]
pub(crate) struct Methods {
    by_path: HashMap<String, Method>,
    services: Vec<String>,
}

impl Methods {
    /// Reads an encoded descriptor set; fails when a method declares no policy or one that is no `resource.action`.
    pub(crate) fn read(descriptors: &[u8]) -> Result<Self, GatewayError> {
        let pool = DescriptorPool::decode(descriptors).map_err(GatewayError::Descriptors)?;
        let mut by_path = HashMap::new();
        let mut missing = Vec::new();
        for method in pool
            .services()
            .filter(is_ours)
            .flat_map(|s| s.methods().collect::<Vec<_>>())
        {
            match text_option(&pool, &method, POLICY).filter(|p| is_policy(p)) {
                None => missing.push(method.full_name().to_owned()),
                Some(policy) => {
                    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
                    let deadline = number_option(&pool, &method, DEADLINE)
                        .filter(|s| *s > 0)
                        .map(|s| Duration::from_secs(s.into()));
                    let unary = !method.is_client_streaming() && !method.is_server_streaming();
                    by_path.insert(
                        path,
                        Method {
                            policy,
                            deadline,
                            unary,
                        },
                    );
                }
            }
        }
        if !missing.is_empty() {
            missing.sort();
            return Err(GatewayError::PolicyMissing { methods: missing });
        }
        let services = pool
            .services()
            .filter(is_ours)
            .map(|s| s.full_name().to_owned())
            .collect();
        Ok(Self { by_path, services })
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Method> {
        self.by_path.get(path)
    }

    /// Full names of all services, e.g. "lianjing.v1.AlertService".
    pub(crate) fn services(&self) -> &[String] {
        &self.services
    }
}

/// Connectors serve theirs; this program calls it.
fn is_ours(service: &prost_reflect::ServiceDescriptor) -> bool {
    service.full_name() != "lianjing.v1.ConnectorPort"
}

fn is_policy(text: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.split_once('.')
        .is_some_and(|(resource, action)| word(resource) && word(action))
}

fn text_option(pool: &DescriptorPool, method: &MethodDescriptor, name: &str) -> Option<String> {
    let extension = pool.get_extension_by_name(name)?;
    let options = method.options();
    options
        .has_extension(&extension)
        .then(|| options.get_extension(&extension).as_str().map(str::to_owned))?
}

fn number_option(pool: &DescriptorPool, method: &MethodDescriptor, name: &str) -> Option<u32> {
    let extension = pool.get_extension_by_name(name)?;
    let value = method.options();
    match value.get_extension(&extension).as_ref() {
        Value::U32(seconds) => Some(*seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(method: &str) -> Vec<u8> {
        let folder = env!("CARGO_MANIFEST_DIR").to_owned() + "/../../proto";
        let proto = format!(
            "syntax = \"proto3\"; package x.v1; import \"lianjing/v1/options.proto\";
             service S {{ {method} }} message M {{}}"
        );
        let mut resolver = protox::file::ChainFileResolver::new();
        resolver.add(One(proto));
        resolver.add(protox::file::IncludeFileResolver::new(folder.into()));
        resolver.add(protox::file::GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler
            .include_imports(true)
            .open_file("x.proto")
            .expect("the proto is valid");
        compiler.encode_file_descriptor_set()
    }

    struct One(String);

    impl protox::file::FileResolver for One {
        fn open_file(&self, name: &str) -> Result<protox::file::File, protox::Error> {
            match name {
                "x.proto" => protox::file::File::from_source(name, &self.0),
                _ => Err(protox::Error::file_not_found(name)),
            }
        }
    }

    #[test]
    fn the_shipped_api_declares_a_policy_everywhere() {
        let methods = Methods::read(proto::FILE_DESCRIPTOR_SET).expect("complete");
        assert_eq!(methods.services().len(), 8);
        let list = methods
            .get("/lianjing.v1.AlertService/ListAlerts")
            .expect("is there");
        assert_eq!(
            *list,
            Method {
                policy: "alerts.read".into(),
                deadline: None,
                unary: true
            }
        );
        assert!(
            !methods
                .get("/lianjing.v1.AlertService/WatchAlerts")
                .expect("is there")
                .unary
        );
        let replay = methods
            .get("/lianjing.v1.AlertService/ReplayAlert")
            .expect("is there");
        assert_eq!(replay.deadline, Some(Duration::from_secs(600)));
    }

    #[test]
    fn a_method_without_a_policy_is_refused_by_name() {
        let error = Methods::read(&compile("rpc Open(M) returns (M);")).expect_err("no policy");
        assert!(error.to_string().contains("x.v1.S.Open"), "{error}");
    }

    #[test]
    fn a_policy_must_name_a_resource_and_an_action() {
        let with = |p: &str| {
            compile(&format!(
                "rpc Open(M) returns (M) {{ option (lianjing.v1.policy) = \"{p}\"; }}"
            ))
        };
        assert!(Methods::read(&with("things.open")).is_ok());
        for bad in ["", "things", "things.", ".open", "Things.open", "things.open.now"] {
            assert!(
                matches!(Methods::read(&with(bad)), Err(GatewayError::PolicyMissing { .. })),
                "{bad:?}"
            );
        }
    }
}

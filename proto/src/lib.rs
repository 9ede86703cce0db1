//! The gRPC API of Lianjing as Rust types: what `proto/lianjing/v1/*.proto` says, compiled.

/// Messages, clients and servers of `lianjing.v1`.
pub mod v1 {
    #![allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
    tonic::include_proto!("lianjing.v1");
}

/// All files of the API as an encoded `google.protobuf.FileDescriptorSet`, imports, comments and custom options
/// included.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

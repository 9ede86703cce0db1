//! The columns of every lake table: a dataset's own, the provenance beside them, and the bookkeeping tables.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use domain::{ColumnType, Dataset};

/// Name of the source that last wrote the row.
pub const SOURCE: &str = "_source";
/// SHA-256 (hex) of the raw batch that last wrote the row.
pub const BATCH: &str = "_batch";
/// Place in that batch, from 1.
pub const ROW: &str = "_row";
/// When the sync that last wrote the row began.
pub const SYNCED_AT: &str = "_synced_at";
/// Content hash of the row's own columns: 64 bits, as a signed integer. See [`crate::hash`].
pub const HASH: &str = "_hash";

pub const BATCHES: &str = "_batches";
pub const SYNCS: &str = "_syncs";
pub const QUARANTINE: &str = "_quarantine";
/// Rows that were gone at their source when it was reconciled.
pub const WITHDRAWN: &str = "_withdrawn";
pub const MENTIONS: &str = "_mentions";
pub const PARTY_REFS: &str = "_party_refs";
pub const PARTY_BRANCHES: &str = "_party_branches";
pub const PARTIES: &str = "parties";

/// A column's type in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LakeType {
    Text,
    Date,
    /// UTC microseconds, without a zone.
    Timestamp,
    /// (precision, scale)
    Decimal(u8, i8),
    Bool,
    Int,
    Bytes,
}

impl LakeType {
    /// As DuckLake writes it.
    pub fn duck(self) -> String {
        match self {
            Self::Text => "varchar".into(),
            Self::Date => "date".into(),
            Self::Timestamp => "timestamp".into(),
            Self::Decimal(p, s) => format!("decimal({p},{s})"),
            Self::Bool => "boolean".into(),
            Self::Int => "int64".into(),
            Self::Bytes => "blob".into(),
        }
    }

    /// Reads what [`Self::duck`] writes; `None` for types this program never writes.
    pub fn parse_duck(word: &str) -> Option<Self> {
        Some(match word {
            "varchar" => Self::Text,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "boolean" => Self::Bool,
            "int64" => Self::Int,
            "blob" => Self::Bytes,
            _ => {
                let (p, s) = word
                    .strip_prefix("decimal(")?
                    .strip_suffix(')')?
                    .split_once(',')?;
                Self::Decimal(p.trim().parse().ok()?, s.trim().parse().ok()?)
            }
        })
    }

    /// The Arrow type it is written from.
    pub fn stored(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Decimal(p, s) => DataType::Decimal128(p, s),
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
            Self::Bytes => DataType::Binary,
        }
    }

    /// The Arrow type it is read as: views for text and bytes.
    pub fn read(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Bytes => DataType::BinaryView,
            other => other.stored(),
        }
    }
}

impl From<ColumnType> for LakeType {
    fn from(ty: ColumnType) -> Self {
        match ty {
            ColumnType::Text => Self::Text,
            ColumnType::Date => Self::Date,
            ColumnType::Timestamp => Self::Timestamp,
            ColumnType::Bool => Self::Bool,
            ColumnType::Int => Self::Int,
            ColumnType::Money | ColumnType::Price | ColumnType::Quantity | ColumnType::Percent => {
                let (precision, scale) = ty.decimal().expect("these four are decimals");
                Self::Decimal(precision, scale)
            }
        }
    }
}

/// One column of a lake table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeColumn {
    pub name: String,
    pub ty: LakeType,
    pub nullable: bool,
}

/// The columns of a lake table, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub table: String,
    pub columns: Vec<ShapeColumn>,
}

impl Shape {
    fn new(table: &str, columns: &[(&str, LakeType, bool)]) -> Self {
        let columns = columns
            .iter()
            .map(|&(name, ty, nullable)| ShapeColumn {
                name: name.to_owned(),
                ty,
                nullable,
            })
            .collect();
        Self {
            table: table.to_owned(),
            columns,
        }
    }

    /// A dataset's table: its own columns, provenance, one reference per mention slot.
    pub fn of_dataset(dataset: &Dataset) -> Self {
        let own = dataset.columns.iter().map(|c| ShapeColumn {
            name: c.name.clone(),
            ty: c.ty.into(),
            nullable: !dataset.key.contains(&c.name),
        });
        let provenance = [
            (SOURCE, LakeType::Text),
            (BATCH, LakeType::Text),
            (ROW, LakeType::Int),
            (SYNCED_AT, LakeType::Timestamp),
            (HASH, LakeType::Int),
        ]
        .map(|(name, ty)| ShapeColumn {
            name: name.to_owned(),
            ty,
            nullable: false,
        });
        let references = dataset.mentions.iter().map(|slot| ShapeColumn {
            name: slot.ref_column(),
            ty: LakeType::Int,
            nullable: true,
        });
        Self {
            table: dataset.name.clone(),
            columns: own.chain(provenance).chain(references).collect(),
        }
    }

    /// The shape of any lake table by name: a dataset, `parties` or bookkeeping.
    pub fn of(table: &str) -> Option<Self> {
        match domain::dataset(table) {
            Some(dataset) => Some(Self::of_dataset(&dataset)),
            None => KEPT_BESIDE.iter().find(|s| s.table == table).cloned(),
        }
    }

    /// The schema to read it with.
    pub fn read_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns
                .iter()
                .map(|c| Field::new(&c.name, c.ty.read(), c.nullable))
                .collect::<Vec<_>>(),
        ))
    }

    /// The schema batches of it are written with.
    pub fn stored_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns
                .iter()
                .map(|c| Field::new(&c.name, c.ty.stored(), c.nullable))
                .collect::<Vec<_>>(),
        ))
    }
}

/// `parties` and the bookkeeping tables.
static KEPT_BESIDE: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    use LakeType::{Bytes, Int, Text, Timestamp};
    vec![
        Shape::new(
            BATCHES,
            &[
                ("digest", Text, false),
                ("source", Text, false),
                ("name", Text, false),
                ("bytes", Int, false),
                ("first_synced_at", Timestamp, false),
            ],
        ),
        Shape::new(
            SYNCS,
            &[
                ("sync_id", Text, false),
                ("source", Text, false),
                ("started_at", Timestamp, false),
                ("dataset", Text, false),
                ("read", Int, false),
                ("inserted", Int, false),
                ("updated", Int, false),
                ("unchanged", Int, false),
                ("quarantined", Int, false),
            ],
        ),
        Shape::new(
            QUARANTINE,
            &[
                ("sync_id", Text, false),
                ("source", Text, false),
                ("dataset", Text, false),
                ("batch", Text, false),
                ("file", Text, false),
                ("row", Int, false),
                ("field", Text, true),
                ("reason", Text, false),
                ("detail", Text, false),
                ("raw", Bytes, false),
            ],
        ),
        Shape::new(
            WITHDRAWN,
            &[
                ("sync_id", Text, false),
                ("source", Text, false),
                ("dataset", Text, false),
                ("key", Text, false),
                ("batch", Text, false),
                ("row", Int, false),
                ("hash", Int, false),
                ("withdrawn_at", Timestamp, false),
            ],
        ),
        Shape::new(
            MENTIONS,
            &[
                ("ref", Int, false),
                ("dataset", Text, false),
                ("slot", Text, false),
                ("kind", Text, false),
                ("id", Text, true),
                ("name", Text, true),
                ("code", Text, true),
                ("context", Text, false),
            ],
        ),
        Shape::new(
            PARTY_REFS,
            &[
                ("ref", Int, false),
                ("party_id", Text, false),
                ("party_key", Text, false),
                ("certainty_bp", Int, true),
            ],
        ),
        Shape::new(
            PARTY_BRANCHES,
            &[("branch_party_id", Text, false), ("parent_party_id", Text, false)],
        ),
        Shape::new(
            PARTIES,
            &[
                ("party_id", Text, false),
                ("kind", Text, false),
                ("name", Text, false),
                ("uscc", Text, true),
                ("id_number", Text, true),
                ("aliases", Text, true),
            ],
        ),
    ]
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_what_duckdb_reads() {
        for dataset in domain::catalogue() {
            for column in Shape::of_dataset(dataset).columns {
                assert_eq!(
                    LakeType::parse_duck(&column.ty.duck()),
                    Some(column.ty),
                    "{}",
                    column.name
                );
            }
        }
        assert_eq!(LakeType::parse_duck("list"), None);
        assert_eq!(LakeType::parse_duck("decimal(18)"), None);
    }

    #[test]
    fn tables_are_found_by_name() {
        assert!(
            Shape::of("purchase_orders")
                .unwrap()
                .columns
                .iter()
                .any(|c| c.name == "_supplier_ref")
        );
        assert!(Shape::of(PARTIES).is_some());
        assert!(Shape::of("no_such").is_none());
    }
}

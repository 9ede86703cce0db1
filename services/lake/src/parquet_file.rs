//! One Parquet file: how lake files are written, and how a few of their columns are read back.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ArrowWriter, PARQUET_FIELD_ID_META_KEY, ProjectionMask};
use parquet::basic::{Compression, Encoding};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::catalogue::NewFile;
use crate::error::{LakeError, Result, at, parquet_at};
use crate::shape::{HASH, LakeType, ROW, Shape};
use crate::stats;

/// Rows in a row group: what a scan reads at least, and what two threads share.
const ROW_GROUP_ROWS: usize = 512 * 1024;
/// Encoded bytes a writer holds before it ends a row group early.
const ROW_GROUP_BYTES_MAX: usize = 96 << 20;
/// Rows read at a time when a few columns are read back.
const READ_ROWS: usize = 64 * 1024;

/// DuckLake's field ids in delete files.
const DELETE_PATH_ID: &str = "2147483646";
const DELETE_POS_ID: &str = "2147483645";

/// A name for a new file, never used before.
pub fn new_name(kind: &str) -> String {
    format!("{kind}-{}.parquet", uuid::Uuid::new_v4())
}

fn base_properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(concat!("lianjing ", env!("CARGO_PKG_VERSION")).to_owned())
        // Half as large again as with Zstandard, and no longer a tenth of the time of every run.
        .set_compression(Compression::LZ4_RAW)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(None)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
}

fn properties(shape: &Shape) -> WriterProperties {
    let mut properties = base_properties();
    for column in &shape.columns {
        let path = ColumnPath::from(column.name.as_str());
        match (column.name.as_str(), column.ty) {
            // Random bits: neither a dictionary nor compression helps.
            (HASH, _) => {
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_compression(path, Compression::UNCOMPRESSED);
            }
            (ROW, _) => {
                properties = properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
            // Raw bytes may be long; nobody looks for their smallest.
            (_, LakeType::Bytes) => {
                properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
            }
            _ => {}
        }
    }
    properties.build()
}

/// The schema that a file is written with: the shape's, with field ids.
pub fn file_schema(shape: &Shape, column_ids: &[i64]) -> SchemaRef {
    let fields = shape.columns.iter().zip(column_ids).map(|(column, id)| {
        Field::new(&column.name, column.ty.stored(), column.nullable).with_metadata(HashMap::from([(
            PARQUET_FIELD_ID_META_KEY.to_owned(),
            id.to_string(),
        )]))
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A data file that is being written.
pub struct FileWriter {
    path: PathBuf,
    shape: Arc<Shape>,
    schema: SchemaRef,
    writer: ArrowWriter<File>,
    rows: u64,
}

impl FileWriter {
    /// Makes the file. Its folder must be there.
    pub fn create(path: PathBuf, shape: Arc<Shape>, column_ids: &[i64]) -> Result<Self> {
        let schema = file_schema(&shape, column_ids);
        let file = File::create_new(&path).map_err(at("make", &path))?;
        let options = ArrowWriterOptions::new()
            .with_properties(properties(&shape))
            // Readers take the types from Parquet itself, so that every one sees the same.
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, schema.clone(), options)
            .map_err(parquet_at("begin", &path))?;
        Ok(Self {
            path,
            shape,
            schema,
            writer,
            rows: 0,
        })
    }

    /// Appends rows; the columns must be the shape's.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch =
            RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec()).map_err(|source| {
                LakeError::Arrow {
                    action: "fit a batch to its file",
                    source,
                }
            })?;
        self.writer
            .write(&batch)
            .map_err(parquet_at("write", &self.path))?;
        self.rows += batch.num_rows() as u64;
        if self.writer.in_progress_size() > ROW_GROUP_BYTES_MAX {
            self.writer.flush().map_err(parquet_at("write", &self.path))?;
        }
        Ok(())
    }

    /// Ends the file and makes its bytes durable.
    pub fn finish(mut self) -> Result<NewFile> {
        let metadata = self.writer.finish().map_err(parquet_at("end", &self.path))?;
        let stats = stats::of_file(&metadata, &self.shape.columns);
        let file = self.writer.inner();
        file.sync_all().map_err(at("sync", &self.path))?;
        let size_bytes = file.metadata().map_err(at("look at", &self.path))?.len();
        let footer_size = footer_size(&self.path)?;
        let name = self
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Ok(NewFile {
            name,
            record_count: self.rows,
            size_bytes,
            footer_size,
            stats,
        })
    }
}

fn footer_size(path: &Path) -> Result<u64> {
    let read = || -> std::io::Result<u64> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-8))?;
        let mut length = [0; 4];
        file.read_exact(&mut length)?;
        Ok(u64::from(u32::from_le_bytes(length)))
    };
    read().map_err(at("read the footer of", path))
}

/// Writes the positions that are gone from a data file. `positions` are sorted and distinct.
/// Returns (size, footer size).
pub fn write_deletes(path: &Path, data_file: &str, positions: &[u32]) -> Result<(u64, u64)> {
    let field = |name: &str, ty, id: &str| {
        Field::new(name, ty, false).with_metadata(HashMap::from([(
            PARQUET_FIELD_ID_META_KEY.to_owned(),
            id.to_owned(),
        )]))
    };
    let schema = Arc::new(Schema::new(vec![
        field("file_path", DataType::Utf8, DELETE_PATH_ID),
        field("pos", DataType::Int64, DELETE_POS_ID),
    ]));
    let batch = RecordBatch::try_new(
        schema.clone(),
        vec![
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                data_file,
                positions.len(),
            ))),
            Arc::new(Int64Array::from_iter_values(
                positions.iter().map(|&p| i64::from(p)),
            )),
        ],
    )
    .map_err(|source| LakeError::Arrow {
        action: "list deleted rows",
        source,
    })?;
    let file = File::create_new(path).map_err(at("make", path))?;
    let options = ArrowWriterOptions::new()
        .with_properties(
            base_properties()
                .set_column_dictionary_enabled(ColumnPath::from("pos"), false)
                .set_column_encoding(ColumnPath::from("pos"), Encoding::DELTA_BINARY_PACKED)
                .build(),
        )
        .with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(file, schema, options).map_err(parquet_at("begin", path))?;
    writer.write(&batch).map_err(parquet_at("write", path))?;
    writer.finish().map_err(parquet_at("end", path))?;
    writer.inner().sync_all().map_err(at("sync", path))?;
    let size = writer.inner().metadata().map_err(at("look at", path))?.len();
    Ok((size, footer_size(path)?))
}

/// The positions a delete file names, sorted.
pub fn read_deletes(path: &Path) -> Result<Vec<u32>> {
    let mut positions = Vec::new();
    read_columns(path, &["pos"], |_, batch| {
        for &pos in batch.column(0).as_primitive::<Int64Type>().values() {
            positions.push(u32::try_from(pos).map_err(|_| LakeError::Unreadable {
                what: format!("position {pos} in {}", path.display()),
            })?);
        }
        Ok(())
    })?;
    positions.sort_unstable();
    Ok(positions)
}

/// Reads columns of a file in order, deleted rows included: `each(first position, batch)`. Columns that the
/// file lacks are left out.
pub fn read_columns(
    path: &Path,
    columns: &[&str],
    mut each: impl FnMut(u64, &RecordBatch) -> Result<()>,
) -> Result<()> {
    let file = File::open(path).map_err(at("open", path))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(parquet_at("open", path))?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let reader = builder
        .with_projection(mask)
        .with_batch_size(READ_ROWS)
        .build()
        .map_err(parquet_at("read", path))?;
    let mut position = 0;
    for batch in reader {
        let batch = batch.map_err(|source| LakeError::Arrow {
            action: "read a lake file",
            source,
        })?;
        each(position, &batch)?;
        position += batch.num_rows() as u64;
    }
    Ok(())
}
